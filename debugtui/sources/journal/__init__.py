"""The journal of systemd on one host, read with journalctl."""
