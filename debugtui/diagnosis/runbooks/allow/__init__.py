"""Which commands a runbook may run on a host: known programs with known arguments that only look."""
