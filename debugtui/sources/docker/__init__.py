"""Docker: containers, their figures and logs, images, volumes, networks, events, through the engine's own socket."""
