"""Log lines of containers, journald, nginx, PostgreSQL and Loki, all in one form, merged by time."""
