"""Runbooks: what a file may say, what may be run, how it is judged."""
