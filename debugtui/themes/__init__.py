"""The themes, as data."""
