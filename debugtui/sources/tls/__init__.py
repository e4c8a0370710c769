"""TLS addresses: what is served, what lies on the disk, and how it is renewed."""
