"""PostgreSQL: activity, lock tree, statements, tables, indexes, replication, settings."""
