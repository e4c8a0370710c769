"""Remediations of VMs."""
