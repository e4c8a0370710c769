"""Remediations of containers and images."""
