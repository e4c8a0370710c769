"""The log of a container, as its engine keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Protocol

from debugtui.model.logs import LogLine
from debugtui.model.target import Target
from debugtui.sources.logs.following import inside
from debugtui.sources.logs.origin import Batch
from debugtui.sources.logs.overlap import Overlap


class ContainerLogs(Protocol):
    """What gives the log of a container; see `DockerSource.logs`."""

    def logs(
        self, container_id: str, *, tail: int | None, since: datetime | None = None, follow: bool = False
    ) -> AsyncIterator[list[LogLine]]:
        """Yield a container's log in batches."""
        ...


class DockerOrigin:
    """One container, by its name: one that was made anew is found again."""

    kind = "docker"

    def __init__(self, source: ContainerLogs, target: Target) -> None:
        """Read the log of the container that `target` names."""
        self._source = source
        self.target = target
        self.title = target.name

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        """Yield its lines; see `LogOrigin.lines`."""
        overlap = Overlap()
        async for batch in self._source.logs(self.target.name, tail=tail, since=since, follow=False):
            kept = inside(batch, None, until)
            if kept:
                overlap.fresh(kept)
                yield kept
            if until is not None and batch and batch[-1].at is not None and batch[-1].at > until:
                return
        if not follow:
            return
        yield []
        # The engine does not tell where what was there ends: it is asked a second time, from a little before that on.
        again = overlap.again() or since or datetime.now(UTC)
        async for batch in self._source.logs(self.target.name, tail=None, since=again, follow=True):
            fresh = inside(overlap.fresh(batch), None, until)
            if fresh:
                yield fresh
