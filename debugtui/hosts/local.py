"""The link to this very machine: nothing to connect, the same promises about commands and sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import os
import pwd
import signal
import socket
import stat
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from debugtui.hosts import sockets
from debugtui.hosts.gate import SessionGate
from debugtui.hosts.link import CommandResult, CommandTimeoutError, Endpoint, LinkError
from debugtui.hosts.output import Output
from debugtui.model.source import LinkState, LinkStatus, Problem
from debugtui.model.text import line

#: Seconds between the polite and the deadly signal to a command that took too long.
KILL_AFTER = 2.0

#: Seconds that a trial of a socket or port may take.
PROBE_LIMIT = 5.0


class LocalLink:
    """This machine; see `Link`. It is up from the start until it is closed."""

    def __init__(self, host: str, address: str = "local") -> None:
        self._host = host
        self._address = address
        self._status = LinkStatus(LinkState.UP, since=datetime.now(UTC))
        self._callbacks: list[Callable[[], None]] = []
        self._gate = SessionGate()

    @property
    def host(self) -> str:
        """The configured name of the host."""
        return self._host

    @property
    def address(self) -> str:
        """`local`."""
        return self._address

    @property
    def status(self) -> LinkStatus:
        """Up, or lost once closed."""
        return self._status

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` when it is closed: nothing else ever changes."""
        self._callbacks.append(callback)

    async def start(self) -> None:
        """Nothing to start."""

    async def close(self) -> None:
        """Refuse what comes later. Safe to call twice."""
        if self._status.state is LinkState.UP:
            self._status = LinkStatus(
                LinkState.LOST, Problem(f"{line(self._host, 100)}: the link is closed"), datetime.now(UTC)
            )
            for callback in list(self._callbacks):
                callback()

    async def wait_settled(self, timeout: float) -> LinkStatus:
        """Return the state; it is always settled."""
        return self._status

    def retry_now(self) -> None:
        """Nothing to try."""

    @property
    def traffic(self) -> tuple[int, int]:
        """(0, 0): nothing leaves the machine."""
        return (0, 0)

    def _check_open(self) -> None:
        if self._status.problem is not None:
            raise LinkError(self._status.problem)

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 4_000_000) -> CommandResult:
        """Run a command in a process group of its own, which ends with it; see `Link.run`.

        A program that does not exist or may not be run gives status 127 or 126, as it does over SSH.
        """
        self._check_open()
        if not argv or any("\0" in part for part in argv):
            raise LinkError(Problem("a command needs a program, and its arguments may not hold NUL"))
        try:
            async with asyncio.timeout(timeout), self._gate.turn():
                return await _run(argv, stdin, limit)
        except TimeoutError:
            raise CommandTimeoutError(
                Problem(
                    f"{line(argv[0], 100)} on {line(self._host, 100)} did not end within {timeout:g} s",
                    "is the host overloaded?",
                )
            ) from None

    async def reach_unix(self, path: str) -> Endpoint:
        """Return the path itself, after trying it."""
        self._check_open()
        if not path.startswith("/") or "\0" in path:
            raise LinkError(Problem(f"{line(path, 200)!r} is not an absolute path of a socket", "correct the configuration"))
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                _, writer = await asyncio.open_unix_connection(path)
        except (OSError, TimeoutError) as error:
            finding = await asyncio.to_thread(_find_out, Path(path), error)
            raise sockets.problem(self._host, path, finding, _words(error)) from error
        writer.transport.abort()
        return Endpoint(path=path)

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        """Return the address itself, after trying it."""
        self._check_open()
        try:
            async with asyncio.timeout(PROBE_LIMIT):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError) as error:
            where = line(f"{host}:{port}", 200)
            said = _words(error)
            raise LinkError(
                Problem(
                    f"{where} cannot be reached from {line(self._host, 100)}: {said}",
                    "is the service running, and listening on that address?",
                )
            ) from error
        writer.transport.abort()
        return Endpoint(host=host, port=port)


def _words(error: OSError | TimeoutError) -> str:
    """The system's words; asyncio's own text would repeat the address instead."""
    if isinstance(error, socket.gaierror):
        return line(error.strerror or "the name is not found", 200)
    return os.strerror(error.errno) if error.errno else line(str(error), 200) or "no answer"


def _find_out(path: Path, error: OSError | TimeoutError) -> sockets.Finding:
    """Why a socket of this machine cannot be used. Blocks."""
    user = _user_name(os.geteuid())
    verdict = {
        errno.ENOENT: sockets.Verdict.MISSING,
        errno.ENOTDIR: sockets.Verdict.MISSING,
        errno.EACCES: sockets.Verdict.DENIED,
        errno.EPERM: sockets.Verdict.DENIED,
        errno.ECONNREFUSED: sockets.Verdict.SILENT,
        errno.ENOTSOCK: sockets.Verdict.NOT_A_SOCKET,
    }.get(error.errno or 0, sockets.Verdict.UNKNOWN)
    culprit = path
    for folder in reversed(path.parents):
        if verdict is sockets.Verdict.DENIED and folder.exists() and not os.access(folder, os.X_OK):
            culprit = folder
            break
    try:
        status = culprit.stat()
    except OSError:
        return sockets.Finding(verdict, str(path), user=user)
    if verdict is sockets.Verdict.SILENT and not stat.S_ISSOCK(status.st_mode):
        verdict = sockets.Verdict.NOT_A_SOCKET  # Linux says "connection refused" for a plain file
    return sockets.Finding(verdict, line(str(culprit), 200), *_owners(status), stat.filemode(status.st_mode), user)


def _owners(status: os.stat_result) -> tuple[str, str]:
    try:
        group = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        group = str(status.st_gid)
    return _user_name(status.st_uid), group


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class _Process(asyncio.SubprocessProtocol):
    """Keeps what a command writes, up to the limit, and knows when it and its pipes have ended."""

    def __init__(self, limit: int) -> None:
        self.outputs = {1: Output(limit), 2: Output(limit)}
        self.ended = asyncio.Event()
        self._open = {1, 2}
        self._exited = False

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.outputs[fd].add(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        self._check()

    def process_exited(self) -> None:
        self._exited = True
        self._check()

    def _check(self) -> None:
        if self._exited and not self._open:
            self.ended.set()


async def _run(argv: Sequence[str], stdin: bytes, limit: int) -> CommandResult:
    loop = asyncio.get_running_loop()
    try:
        transport, process = await loop.subprocess_exec(
            lambda: _Process(limit),
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        code = 126 if isinstance(error, PermissionError) else 127
        return CommandResult(code, b"", f"{argv[0]}: {error.strerror}".encode(errors="replace"))
    try:
        if stdin:
            pipe = transport.get_pipe_transport(0)
            assert isinstance(pipe, asyncio.WriteTransport)  # noqa: S101 - asked for above
            pipe.write(stdin)
            pipe.write_eof()
        await process.ended.wait()
    except asyncio.CancelledError:
        await _end_group(transport, process)
        raise
    finally:
        transport.close()
    status = transport.get_returncode()
    if status is None:
        raise LinkError(Problem(f"{line(argv[0], 100)}: its end could not be read"))
    truncated = any(output.truncated for output in process.outputs.values())
    return CommandResult(status, bytes(process.outputs[1]), bytes(process.outputs[2]), truncated)


async def _end_group(transport: asyncio.SubprocessTransport, process: _Process) -> None:
    """End a command and everything it started: politely, then not."""
    pid = transport.get_pid()
    for sign, patience in ((signal.SIGTERM, KILL_AFTER), (signal.SIGKILL, 1.0)):
        try:
            os.killpg(pid, sign)
        except ProcessLookupError:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await process.ended.wait()
                return
