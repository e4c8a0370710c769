"""How the watched things hang together: one file for each kind of inference, `build.py` puts them together."""
