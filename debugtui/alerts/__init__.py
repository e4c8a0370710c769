"""Rules that judge readings."""
