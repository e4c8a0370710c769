"""The configuration file, its secrets, and redaction."""
