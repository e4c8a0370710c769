"""What outlives a run: journal, audit log."""
