"""Web addresses, probed as a client sees them."""
