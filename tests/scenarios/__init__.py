"""Faults in a real lab, each with its truth, and what the diagnosis says of them (docs/scenarios.md)."""
