"""The alerts screen, and what an operator says of alerts."""
