"""Runs commands on a connection: bounded in time on both ends, in output, and in number."""

from __future__ import annotations

import asyncio
import math
import shlex
import signal
from collections.abc import Sequence
from typing import Any, TypeAlias

import asyncssh

from debugtui.hosts.gate import SessionGate
from debugtui.hosts.link import CommandResult, CommandTimeoutError, LinkError
from debugtui.hosts.output import Output
from debugtui.hosts.problems import words
from debugtui.model.source import Problem
from debugtui.model.text import line

_Opened: TypeAlias = tuple[asyncssh.SSHClientChannel[bytes], asyncssh.SSHClientSession[bytes]]

#: Seconds for which a refused session is asked for again where no other command of ours runs.
LINGER_S = 2.0
#: Seconds that finding out about the host's `timeout` may take before commands go without it.
PROBE_LIMIT = 5.0

# Which time limiter the host has: GNU's and newer busybox' know -k (a second, deadly signal), older ones do not.
_PROBE = "if timeout -k 1 5 true; then echo kill; elif timeout 5 true; then echo term; fi 2>/dev/null"

# What `timeout` leaves when it ended the command: 124, or the shell's or sshd's word for TERM and KILL.
_ENDED_BY_LIMIT = frozenset({124, 137, 143, -signal.SIGTERM, -signal.SIGKILL})


class SessionRefusedError(Exception):
    """The host opened no session; the text is its reason."""


class CommandSession(asyncssh.SSHClientSession[bytes]):
    """One running command: keeps what it writes, up to the limit, and how it ended."""

    def __init__(self, limit: int) -> None:
        self.stdout = Output(limit)
        self.stderr = Output(limit)
        self.status: int | None = None
        self.ended = asyncio.Event()
        self.lost: Exception | None = None

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Take output; what is over the limit is dropped at once."""
        (self.stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self.stdout).add(data)

    def exit_status_received(self, status: int) -> None:
        """It ended by itself."""
        self.status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """It was ended by a signal."""
        self.status = signal_status(signal)

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel closed."""
        self.lost = exc
        self.ended.set()


def signal_status(name: str) -> int:
    """Return the negative number of a signal that the host names `TERM`; -128 for a name that this machine does not know."""
    try:
        return -signal.Signals[f"SIG{name}"].value
    except KeyError:
        return -128


class Commands:
    """Commands on one connection."""

    def __init__(self, connection: asyncssh.SSHClientConnection, host: str) -> None:
        self._connection = connection
        self._host = line(host, 100)
        self._gate = SessionGate()
        self._limiter: asyncio.Task[str] | None = None
        self._opening: set[asyncio.Task[_Opened]] = set()

    def start(self) -> None:
        """Begin to find out which time limiter the host has; the first command waits for the answer."""
        self._limiter = asyncio.create_task(self._find_limiter(), name=f"find timeout of {self._host}")

    async def close(self) -> None:
        """Wait for what runs on its own; the connection is closed, so it ends at once."""
        tasks: list[asyncio.Task[Any]] = [*self._opening]
        if self._limiter is not None:
            tasks.append(self._limiter)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes, limit: int) -> CommandResult:
        """Run a command; see `Link.run`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        try:
            async with asyncio.timeout(timeout):
                limiter = await asyncio.shield(self._limiter) if self._limiter is not None else ""
                result = await self._in_turn(argv, limiter, end, stdin, limit)
        except TimeoutError:
            raise self._too_slow(argv, timeout) from None
        if limiter and result.status in _ENDED_BY_LIMIT and loop.time() >= end - 0.1:
            raise self._too_slow(argv, timeout)
        return result

    def _too_slow(self, argv: Sequence[str], timeout: float) -> CommandTimeoutError:
        return CommandTimeoutError(
            Problem(f"{line(argv[0], 100)} on {self._host} did not end within {timeout:g} s", "is the host overloaded?")
        )

    async def _in_turn(self, argv: Sequence[str], limiter: str, end: float, stdin: bytes, limit: int) -> CommandResult:
        clock = asyncio.get_running_loop().time
        patience: float | None = None
        while True:
            async with self._gate.turn():
                left = max(1, math.ceil(end - clock()))
                try:
                    return await self._once(_command(argv, limiter, left), stdin, limit)
                except SessionRefusedError as error:
                    if self._gate.shrink():
                        continue
                    # sshd gives up the session of a command that has just ended a moment later, on a busy host some moments.
                    patience = patience if patience is not None else min(clock() + LINGER_S, end)
                    if clock() < patience:
                        await asyncio.sleep(0.1)
                        continue
                    raise LinkError(
                        Problem(
                            f"{self._host} opens no session for a command: {error}",
                            "raise MaxSessions in its sshd_config, and look for no ForceCommand or restrict on the key",
                        )
                    ) from error

    async def _once(self, command: str, stdin: bytes, limit: int) -> CommandResult:
        session = CommandSession(limit)
        channel = await self._open(session, command)
        try:
            if stdin:
                channel.write(stdin)
            channel.write_eof()
            await session.ended.wait()
        finally:
            if not session.ended.is_set():
                # sshd passes the signal on for ordinary users only; the limiter on the host ends the rest.
                channel.terminate()
                channel.abort()
        if session.status is None:
            raise LinkError(
                Problem(
                    f"the connection to {self._host} was lost while a command ran there"
                    + (f": {words(session.lost)}" if session.lost else ""),
                    "whether the command ended is not known",
                )
            )
        truncated = session.stdout.truncated or session.stderr.truncated
        return CommandResult(session.status, bytes(session.stdout), bytes(session.stderr), truncated)

    async def _open(self, session: CommandSession, command: str) -> asyncssh.SSHClientChannel[bytes]:
        """Open a session. Whoever gives up waiting leaves none behind: it is closed as soon as the host has opened it."""
        opening = asyncio.ensure_future(
            self._connection.create_session(
                lambda: session, command, request_pty=False, env=None, send_env=None, x11_forwarding=False, encoding=None
            )
        )
        try:
            channel, _ = await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._opening.add(opening)
            opening.add_done_callback(self._abandon)
            raise
        except asyncssh.ChannelOpenError as error:
            if self._connection.is_closed():
                raise LinkError(Problem(f"the connection to {self._host} was lost: {words(error)}")) from error
            raise SessionRefusedError(words(error)) from error
        except (asyncssh.Error, OSError) as error:
            raise LinkError(Problem(f"no command can be started on {self._host}: {words(error)}")) from error
        return channel

    def _abandon(self, opening: asyncio.Task[_Opened]) -> None:
        self._opening.discard(opening)
        if not opening.cancelled() and opening.exception() is None:
            opening.result()[0].abort()

    async def _find_limiter(self) -> str:
        """Return the words before a command that limit its time, `{}` for the seconds; empty where the host has none."""
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                async with self._gate.turn():
                    result = await self._once(shlex.join(["sh", "-c", _PROBE]), b"", 100)
        except (LinkError, SessionRefusedError, TimeoutError):
            return ""  # commands themselves will say what is wrong; the limit on this end holds for them
        return {b"kill": "timeout -k 2 {}", b"term": "timeout {}"}.get(result.stdout.strip(), "")


def _command(argv: Sequence[str], limiter: str, seconds: int) -> str:
    """Quote a command for the user's shell on the host; `exec` lets the command's own signal reach sshd."""
    if not argv or any("\0" in part for part in argv):
        raise LinkError(Problem("a command needs a program, and its arguments may not hold NUL"))
    prefix = f"{limiter.format(seconds)} " if limiter else ""
    return f"exec {prefix}{shlex.join(argv)}"
