"""The source of one host's journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from debugtui.hosts.link import CommandResult, Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.journal import JournalReading
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import decode, line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.journal.entries import Entry, entries
from debugtui.sources.journal.past import BEFORE_S, WINDOW_S, Past
from debugtui.sources.journal.script import BYTES, COMMAND, LINES, SECONDS

#: Seconds between two reads, and for one.
PERIOD_S, LIMIT_S = 10.0, 18.0
#: Lines are asked for once more from so many seconds before the last read: the host's clock tells whole seconds.
OVERLAP_S = 3.0
_GROUP_HINT = "on the host: usermod -aG systemd-journal USER, then connect again"
_PART = ("kernel", "changes", "errors")


class _Answer(NamedTuple):
    """What one run of the script found."""

    host_at: datetime
    since: datetime
    parts: dict[str, list[Entry]]
    cut: frozenset[str]
    late: frozenset[str]


class JournalSource:
    """Reads the error lines, the kernel's complaints and the changes of units, each time only what is new."""

    kind = Kind.JOURNAL
    name = "journal"
    has_rates = False
    period_s = PERIOD_S
    limit_s = READ_LIMIT_S

    def __init__(
        self,
        link: Link,
        directory: str = "",
        *,
        configured: bool = True,
        containers: Callable[[], Mapping[str, str]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Prepare.

        Args:
            link: the host's link.
            directory: of journal files; empty: the host's own journal.
            configured: the configuration names it, so that a journal that may not be read is a fault.
            containers: tells the names of containers by the first twelve letters of their ids.
            clock: time.
        """
        self._link, self._directory, self._configured = link, directory, configured
        self._containers = containers or dict
        self._clock = clock or SystemClock()
        self._past = Past()
        self._next_since: datetime | None = None
        self._oldest: datetime | None = None
        self._booted: datetime | None = None

    async def close(self) -> None:
        """Nothing stays open between reads."""

    async def read(self, *, full: bool) -> JournalReading:
        """Read now. See `Source.read`."""
        at = self._clock.now()
        full = full or self._next_since is None
        since = f"-{WINDOW_S + BEFORE_S:.0f}" if self._next_since is None else f"{self._next_since.timestamp():.0f}"
        argv = [*COMMAND, self._directory, since, "full" if full else "fast"]
        done = await self._link.run(argv, timeout=LIMIT_S, limit=4 * BYTES)
        self._require_journal(done)
        says = decode(done.stderr)
        if "insufficient permissions" in says or "not seeing messages from other users" in says:
            return self._closed(at, says)
        answer = await asyncio.to_thread(_parse, done)
        if answer is None:
            raise SourceError(self._problem(says, "the answer of journalctl has another form"))
        if full and not answer.parts["newest"] and not answer.late:
            raise self._empty()
        return await asyncio.to_thread(self._take, at, answer, says)

    def _empty(self) -> SourceError:
        hint = 'Storage=persistent in journald.conf, or journal = "/path" of the files'
        return SourceError(
            Problem(f"no journal on {line(self._link.host, 100)}: no journal files were found", hint), absent=True
        )

    def _require_journal(self, done: CommandResult) -> None:
        """Refuse where there is no journal at all."""
        where, says = f"no journal on {line(self._link.host, 100)}", decode(done.stderr)
        if done.stdout.startswith(b"==absent"):
            raise SourceError(Problem(f"{where}: there is no journalctl", "journal = false, or install systemd"), absent=True)
        if b"==end" not in done.stdout and done.status in (126, 127):
            raise SourceError(Problem(f"{where}: {line(says, 200)}", "the login needs a POSIX shell"), absent=True)
        if "No journal files were found" in says:
            raise self._empty()
        for sign, hint in (
            ("Failed to open", 'journal = "/path" names a directory of journal files on the host'),
            ("unrecognized option", "systemd 237 or newer is needed there"),
        ):
            if sign in says and b"==errors\n{" not in done.stdout:
                raise SourceError(self._problem(says, sign, hint))
        if b"==end" not in done.stdout:
            raise SourceError(self._problem(says, f"exit status {done.status}"))

    @staticmethod
    def _problem(says: str, otherwise: str, hint: str = "") -> Problem:
        row = next((row for row in says.splitlines() if otherwise in row), "") or says.strip().partition("\n")[0]
        return Problem(f"journalctl: {line(row, 200) or otherwise}", hint)

    def _closed(self, at: datetime, says: str) -> JournalReading:
        """Return what is known where the lines of the system may not be read: nothing, and why."""
        what = "no journal file may be opened" if "insufficient" in says else "only the login's own lines may be read"
        problem = Problem(f"the journal of {line(self._link.host, 100)} is closed: {what}", _GROUP_HINT)
        if self._configured:
            raise SourceError(problem)
        return JournalReading(at, at, self._directory, gaps=(Gap("system messages", problem),))

    def _take(self, at: datetime, answer: _Answer, says: str) -> JournalReading:
        """Add what is new, and count. Runs in a thread; one read at a time."""
        past, now = self._past, answer.host_at
        if self._next_since is not None and now < self._next_since - timedelta(seconds=60):
            past = self._past = Past()  # the host's clock was put back
        for name in _PART:
            past.add(answer.parts[name])
        begin = answer.since
        missed = "errors" in answer.cut | answer.late
        if missed:
            begin = answer.parts["errors"][-1].at if answer.parts["errors"] else now
        if past.known_from is None or missed:
            past.known_from = begin
        past.forget(now)
        self._look_around(answer)
        self._next_since = now - timedelta(seconds=OVERLAP_S)
        lines, before, units = past.counted(now, self._oldest)
        return JournalReading(
            taken_at=at,
            host_at=now,
            directory=self._directory,
            # Where none came before the time was up, none that was read says nothing.
            lines=None if "errors" in answer.late and not answer.parts["errors"] else lines,
            before=before,
            units=units,
            oom_kills=past.kills(self._containers()),
            faults=past.faults(),
            events=past.events(),
            booted_at=self._booted,
            oldest_at=self._oldest,
            limited=past.known_from > now - timedelta(seconds=WINDOW_S),
            gaps=tuple(_gaps(answer, says)),
        )

    def _look_around(self, answer: _Answer) -> None:
        oldest, newest = answer.parts["oldest"], answer.parts["newest"]
        if oldest:
            self._oldest = oldest[0].at
        if newest and newest[0].monotonic_s is not None:
            self._booted = newest[0].at - timedelta(seconds=newest[0].monotonic_s)


def _parse(done: CommandResult) -> _Answer | None:
    """Split the answer of the script; None where it has another form. Runs in a thread."""
    sections: dict[str, list[str]] = {}
    rows: list[str] = []
    for row in decode(done.stdout).splitlines():
        if row.startswith("=="):
            rows = sections.setdefault(row[2:].strip(), [])
        else:
            rows.append(row)
    stamps = " ".join(sections.get("now", ())).split()
    if len(stamps) != 2 or not all(stamp.isdigit() and len(stamp) < 12 for stamp in stamps):
        return None
    parts = {name: list(entries("\n".join(sections.get(name, ())))) for name in ("oldest", "newest", *_PART)}
    cut = {name for name in _PART if len(sections.get(name, ())) >= LINES or _size(sections.get(name, ())) >= BYTES - 1}
    now, since = (datetime.fromtimestamp(int(stamp), UTC) for stamp in stamps)
    late = {name for name in _PART if f"==late {name}" in decode(done.stderr)}
    return _Answer(now, since, parts, frozenset(cut), frozenset(late))


def _size(rows: list[str] | tuple[str, ...]) -> int:
    return sum(len(row.encode()) + 1 for row in rows)


def _gaps(answer: _Answer, says: str) -> list[Gap]:
    found = []
    if "errors" in answer.cut:
        says_more = f"more than {len(answer.parts['errors'])} error lines came at once: the counts are at least"
        found.append(Gap("every error line", Problem(says_more)))
    for part in sorted(answer.late):
        late = Problem(f"journalctl did not search the {part} within {SECONDS} s", "the journal is large, or the disk is slow")
        found.append(Gap(f"{part} lines", late))
    for sign, feature, hint in (
        ("corrupted", "damaged files", "journalctl --verify on the host names them"),
        ("Permission denied", "some files", _GROUP_HINT),
        ("pattern matching", "crashes and control groups", "systemd was built there without PCRE2"),
    ):
        row = next((row for row in says.splitlines() if sign in row), "")
        if row:
            found.append(Gap(feature, Problem(f"journalctl: {line(row, 200)}", hint)))
    return found
