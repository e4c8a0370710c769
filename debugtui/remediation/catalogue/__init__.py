"""The remediations, one room per layer."""
