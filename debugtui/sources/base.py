"""What every source is."""

from __future__ import annotations

from typing import Protocol

from debugtui.model.source import Kind, Problem, Reading

#: No read of a source may take longer than this, in seconds; the sources' own limits are shorter.
READ_LIMIT_S = 20.0


class SourceError(Exception):
    """The whole source could not be read. `problem` is ready to show.

    Attributes:
        problem: what happened and how to mend it.
        absent: the service is not installed there at all (its socket does not exist); a source that the configuration does not
            name is then shown as off instead of lost.
    """

    def __init__(self, problem: Problem, *, absent: bool = False) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.absent = absent


class Source(Protocol):
    """One watched system on one host, read through the host's link.

    A source holds its client connection between reads, opens it when first read, and drops it on any failure so that the next
    read opens a new one. It never writes. It is used by one task at a time.
    """

    kind: Kind
    #: The name within the host: the kind itself, or the configured name where a host may have several.
    name: str
    #: True where rates need a second read (about a second later) before they are known.
    has_rates: bool
    #: Least seconds between two reads: 0 follows the operator's refresh; what costs the watched side something is slower.
    period_s: float
    #: No read may take longer than this, in seconds; `READ_LIMIT_S` but for what starts a browser.
    limit_s: float

    async def read(self, *, full: bool) -> Reading:
        """Read now.

        Args:
            full: also read the slow parts (statements, tables, disk use, snapshots...); otherwise the last ones are kept.

        Raises:
            SourceError: nothing could be read. What fails in part is a `Gap` of the reading instead.
            LinkError: the link is not up.
        """
        ...

    async def close(self) -> None:
        """Release the client connection, threads and tasks. Safe to call twice."""
        ...
