"""From a libvirt URI, as seen from the host, to one that this machine's library can open through the link."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from debugtui.hosts.link import Link, LinkError, NoSuchSocketError
from debugtui.model.source import Problem
from debugtui.model.text import decode, line
from debugtui.sources.base import SourceError

#: Sockets of the system daemons, read-only ones first: they are enough, and need less privilege.
SYSTEM_SOCKETS = (
    "/var/run/libvirt/libvirt-sock-ro",
    "/var/run/libvirt/virtqemud-sock-ro",
    "/var/run/libvirt/libvirt-sock",
    "/var/run/libvirt/virtqemud-sock",
)
SESSION_SOCKETS = ("libvirt/libvirt-sock", "libvirt/virtqemud-sock")
#: Seconds to ask the host where a session's sockets are.
LIMIT = 5.0

_GROUP = "add the login user to the group libvirt"


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach a hypervisor: the URI for this machine's library, and the socket of the host, for messages."""

    uri: str
    socket: str


async def dial(link: Link, uri: str) -> Way:
    """Return the way to `uri`.

    Raises:
        SourceError: no such service; `absent` where no socket exists.
        LinkError: the link is not up, or may not reach the socket.
    """
    parts = urlsplit(uri)
    driver, _, _ = parts.scheme.partition("+")
    if driver == "test" and "+" not in parts.scheme:
        return Way(uri, "")
    named = parse_qs(parts.query).get("socket")
    candidates = tuple(named) if named else await _usual(link, parts.path.strip("/"))
    refused: LinkError | None = None
    for path in candidates:
        try:
            endpoint = await link.reach_unix(path)
        except NoSuchSocketError:
            continue
        except LinkError as error:
            refused = error
            continue
        inner = parts.path if parts.path.strip("/") else "/system"
        return Way(f"{driver}+unix://{inner}?socket={quote(endpoint.path)}", path)
    if refused is not None:
        hint = refused.problem.hint or _GROUP
        raise SourceError(Problem(refused.problem.says, hint)) from refused
    where = named[0] if named else "no libvirt socket"
    says = f"no such socket: {line(where, 200)}" if named else f"{where} under /var/run/libvirt"
    raise SourceError(Problem(says, "is libvirtd installed and running?"), absent=True)


async def _usual(link: Link, path: str) -> tuple[str, ...]:
    if path != "session":
        return SYSTEM_SOCKETS
    found = await link.run(["sh", "-c", 'echo "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"'], timeout=LIMIT, limit=4_096)
    folder = decode(found.stdout).strip()
    if not folder.startswith("/"):
        raise SourceError(Problem("the host does not say where the session's sockets are", "name one: ?socket=/path"))
    return tuple(posixpath.join(folder, name) for name in SESSION_SOCKETS)
