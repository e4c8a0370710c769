"""The link that a configuration asks for. The SSH library is loaded only where a host needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from debugtui.config.ask import Asker
from debugtui.hosts.link import Link

if TYPE_CHECKING:
    from debugtui.config.models import HostConfig


def open_link(config: HostConfig, asker: Asker) -> Link:
    """Return the link to a host; it connects when started."""
    if config.address == "local":
        from debugtui.hosts.local import LocalLink

        return LocalLink(config.name)
    from debugtui.hosts.ssh import SshLink

    return SshLink(
        config.name,
        config.address,
        asker,
        identity=config.identity,
        known_hosts=config.known_hosts,
        jump=config.jump,
    )
