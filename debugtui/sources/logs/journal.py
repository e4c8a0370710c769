"""The journal of systemd: of a whole host, of one unit, or of a directory of journal files."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from debugtui.config.redaction import redact
from debugtui.hosts.link import Link
from debugtui.model.logs import Level, LogLine
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import decode, line
from debugtui.sources.base import SourceError
from debugtui.sources.loglines import KeyVeil
from debugtui.sources.logs.following import LARGE, batches, inside
from debugtui.sources.logs.origin import PACE_S, Batch

#: Seconds for one command, and bytes that it may bring; what is more comes with the next one.
LIMIT_S, STEP = 15.0, 2_000_000
#: journalctl leaves out a message of more than 4 kB: so many of one answer are asked for by themselves, up to so many bytes.
LONG, LONG_BYTES = 5, 20_000

_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,SYSLOG_PID,_SYSTEMD_UNIT,UNIT"
# `head` ends journalctl where there is more than we take: the next command begins behind the last whole entry.
_SCRIPT = 'most=$1; shift; LC_ALL=C journalctl --no-pager "$@" | head -c "$most"'
_LEVELS = (*(Level.ERROR,) * 4, Level.WARNING, Level.INFO, Level.INFO, Level.DEBUG)
_CURSOR = re.compile(r"[\w=;+/-]{1,400}", re.ASCII)
_ABSENT = re.compile(r"journalctl: (?:command )?not found|No journal files were found", re.IGNORECASE)
_FAILED = re.compile(r"No such file or directory|insufficient permissions|Failed to [a-z ]+", re.IGNORECASE)
_MAY = "on the host: put the login into the group systemd-journal"


class JournalOrigin:
    """The journal, or the entries of one unit."""

    kind = "journal"

    def __init__(self, link: Link, target: Target, *, directory: str = "", unit: str = "", named: bool = True) -> None:
        """Read a journal.

        Args:
            link: of the host.
            target: the journal, or the unit.
            directory: of journal files; empty: the host's own.
            unit: only of this unit; empty: all.
            named: the configuration names it, so that its absence is a fault.
        """
        self._link, self._unit, self._named = link, unit, named
        self._place = [f"--directory={directory}"] if directory else []
        self.target = target
        self.title = unit.removesuffix(".service") or "journal"

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        """Yield its lines; see `LogOrigin.lines`."""
        entries = _Entries(self._link, self._place, self._named)
        words = self._words(since, until, tail)
        begun = datetime.now(UTC)
        while True:
            found, more = await entries.read([*words, *entries.place])
            for batch in batches(inside(found, since, until)):
                yield batch
            if not more:
                break
        if not follow:
            return
        yield []
        loop = asyncio.get_running_loop()
        words = self._words(None, None, None)
        while True:
            # An empty journal has no cursor: until there is one, what is newer than the beginning is asked for.
            place = entries.place or [f"--since=@{int((since or begun).timestamp())}"]
            found, more = await entries.read([*words, *place])
            for batch in batches(inside(found, since, until)):
                yield batch
            if not more:
                await asyncio.sleep(PACE_S - loop.time() % PACE_S)

    def _words(self, since: datetime | None, until: datetime | None, tail: int | None) -> list[str]:
        words = ["-o", "json", f"--output-fields={_FIELDS}", *self._place]
        if self._unit:
            words.append(f"--unit={self._unit}")
        if since is not None:
            words.append(f"--since=@{int(since.timestamp())}")
        if until is not None:
            words.append(f"--until=@{int(until.timestamp()) + 1}")
        if tail is not None:
            words.append(f"--lines={max(0, tail)}")
        return words


class _Entries:
    """Reads entries on and on, from a cursor."""

    def __init__(self, link: Link, place: Sequence[str], named: bool) -> None:
        self._link, self._where, self._named = link, tuple(place), named
        self._cursor = ""
        self._veil = KeyVeil()
        self._told = False

    @property
    def place(self) -> list[str]:
        """What asks for the entries behind those that were read."""
        return [f"--after-cursor={self._cursor}"] if self._cursor else []

    async def read(self, words: Sequence[str]) -> tuple[list[LogLine], bool]:
        """Return the next lines, and whether there are more already."""
        argv = ["sh", "-c", _SCRIPT, "debugtui", str(STEP), *words]
        done = await self._link.run(argv, timeout=LIMIT_S, limit=STEP + 10_000)
        said = decode(done.stderr)
        if not done.stdout and (done.status or _ABSENT.search(said) or _FAILED.search(said)):
            last = line(said.strip().splitlines()[-1], 200) if said.strip() else f"exit status {done.status}"
            hint = _MAY if "ermission" in said else ""
            absent = not self._named and (bool(done.status) or _ABSENT.search(said) is not None)
            raise SourceError(Problem(f"no journal: {last}", hint), absent=absent)
        rows = done.stdout.split(b"\n")[:-1]
        more = len(done.stdout) >= STEP
        if more and not rows:
            raise SourceError(Problem(f"an entry of the journal is longer than {STEP} bytes"))
        parse = self._parse if len(done.stdout) < LARGE else None
        found = self._parse(rows) if parse else await asyncio.to_thread(self._parse, rows)
        lines = [await self._whole(one) for one in found] if any(isinstance(one, _Long) for one in found) else found
        lines = [one for one in lines if isinstance(one, LogLine)]
        if "not seeing messages from other users" in said and not self._told:
            self._told = True
            lines.insert(0, LogLine("… only this login's own entries: the group systemd-journal may read all", _first(lines)))
        return lines, more

    def _parse(self, rows: Sequence[bytes]) -> list[LogLine | _Long]:
        found: list[LogLine | _Long] = []
        long = 0
        for row in rows:
            try:
                entry = json.loads(row)
            except ValueError:
                continue  # journalctl's own words between the entries: `-- Boot ... --`
            if not isinstance(entry, dict):
                continue
            cursor = entry.get("__CURSOR")
            if isinstance(cursor, str) and _CURSOR.fullmatch(cursor):
                self._cursor = cursor
            if entry.get("MESSAGE", "") is None and long < LONG:
                long += 1
                found.append(_Long(entry, self._cursor))
            else:
                found.append(self._line(entry, _message(entry.get("MESSAGE"))))
        return found

    async def _whole(self, one: LogLine | _Long) -> LogLine:
        """Return the line of an entry whose message was left out, as far as it is kept."""
        if isinstance(one, LogLine):
            return one
        words = ["-o", "cat", "--output-fields=MESSAGE", "--all", "--lines=1", f"--cursor={one.cursor}", *self._where]
        done = await self._link.run(["sh", "-c", _SCRIPT, "debugtui", str(LONG_BYTES), *words], timeout=LIMIT_S)
        text = decode(done.stdout).rstrip("\n")
        return self._line(one.entry, f"{text}{' … (longer)' if len(done.stdout) >= LONG_BYTES else ''}")

    def _line(self, entry: Mapping[str, object], message: str) -> LogLine:
        name = _text(entry, "SYSLOG_IDENTIFIER") or _text(entry, "_COMM") or _text(entry, "_SYSTEMD_UNIT")
        pid = _text(entry, "_PID") or _text(entry, "SYSLOG_PID")
        head = f"{name}[{pid}]: " if name and pid else f"{name}: " if name else ""
        text = self._veil.hide(redact(line(f"{head}{message}")))
        priority = _text(entry, "PRIORITY")
        level = _LEVELS[int(priority)] if priority in ("0", "1", "2", "3", "4", "5", "6", "7") else Level.UNKNOWN
        return LogLine(text, _time(_text(entry, "__REALTIME_TIMESTAMP")), "", level)


class _Long:
    """An entry whose message is too long for journalctl to give it with the others."""

    __slots__ = ("cursor", "entry")

    def __init__(self, entry: Mapping[str, object], cursor: str) -> None:
        self.entry, self.cursor = entry, cursor


def _first(lines: Sequence[LogLine]) -> datetime | None:
    return lines[0].at if lines else datetime.now(UTC)


def _message(value: object) -> str:
    """Return a message as text: a text, the numbers of its bytes, several of them, or nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return "(a message of more than 4 kB, which journalctl does not give)"
    if isinstance(value, list):
        if all(isinstance(one, int) and 0 <= one < 256 for one in value):
            return decode(bytes(value))
        return " ".join(_message(one) for one in value if isinstance(one, (str, list)))
    return str(value)


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    if isinstance(value, list) and value:
        value = value[-1] if isinstance(value[-1], str) else _message(value)  # set several times, or bytes that are no text
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _time(text: str) -> datetime | None:
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(text))
