"""Frozen data that every room shares: readings, alerts, targets. No I/O, no Textual."""
