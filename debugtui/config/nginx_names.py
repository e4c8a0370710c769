"""What each nginx of a host is called."""

from __future__ import annotations

from debugtui.config.hosts import HostConfig

#: The name of a host's first nginx; a second one has the name of the first web address that it serves.
MAIN = "main"


def nginx_files(host: HostConfig) -> dict[str, str]:
    """Return {name: path of its configuration file} of every nginx that a host's web addresses name, each once."""
    found: dict[str, str] = {}
    for web in host.web:
        if web.nginx is not None and web.nginx not in found.values():
            found[web.name if found else MAIN] = web.nginx
    return found
