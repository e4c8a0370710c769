"""The source of one database's backups: the newest file of its patterns, looked at from both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from debugtui.hosts.link import Link
from debugtui.model.backup import BackupFile, BackupReading
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.backup import dump_files
from debugtui.sources.backup.dump_files import DumpFile, LookError, NotThereError
from debugtui.sources.backup.ending import look
from debugtui.sources.base import READ_LIMIT_S, SourceError

#: Seconds between two reads: backups come by the hour.
PERIOD_S = 60.0
#: A file that was written to so many seconds ago may be in the making: that it has no end yet says nothing.
MAKING_S = 120.0


class BackupSource:
    """Looks at the backups of one database. A file that did not change is not read again."""

    kind = Kind.BACKUP
    has_rates = False
    period_s = PERIOD_S
    limit_s = 2 * READ_LIMIT_S

    def __init__(self, link: Link, name: str, places: Sequence[str], rpo_s: float, *, clock: Clock | None = None) -> None:
        """Prepare.

        Args:
            link: the host's link.
            name: of the database.
            places: patterns of absolute paths on the host.
            rpo_s: the greatest age of the newest backup that is allowed, in seconds.
            clock: time.
        """
        self.name = name
        self._link, self._places, self._rpo = link, tuple(places), rpo_s
        self._clock = clock or SystemClock()
        self._known: tuple[tuple[str, str, int, float], BackupFile] | None = None

    async def close(self) -> None:
        """Nothing stays open between reads."""

    async def read(self, *, full: bool) -> BackupReading:
        """Read now. See `Source.read`."""
        at = self._clock.now()
        gaps: list[Gap] = []
        try:
            host_at = _moment(await dump_files.host_seconds(self._link))
            files, places, missing = await self._find()
            newest = await self._look(files[0], host_at, gaps) if files else None
        except LookError as error:
            hint = "the account of the link has to be able to read the folder and the files"
            raise SourceError(Problem(f"the backups of {self.name} cannot be looked at: {error}", hint)) from error
        return BackupReading(
            taken_at=at,
            host_at=host_at,
            database=self.name,
            places=self._places,
            rpo_s=self._rpo,
            newest=newest,
            previous_bytes=files[1].size if len(files) > 1 else None,
            count=sum(len(found) for found in places),
            total_bytes=sum(file.size for found in places for file in found),
            missing=() if files else tuple(missing),
            gaps=tuple(gaps),
        )

    async def _find(self) -> tuple[tuple[DumpFile, ...], list[tuple[DumpFile, ...]], list[str]]:
        """Return the files of the pattern that has the newest one, those of every pattern, and what is missing."""
        best: tuple[DumpFile, ...] = ()
        places: list[tuple[DumpFile, ...]] = []
        missing: list[str] = []
        for place in self._places:
            try:
                files = await dump_files.find_files(self._link, place)
            except NotThereError as error:
                missing.append(str(error))
                continue
            places.append(files)
            if not files:
                missing.append(f"no file matches {line(place, 200)}")
            elif not best or files[0].changed_at > best[0].changed_at:
                best = files
        return best, places, missing

    async def _look(self, file: DumpFile, host_at: datetime, gaps: list[Gap]) -> BackupFile:
        if self._known is not None and self._known[0] == file.identity:
            return self._known[1]
        path, changed = line(file.path, 300), _moment(file.changed_at)
        try:
            head, tail = await dump_files.head_of(self._link, file.path), await dump_files.tail_of(self._link, file.path)
        except LookError as error:
            gaps.append(Gap("what is in the newest file", Problem(str(error), "let the login read it")))
            return BackupFile(path, file.size, changed, says=str(error))
        found = look(head, tail)
        header = found.header
        begun = await dump_files.host_seconds(self._link, header.begun) if header is not None and header.begun else None
        seen = BackupFile(
            path=path,
            size_bytes=file.size,
            changed_at=changed,
            begun_at=_moment(begun) if begun is not None else None,
            form=header.form.value if header else "",
            database=line(header.database, 100) if header else "",
            server=line(header.server, 60) if header else "",
            whole=found.whole,
            says=found.says,
        )
        if not found.whole and (host_at - changed).total_seconds() < MAKING_S:
            return replace(seen, whole=None, says="it was written to just now: it may be in the making")
        self._known = (file.identity, seen)
        return seen


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise LookError("the host tells a time that cannot be") from None
