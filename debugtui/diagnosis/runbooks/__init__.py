"""Runbooks as data: what to look at when something is wrong, in which order, and what to do with what is found."""
