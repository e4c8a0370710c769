"""The libvirt source: opens read-only through the link, reads in a thread of its own, drops the connection on any failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.libvirt import LibvirtReading, VmSnapshot
from debugtui.model.logs import LogLine
from debugtui.model.source import Kind, Problem
from debugtui.model.text import clean, line
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt.dial import Way, dial
from debugtui.sources.libvirt.domain_xml import facts_of
from debugtui.sources.libvirt.words import version_of
from debugtui.sources.libvirt.worker import Worker

if TYPE_CHECKING:
    from debugtui.sources.libvirt.reader import Reader

T = TypeVar("T")

#: Seconds for opening, for one ordinary read, and for one with the slow parts.
OPEN_LIMIT, READ_LIMIT, FULL_LIMIT = 5.0, 5.0, 15.0
#: Bytes of a serial console that are read at first, and at most at once.
CONSOLE_TAIL = 200_000
CONSOLE_STEP = 1_000_000
CONSOLE_PAUSE = 1.0

MISSING = Problem(
    "libvirt-python is not installed", "apt install libvirt-dev pkg-config gcc, then pip install 'debugtui[libvirt]'"
)


@dataclass(frozen=True, slots=True)
class _About:
    hostname: str
    libvirt_version: str
    hypervisor: str
    cpus: int
    memory_total_bytes: int


class LibvirtSource:
    """One hypervisor, read only."""

    kind = Kind.LIBVIRT
    name = "libvirt"
    has_rates = True

    def __init__(self, link: Link, uri: str) -> None:
        """Read `uri`, as seen from the link's host."""
        self._link = link
        self._uri = uri
        self._worker = Worker()
        self._reader: Reader | None = None
        self._about: _About | None = None

    async def read(self, *, full: bool) -> LibvirtReading:
        """Read now; `full` reads snapshots, networks and pools too.

        Raises:
            SourceError: libvirt does not answer, or is not there.
            LinkError: the link is not up.
        """
        try:
            reader = self._reader or await self._open()
            vms, gaps = await self._ask(lambda: reader.read(full=full), FULL_LIMIT if full else READ_LIMIT)
            free = await self._ask(lambda: _free_memory(reader.connection), READ_LIMIT)
        except BaseException:
            await self._drop()
            raise
        about = self._about
        assert about is not None  # noqa: S101 - set by _open
        return LibvirtReading(
            taken_at=datetime.now(UTC),
            uri=line(self._uri, 300),
            hostname=about.hostname,
            libvirt_version=about.libvirt_version,
            hypervisor=about.hypervisor,
            read_only=True,
            cpus=about.cpus,
            memory_total_bytes=about.memory_total_bytes,
            memory_free_bytes=free,
            vms=vms,
            networks=reader.networks,
            pools=reader.pools,
            gaps=gaps,
        )

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await self._drop()
        self._worker.stop()

    async def _open(self) -> Reader:
        way = await dial(self._link, self._uri)
        reader, about = await self._ask(lambda: _open(way), OPEN_LIMIT)
        self._reader, self._about = reader, about
        return reader

    async def _drop(self) -> None:
        """Close the connection; a close that hangs is left behind with its thread."""
        reader, self._reader = self._reader, None
        if reader is not None:
            try:
                await self._worker.call(lambda: _close(reader.connection), 1.0)
            except SourceError:
                self._worker.abandon()

    async def _ask(self, function: Callable[[], T], limit: float) -> T:
        try:
            return await self._worker.call(function, limit)
        except ModuleNotFoundError as error:
            raise SourceError(MISSING) from error
        except Exception as error:
            if type(error).__name__ != "libvirtError":  # the library may not be there to name its own class
                raise
            raise SourceError(_refusal(error)) from error

    # What detail screens ask for

    def _connected(self) -> Reader:
        if self._reader is None:
            raise SourceError(Problem("libvirt is not connected now"))
        return self._reader

    async def domain_xml(self, uuid: str, *, inactive: bool = False) -> str:
        """Return a domain's XML, cleaned; secrets are never asked for.

        Args:
            uuid: of the domain.
            inactive: what the next boot will use, instead of what runs.
        """
        reader = self._connected()
        xml = await self._ask(lambda: _xml(reader.connection, uuid, inactive), READ_LIMIT)
        return redact(clean(xml))

    async def snapshots(self, uuid: str) -> tuple[VmSnapshot, ...]:
        """Return a domain's snapshots now."""
        reader = self._connected()

        def ask() -> tuple[VmSnapshot, ...]:
            from debugtui.sources.libvirt.reader import snapshots_of

            return snapshots_of(reader.connection.lookupByUUIDString(uuid))

        return await self._ask(ask, READ_LIMIT)

    async def _console_path(self, uuid: str) -> str:
        path = facts_of(await self.domain_xml(uuid)).console_log
        if not path.startswith("/"):
            raise SourceError(
                Problem(
                    "this VM logs its serial console nowhere",
                    "give its <serial> a <log file='/var/log/libvirt/qemu/NAME-serial.log' append='on'/>",
                )
            )
        return path

    async def console_log(self, uuid: str, limit_bytes: int = CONSOLE_TAIL) -> tuple[str, list[LogLine]]:
        """Return where the serial console is logged on the host, and its last lines."""
        path = await self._console_path(uuid)
        _, text = await self._tail(path, -limit_bytes)
        return path, [LogLine(redact(line(row.rstrip(b"\r")))) for row in text.split(b"\n") if row]

    async def console_follow(self, uuid: str) -> AsyncIterator[list[LogLine]]:
        """Yield the serial console's lines as they come, for as long as it is asked."""
        path = await self._console_path(uuid)
        position, data = await self._tail(path, -CONSOLE_TAIL)
        rest = b""
        while True:
            *rows, rest = (rest + data).split(b"\n")
            if len(rest) > CONSOLE_STEP:
                rows, rest = [*rows, rest], b""
            if rows:
                yield [LogLine(redact(line(row.rstrip(b"\r")))) for row in rows]
            await asyncio.sleep(CONSOLE_PAUSE)
            position, data = await self._tail(path, position)

    async def _tail(self, path: str, position: int) -> tuple[int, bytes]:
        """Read a file of the host from `position` (negative: its last bytes); return where it ended, and the bytes."""
        size = await self._size(path)
        # A file smaller than before was cut or rotated: begin again.
        start = max(0, size + position) if position < 0 else position if size >= position else 0
        if size == start:
            return size, b""
        script = 'tail -c "+$2" -- "$1" | head -c "$3"'
        argv = ["sh", "-c", script, "sh", path, str(start + 1), str(CONSOLE_STEP)]
        done = await self._link.run(argv, timeout=READ_LIMIT, limit=CONSOLE_STEP)
        return start + len(done.stdout), done.stdout

    async def _size(self, path: str) -> int:
        done = await self._link.run(["stat", "-L", "-c", "%s", "--", path], timeout=READ_LIMIT, limit=4_096)
        if done.status != 0 or not done.stdout.strip().isdigit():
            says = line(done.stderr, 200) or f"cannot read {line(path, 200)}"
            raise SourceError(Problem(says, "the login user may not read the console's log on the host"))
        return int(done.stdout)


def _open(way: Way) -> tuple[Reader, _About]:
    import libvirt

    from debugtui.sources.libvirt.reader import Reader

    libvirt.registerErrorHandler(_silent, None)  # by default the C library writes to the terminal
    connection = libvirt.openReadOnly(way.uri)
    info = connection.getInfo()
    hypervisor = f"{connection.getType()} {_version(connection)}".strip()
    about = _About(
        hostname=line(connection.getHostname(), 200),
        libvirt_version=version_of(connection.getLibVersion()),
        hypervisor=line(hypervisor, 100),
        cpus=int(info[2]),
        memory_total_bytes=int(info[1]) << 20,
    )
    return Reader(connection), about


def _silent(_context: object, _error: object) -> None:
    """Say nothing: every error comes back as an exception too."""


def _version(connection: Any) -> str:
    number = connection.getVersion()
    return version_of(number) if number else ""


def _close(connection: Any) -> None:
    import libvirt

    try:
        connection.close()
    except libvirt.libvirtError:
        return  # it was broken already


def _free_memory(connection: Any) -> int | None:
    import libvirt

    try:
        return int(connection.getFreeMemory())
    except libvirt.libvirtError:
        return None  # the test driver and some hypervisors do not tell


def _xml(connection: Any, uuid: str, inactive: bool) -> str:
    import libvirt

    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
    return str(connection.lookupByUUIDString(uuid).XMLDesc(flags))


def _refusal(error: Exception) -> Problem:
    says = line(str(error), 300)
    if "ermission denied" in says or "authentication" in says:
        return Problem(says, "add the login user to the group libvirt")
    if "End of file" in says or "reset by peer" in says or "refused" in says or "Broken pipe" in says:
        return Problem(says, "libvirtd ended or restarts; it is tried again")
    return Problem(says)
