"""Remediations of PostgreSQL."""
