"""What a host says of its clock: how far it is from ours, and which zone its programs write their times in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from debugtui.hosts.link import Link
from debugtui.sources.nginx.logs import zone_of

#: Seconds that asking may take, and that an answer is good for.
LIMIT_S, GOOD_FOR_S = 5.0, 600.0

_SCRIPT = """
LC_ALL=C
export LC_ALL
date '+%s.%N %z'
readlink -f /etc/localtime
echo "$TZ"
cat /etc/timezone 2>/dev/null
"""


@dataclass(frozen=True, slots=True)
class HostClock:
    """A host's clock.

    Attributes:
        skew_s: seconds that it is ahead of ours; None: not known.
        error_s: how far that may be wrong: half of the time that asking took.
        zone: of its local time.
    """

    skew_s: float | None = None
    error_s: float = 0.0
    zone: tzinfo = UTC

    @property
    def off(self) -> bool:
        """Whether it is off by more than can come of asking."""
        return self.skew_s is not None and abs(self.skew_s) > max(1.0, 2 * self.error_s)


async def host_clock(link: Link) -> HostClock:
    """Ask a host.

    Raises:
        LinkError: the link is not up, or the host did not answer.
    """
    asked = datetime.now(UTC)
    done = await link.run(["sh", "-c", _SCRIPT], timeout=LIMIT_S, limit=2_000)
    answered = datetime.now(UTC)
    return _clock(done.stdout.decode("utf-8", "replace"), asked, answered)


def _clock(said: str, asked: datetime, answered: datetime) -> HostClock:
    rows = said.splitlines()
    seconds, _, offset = (rows[0] if rows else "").partition(" ")
    error = (answered - asked).total_seconds() / 2
    try:
        there = datetime.fromtimestamp(float(seconds.removesuffix("N").removesuffix(".")), UTC)
    except (ValueError, OverflowError, OSError):
        return HostClock()
    skew = (there - asked).total_seconds() - error
    return HostClock(skew, error, _zone(rows[1:], zone_of(offset), there))


def _zone(names: list[str], offset: timezone, now: datetime) -> tzinfo:
    """Return the named zone that has this offset now, since it also knows summer; the bare offset where none is known."""
    for row in names:
        name = row.strip().removeprefix(":")
        name = name.partition("/zoneinfo/")[2] or name
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
        if now.astimezone(zone).utcoffset() == (now.astimezone(offset).utcoffset() or timedelta()):
            return zone
    return offset


class HostClocks:
    """Remembers the clocks of hosts for a while; each host is asked once at a time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, HostClock]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, host: str) -> HostClock | None:
        """Return what is known of a host's clock."""
        found = self._known.get(host)
        return found[1] if found is not None else None

    async def ask(self, link: Link) -> HostClock:
        """Return a host's clock; ask where it is not known, or not newly.

        Raises:
            LinkError: the link is not up.
        """
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(link.host, asyncio.Lock()):
            found = self._known.get(link.host)
            if found is None or loop.time() > found[0] + GOOD_FOR_S:
                found = self._known[link.host] = (loop.time(), await host_clock(link))
            return found[1]
