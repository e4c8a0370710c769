"""The backups of one database: where they lie, how old and how large they are, and whether they look whole."""
