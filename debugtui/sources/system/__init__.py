"""A host's own figures, read by one command over the host's link."""
