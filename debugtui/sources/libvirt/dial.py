"""From a libvirt URI, as seen from the host, to one that this machine's library can open through the link."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from debugtui.hosts.link import Link, LinkError, NoSuchSocketError
from debugtui.model.source import LinkState, Problem
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
# Both places where a session's daemon may have its sockets, the second one for logins without a runtime folder.
_FOLDERS = 'echo "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; echo "${XDG_CACHE_HOME:-$HOME/.cache}"'


@dataclass(frozen=True, slots=True)
class Way:
    """How to reach a hypervisor: the URI for this machine's library, and the socket of the host, for messages."""

    uri: str
    socket: str


async def dial(link: Link, uri: str, *, write: bool = False) -> Way:
    """Return the way to `uri`; `write`: a socket that also takes changes.

    Raises:
        SourceError: no such service; `absent` where no socket exists.
        LinkError: the link is not up, or may not reach the socket.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise SourceError(Problem(f"{line(uri, 200)} is no libvirt URI: {error}", "such as qemu:///system")) from error
    driver, _, transport = parts.scheme.partition("+")
    if driver == "test" and not transport:
        return Way(uri, "")
    if not driver or transport not in ("", "unix") or parts.netloc:
        hint = "name it as seen from the host, such as qemu:///system: the link carries it there"
        raise SourceError(Problem(f"{line(uri, 200)} brings its own transport", hint))
    named = parse_qs(parts.query).get("socket")
    candidates = tuple(named) if named else await _usual(link, parts.path.strip("/"))
    if write:
        candidates = tuple(path for path in candidates if not path.endswith("-sock-ro")) or candidates
    refused: LinkError | None = None
    for path in candidates:
        try:
            endpoint = await link.reach_unix(path)
        except NoSuchSocketError:
            continue
        except LinkError as error:
            if link.status.state is not LinkState.UP:
                raise
            refused = error
            continue
        inner = parts.path if parts.path.strip("/") else "/system"
        return Way(f"{driver}+unix://{inner}?socket={quote(endpoint.path)}", path)
    if refused is not None:
        hint = refused.problem.hint or _GROUP
        raise SourceError(Problem(refused.problem.says, hint)) from refused
    if named:
        says = f"no such socket: {line(named[0], 200)}"
    else:
        says = f"no libvirt socket in {line(posixpath.dirname(candidates[0]), 200)}"
    hint = "is libvirtd installed and running?"
    if parts.path.strip("/") == "session":
        hint = "a session's daemon runs on demand: on the host, virsh -c qemu:///session list starts it"
    raise SourceError(Problem(says, hint), absent=True)


async def _usual(link: Link, path: str) -> tuple[str, ...]:
    if path != "session":
        return SYSTEM_SOCKETS
    found = await link.run(["sh", "-c", _FOLDERS], timeout=LIMIT, limit=4_096)
    folders = [folder for folder in decode(found.stdout).splitlines() if folder.startswith("/")]
    if not folders:
        raise SourceError(Problem("the host does not say where the session's sockets are", "name one: ?socket=/path"))
    return tuple(posixpath.join(folder, name) for folder in folders for name in SESSION_SOCKETS)
