"""The link over SSH: connects, notices a dead peer, connects again, and refuses where only the operator can help."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from debugtui.config.ask import Asker
from debugtui.hosts.backoff import Backoff
from debugtui.hosts.connect import open_chain
from debugtui.hosts.hops import Plan, default_ssh_config, resolve
from debugtui.hosts.link import CommandResult, Endpoint, LinkError
from debugtui.hosts.problems import words
from debugtui.hosts.questions import questions_of
from debugtui.hosts.ssh_connection import SshConnection
from debugtui.model.source import LinkState, LinkStatus, Problem
from debugtui.model.text import line

_log = logging.getLogger(__name__)


class SshLink:
    """One SSH connection to one host, through any jump hosts; see `Link`."""

    def __init__(
        self,
        host: str,
        address: str,
        asker: Asker,
        *,
        identity: Path | None = None,
        known_hosts: Path | None = None,
        jump: str | None = None,
        ssh_config: Sequence[Path] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare a link; nothing is read or connected before `start`.

        Args:
            host: the configured name.
            address: `ssh://[user@]host[:port]`, or an alias of ssh's configuration.
            asker: who knows passphrases and unknown host keys.
            identity: key file of the target (and of jump hosts for which ssh's configuration names none).
            known_hosts: the only known_hosts file to use; None: ssh's own.
            jump: jump hosts, as ProxyJump takes them; None: what ssh's configuration says.
            ssh_config: configuration files to read; None: those that ssh itself reads.
            backoff: how long to wait between attempts.
        """
        self._host = host
        self._address = address
        self._asker = asker
        self._questions = questions_of(asker)
        self._identity = identity
        self._known_hosts = known_hosts
        self._jump = jump
        self._ssh_config = None if ssh_config is None else tuple(ssh_config)
        self._backoff = backoff or Backoff()
        self._status = LinkStatus(LinkState.CONNECTING, since=datetime.now(UTC))
        self._callbacks: list[Callable[[], None]] = []
        self._settled = asyncio.Event()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: SshConnection | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._earlier = (0, 0)

    # --- what the link is ------------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The configured name of the host."""
        return self._host

    @property
    def address(self) -> str:
        """What the operator wrote."""
        return self._address

    @property
    def status(self) -> LinkStatus:
        """The state now."""
        return self._status

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after every change of `status`."""
        self._callbacks.append(callback)

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes received and sent, over all connections so far; see `SshConnection.traffic` for where they are not known."""
        received, sent = self._earlier
        if self._connection is not None:
            now = self._connection.traffic()
            received, sent = received + now[0], sent + now[1]
        return received, sent

    # --- life ------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect; returns at once. A second call does nothing."""
        if self._task is None and not self._closed:
            self._task = asyncio.create_task(self._keep(), name=f"link to {self._host}")

    async def close(self) -> None:
        """End the connection and the task. Safe to call twice."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.gather(*self._closing, return_exceptions=True)
            self._become(LinkState.LOST, Problem(f"{line(self._host, 100)}: the link is closed"))

    async def wait_settled(self, timeout: float) -> LinkStatus:
        """Wait until the state is no longer `connecting`, at most `timeout` seconds; return it."""
        try:
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        except TimeoutError:
            return self._status
        return self._status

    def retry_now(self) -> None:
        """Try again without waiting; in `refused` also ask again what was answered with no."""
        if self._status.state is LinkState.REFUSED:
            self._questions.ask_again()
        self._backoff.reset()
        self._wake.set()

    async def _keep(self) -> None:
        """Connect, watch, and connect again until cancelled."""
        while True:
            self._become(LinkState.CONNECTING, self._status.problem)
            refused = False
            try:
                await self._connect()
                problem = await self._watch()
            except LinkError as error:
                problem, refused = error.problem, error.refused
            except Exception as error:  # noqa: BLE001 - a fault of the library: shown, logged and tried again
                _log.exception("link to %s", self._host)
                problem = Problem(f"{line(self._host, 100)}: {type(error).__name__}: {words(error)}", "see the log")
            if refused:
                await self._wait_for_operator(problem)
            else:
                await self._pause(problem)

    async def _connect(self) -> None:
        config = default_ssh_config() if self._ssh_config is None else self._ssh_config
        plan = Plan(self._host, self._address, self._identity, self._known_hosts, self._jump, config)
        hops = await asyncio.to_thread(resolve, plan)
        chain = await open_chain(hops, self._asker, self._questions)
        self._connection = SshConnection(chain, self._host)

    async def _watch(self) -> Problem:
        """Hold a connection until it is lost; return why."""
        connection = self._connection
        assert connection is not None  # noqa: S101 - set just before
        up_since = asyncio.get_running_loop().time()
        try:
            self._become(LinkState.UP)
            problem = await connection.wait_lost()
            self._become(LinkState.LOST, problem)  # at once: closing may take a moment
            return problem
        finally:
            self._backoff.was_up(asyncio.get_running_loop().time() - up_since)
            self._connection = None
            # A task of its own: closing goes to its end even where this one is cancelled meanwhile.
            closing = asyncio.create_task(connection.close(), name=f"close {self._host}")
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            received, sent = connection.traffic()
            self._earlier = (self._earlier[0] + received, self._earlier[1] + sent)
            await asyncio.shield(closing)

    async def _pause(self, problem: Problem) -> None:
        """Be lost for as long as the backoff says, or until told to try."""
        self._wake.clear()
        delay = self._backoff.next()
        self._become(LinkState.LOST, problem, datetime.now(UTC) + timedelta(seconds=delay))
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _wait_for_operator(self, problem: Problem) -> None:
        self._wake.clear()
        self._become(LinkState.REFUSED, problem)
        await self._wake.wait()

    def _become(self, state: LinkState, problem: Problem | None = None, retry_at: datetime | None = None) -> None:
        old = self._status
        since = old.since if old.state is state else datetime.now(UTC)
        self._status = LinkStatus(state, problem, since, retry_at)
        if state is LinkState.CONNECTING:
            self._settled.clear()
        else:
            self._settled.set()
        if self._status != old:
            for callback in list(self._callbacks):
                try:
                    callback()
                except Exception:  # noqa: BLE001 - a listener's fault must not end the link
                    _log.exception("a listener of the link to %s", self._host)

    # --- what it carries -------------------------------------------------------------------------------------------------

    def _live(self) -> SshConnection:
        if self._connection is None or self._status.state is not LinkState.UP:
            problem = self._status.problem or Problem(f"{line(self._host, 100)}: not connected yet")
            raise LinkError(problem, refused=self._status.state is LinkState.REFUSED)
        return self._connection

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 4_000_000) -> CommandResult:
        """Run a command; at most four at a time, the others wait for their turn within their own time limit."""
        return await self._live().commands.run(argv, timeout=timeout, stdin=stdin, limit=limit)

    async def reach_unix(self, path: str) -> Endpoint:
        """Return a local UNIX socket that leads to `path` on the host and keeps its last name, in a folder of its own."""
        return await self._live().forwards.unix(path)

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        """Return a local UNIX socket, called `.s.PGSQL.PORT`, that leads to a TCP address as seen from the host."""
        return await self._live().forwards.tcp(host, port)
