"""The user's own remediations: TOML files, read into the same shape as the catalogue's."""
