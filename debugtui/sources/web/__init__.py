"""Web addresses: one GET through the host, and where its time went."""
