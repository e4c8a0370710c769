"""Our own readings in the text format of Prometheus: one module for each group of kinds, and the command that serves them."""
