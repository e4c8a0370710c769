"""One file per screen, its TCSS beside it."""
