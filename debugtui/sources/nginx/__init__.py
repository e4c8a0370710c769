"""nginx: its configuration, its processes, its figures and its logs."""
