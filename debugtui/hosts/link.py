"""What a link to a host offers, whichever way it reaches it (ssh or local)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from debugtui.model.source import LinkStatus, Problem


class LinkError(Exception):
    """The link could not do what was asked. `problem` is ready to show and names the hop that failed.

    Attributes:
        problem: what happened and what to do.
        refused: trying again by itself is useless; the operator must act (changed host key, wrong passphrase).
    """

    def __init__(self, problem: Problem, *, refused: bool = False) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.refused = refused


class CommandTimeoutError(LinkError):
    """A remote command did not end within its time limit."""


class NoSuchSocketError(LinkError):
    """`reach_unix`: nothing lies at that path of the host, so the service is probably not installed there."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command left: exit status (negative: ended by that signal), and bounded output."""

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client library connects to on *this* machine in order to reach a service of the host.

    Either `path`, a UNIX socket, or `host` and `port`.
    """

    path: str = ""
    host: str = ""
    port: int = 0


class Link(Protocol):
    """One connection to one host.

    It connects by itself, notices a dead peer within ten seconds, and reconnects with backoff. Every method raises
    `LinkError` at once while it is not up: nothing waits for a connection to come back.
    """

    @property
    def host(self) -> str:
        """The configured name of the host."""
        ...

    @property
    def address(self) -> str:
        """What the operator wrote: `ssh://ops@kvm-01:22`, an alias, or `local`."""
        ...

    @property
    def status(self) -> LinkStatus:
        """The state now."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the event loop after every change of `status`."""
        ...

    async def start(self) -> None:
        """Begin to connect, in a task that the link owns; returns at once."""
        ...

    async def close(self) -> None:
        """End the connection, its forwards, its task and its private directory. Safe to call twice."""
        ...

    async def wait_settled(self, timeout: float) -> LinkStatus:
        """Wait until the state is no longer `connecting`, at most `timeout` seconds; return it."""
        ...

    def retry_now(self) -> None:
        """Try again without waiting for the backoff; also leaves `refused`."""
        ...

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 4_000_000) -> CommandResult:
        """Run a command given as an argument list (quoted here, never by the caller).

        Args:
            argv: program and arguments.
            timeout: seconds, enforced on both ends.
            stdin: bytes for its standard input.
            limit: most bytes kept of each output; more is dropped and `truncated` is set.

        Raises:
            CommandTimeoutError: it did not end in time.
            LinkError: the link is not up, or broke.
        """
        ...

    async def reach_unix(self, path: str) -> Endpoint:
        """Return an endpoint for a UNIX socket of the host. Forwards are shared, and closed with the connection."""
        ...

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        """Return an endpoint for a TCP address as seen from the host."""
        ...

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent on this connection so far, as far as the transport tells; (0, 0) for local."""
        ...
