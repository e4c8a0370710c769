"""What every origin of log lines is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from debugtui.model.logs import LogLine
from debugtui.model.target import Target

#: Lines in a row. An empty one says that what was there has been read: what follows comes as it is written.
Batch = Sequence[LogLine]

#: Most lines of a batch.
BATCH = 2_000

#: Seconds that reaching an origin may take.
CONNECT_S = 6.0

#: Seconds between two looks at what is not told of by itself. All look at the same moments, so that one command does for all.
PACE_S = 0.7


class LogOrigin(Protocol):
    """One log: of a container, of a unit, of an nginx, of a PostgreSQL, of a Loki.

    It is read only. Each call of `lines` stands on its own; what it opens ends with its iterator, also when that is cancelled.
    """

    #: `docker`, `journal`, `nginx`, `postgres`, `loki`.
    kind: str
    #: What it belongs to.
    target: Target
    #: What it is called beside its lines: short, and unlike the others of its host.
    title: str

    def lines(self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool) -> AsyncIterator[Batch]:
        """Yield its lines, oldest first, cleaned and redacted; a line without a time has that of the one before.

        Args:
            since: only lines from this time on (UTC).
            until: only lines before this time.
            tail: at most so many lines of what is there already, the newest; None: all.
            follow: go on with what comes.

        Raises:
            SourceError: it cannot be read, or no longer.
            LinkError: the link is not up.
        """
        ...
