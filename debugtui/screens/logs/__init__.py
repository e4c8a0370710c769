"""The screen of merged logs, and what it asks."""
