"""Where to connect for an address as seen from a host, and why it cannot be reached.

The way there is the host's link; without a link it is this machine itself.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Iterator

from debugtui.hosts.link import Endpoint, Link, LinkError
from debugtui.model.text import line
from debugtui.model.web import WebFault

#: Seconds in which a forward that leads nowhere is closed again. A server that is there waits for a request instead: none is
#: known that gives up within half a second.
CLOSES_AT_ONCE_S = 0.5

_BY_NUMBER = {
    errno.ECONNREFUSED: WebFault.REFUSED,
    errno.ECONNRESET: WebFault.RESET,
    errno.ECONNABORTED: WebFault.RESET,
    errno.EPIPE: WebFault.RESET,
    errno.ETIMEDOUT: WebFault.TIMEOUT,
    errno.EHOSTUNREACH: WebFault.UNREACHABLE,
    errno.EHOSTDOWN: WebFault.UNREACHABLE,
    errno.ENETUNREACH: WebFault.UNREACHABLE,
    errno.ENETDOWN: WebFault.UNREACHABLE,
    errno.EADDRNOTAVAIL: WebFault.UNREACHABLE,
    errno.EACCES: WebFault.UNREACHABLE,
    errno.EPERM: WebFault.UNREACHABLE,
}

# What an SSH server says where it could not connect, since it gives no number: strerror() and gai_strerror() of glibc, musl and
# the BSDs, and the words of OpenSSH itself.
_BY_WORDS = (
    (re.compile(r"refused", re.IGNORECASE), WebFault.REFUSED),
    (
        re.compile(r"not known|name resolution|unknown host|no address|does not resolve|not resolve", re.IGNORECASE),
        WebFault.DNS,
    ),
    (re.compile(r"timed out|no answer within", re.IGNORECASE), WebFault.TIMEOUT),
    (re.compile(r"reset|aborted", re.IGNORECASE), WebFault.RESET),
    (re.compile(r"no route|unreachable|host is down|network is down|permitted|denied", re.IGNORECASE), WebFault.UNREACHABLE),
)

#: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED and SSH_OPEN_CONNECT_FAILED of RFC 4254, section 5.1.
_PROHIBITED, _CONNECT_FAILED = 1, 2


class DialError(Exception):
    """An address cannot be reached from the host. `fault` says which kind, `says` why, in one line."""

    def __init__(self, fault: WebFault, says: str) -> None:
        super().__init__(says)
        self.fault = fault
        self.says = says


class Dialer:
    """The way to addresses as seen from one host."""

    def __init__(self, link: Link | None) -> None:
        """Go through `link`; None: from this machine."""
        self._link = link

    async def reach(self, host: str, port: int) -> Endpoint:
        """Return where to connect on this machine.

        Raises:
            DialError: the address cannot be reached from there; nothing is wrong with the link.
            LinkError: the link is not up, or does not allow it.
        """
        if self._link is None:
            return Endpoint(host=host, port=port)
        try:
            return await self._link.reach_tcp(host, port)
        except LinkError as error:
            fault = _fault_of(error)
            if fault is None:
                raise
            raise DialError(fault, error.problem.says) from error

    async def why_closed(self, host: str, port: int, endpoint: Endpoint) -> DialError | None:
        """Say why a connection was closed before a byte came; None where the server itself did it.

        A forward over SSH accepts before anybody knows whether the service does. The link tries a service before it gives out
        a forward, but counts a trial for some seconds; a service that stopped since then looks as if it hung up. So it is
        looked at once more, and where the forward closes at once, tried again when the old trial no longer counts.
        """
        if not endpoint.path or not await _closes_at_once(endpoint.path):
            return None
        from debugtui.hosts.forwards import PROBE_GOOD_FOR  # only a link over SSH gives paths: its library is loaded

        await asyncio.sleep(PROBE_GOOD_FOR)
        try:
            await self.reach(host, port)
        except DialError as error:
            return error
        return None


async def _closes_at_once(path: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return True
    try:
        async with asyncio.timeout(CLOSES_AT_ONCE_S):
            return not await reader.read(1)
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        writer.transport.abort()


def _fault_of(error: LinkError) -> WebFault | None:
    """What a link's failure says about the address; None where it says something about the link."""
    cause = error.__cause__
    if isinstance(cause, OSError | TimeoutError):
        return of_os_error(cause)
    code = getattr(cause, "code", None)  # asyncssh's ChannelOpenError, which is not imported for a local host
    if code is None or code == _PROHIBITED:
        return None
    said = str(getattr(cause, "reason", ""))
    for words, fault in _BY_WORDS:
        if words.search(said):
            return fault
    closed = "connection closed" in said.lower() or "connection lost" in said.lower()
    return WebFault.UNREACHABLE if code == _CONNECT_FAILED and not closed else None


def of_os_error(error: BaseException) -> WebFault:
    """Return the kind of fault that an error of the operating system is."""
    if isinstance(error, socket.gaierror):
        return WebFault.DNS
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return WebFault.RESET
    if isinstance(error, ssl.SSLError):
        return WebFault.TLS
    number = error.errno if isinstance(error, OSError) else None
    if not number:  # asyncio puts the numbers of several addresses into the text only
        found = {int(digits) for digits in re.findall(r"\[Errno (\d+)\]", str(error))}
        number = min(found, default=0)
    if isinstance(error, TimeoutError):
        return WebFault.TIMEOUT
    if isinstance(error, ConnectionError) and not number:
        return WebFault.RESET
    return _BY_NUMBER.get(number, WebFault.UNREACHABLE)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and everything that it came from, groups taken apart."""
    seen: set[int] = set()
    level: list[BaseException] = [error]
    while level:
        one = level.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        level += [inner for inner in (one.__cause__, one.__context__) if inner is not None]
        if isinstance(one, BaseExceptionGroup):
            level += one.exceptions


def words(error: BaseException) -> str:
    """Return what an error says in one line, never empty; the system's words where it is the system's."""
    if isinstance(error, socket.gaierror):
        return line(error.strerror or "the name is not found", 200)
    if isinstance(error, ssl.SSLError):
        return line((error.reason or str(error)).replace("_", " ").lower(), 200)
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return line(str(error), 200) or type(error).__name__
