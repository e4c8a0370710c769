"""The runbook screens: which one fits, its steps, what they found, and the way to a plan."""
