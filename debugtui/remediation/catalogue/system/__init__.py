"""Remediations of the host itself."""
