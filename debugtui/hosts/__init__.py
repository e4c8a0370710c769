"""One connection to one host, which carries everything."""
