"""TLS addresses: what they serve, beside what lies on the disk, and how its renewal stands."""
