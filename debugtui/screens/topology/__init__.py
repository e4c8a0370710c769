"""The topology: what hangs together how, and which service owns what."""
