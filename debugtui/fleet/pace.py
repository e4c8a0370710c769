"""How often a source is asked. Pure figures, so that the rules can be read and tested in one place."""

from __future__ import annotations

from dataclasses import dataclass

#: Reading may take at most this share of the time, whatever the operator's refresh says: a slow source is asked more seldom.
SHARE = 0.25
#: A source that nobody looks at is asked this many times more seldom; alerts still need it.
HIDDEN_FACTOR = 5.0
#: No source is asked more seldom than this while its link is up (seconds), however slow it is.
SLOWEST = 60.0
#: A source that fails is tried again at most this many seconds later, so that it heals on the screen within ten.
FAILING = 5.0
#: A service that is not there at all, and that the configuration does not name, is looked for this often (seconds).
ABSENT = 60.0
#: The slow parts (statements, tables, disk use, snapshots) are read this often (seconds), and while their screen is open.
FULL = 60.0
FULL_OPEN = 10.0
#: Readings older than this many periods are stale.
STALE_PERIODS = 3.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What the pace of one source depends on.

    Attributes:
        refresh: the operator's refresh, in seconds.
        took: how long the last reads took, smoothed, in seconds.
        visible: whether a pane shows it.
        failures: failed reads in a row.
        absent: the service is not there, and nobody said that it must be.
        period: the source's own least time between two reads, in seconds; 0: it follows the refresh.
    """

    refresh: float
    took: float = 0.0
    visible: bool = True
    failures: int = 0
    absent: bool = False
    period: float = 0.0

    @property
    def interval(self) -> float:
        """Seconds from the start of one read to the start of the next."""
        if self.absent:
            return ABSENT
        if self.failures:
            return max(self.period, min(FAILING, self.refresh * 2.0 ** min(self.failures - 1, 8)))
        wanted = self.refresh * (1.0 if self.visible else HIDDEN_FACTOR)
        return max(self.period, min(SLOWEST, max(wanted, self.took / SHARE)))


def smooth(before: float, took: float) -> float:
    """Return the smoothed duration: quick to grow, slow to shrink, so that one fast read does not hide a slow source."""
    return took if took > before else before + 0.3 * (took - before)
