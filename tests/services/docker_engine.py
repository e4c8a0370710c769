"""Started by the tests; see docs/lab.md."""
