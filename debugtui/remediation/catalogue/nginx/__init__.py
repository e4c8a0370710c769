"""Repairs of nginx: its files, its reloads, its upstreams, its certificates."""
