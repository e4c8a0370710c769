"""Guards that several remediations share: what must be true before anything is changed."""
