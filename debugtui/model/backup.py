"""The backups of one database, as far as a cheap look tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file.

    Attributes:
        path: on the host.
        size_bytes: of it.
        changed_at: when it was last written (UTC, by the host's clock).
        begun_at: when the dump began, as it says itself (UTC); None where it does not.
        form: `archive`, `plain SQL`; empty where it is neither, or could not be read.
        database: that it says it is of; empty where it does not.
        server: the server's version that it says it is from; empty where it does not.
        whole: whether it has the beginning and the end that pg_dump writes; None: not known.
        says: why it is not whole, or why that is not known; empty where it is.
    """

    path: str
    size_bytes: int
    changed_at: datetime
    begun_at: datetime | None = None
    form: str = ""
    database: str = ""
    server: str = ""
    whole: bool | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class BackupReading:
    """The backups of one database.

    Attributes:
        taken_at: when (UTC, our clock).
        host_at: what the host's clock said then (UTC).
        database: the configured name.
        places: the patterns that were looked at.
        rpo_s: the greatest age that is allowed, in seconds.
        newest: the newest file; None: there is none.
        previous_bytes: size of the one before it, of the same pattern; None: there is none.
        count, total_bytes: of every file that the patterns name.
        missing: why there is none, place by place; empty where there is one.
        gaps: what could not be read.
    """

    taken_at: datetime
    host_at: datetime
    database: str
    places: tuple[str, ...]
    rpo_s: float
    newest: BackupFile | None = None
    previous_bytes: int | None = None
    count: int = 0
    total_bytes: int = 0
    missing: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def age_s(self) -> float | None:
        """Age of what the newest one holds, in seconds: since the dump began; below 0 where the clocks were changed."""
        if self.newest is None:
            return None
        moments = [self.newest.changed_at, *([self.newest.begun_at] if self.newest.begun_at else [])]
        return (self.host_at - min(moments)).total_seconds()

    @property
    def size_change(self) -> float | None:
        """By what share the newest one differs from the one before, -1 and above; None where there is nothing to compare."""
        if self.newest is None or not self.previous_bytes:
            return None
        return (self.newest.size_bytes - self.previous_bytes) / self.previous_bytes
