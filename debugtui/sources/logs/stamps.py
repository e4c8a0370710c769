"""The times that lines of logs begin with, in the forms that programs write them.

Lines come in runs of the same second, so a second that was read is not read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

#: A time further than this ahead of our clock is none: one line of the year 9999 would put all that follow it out of order.
AHEAD = timedelta(days=1)
#: And one before this is the clock of a machine that does not know the time.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)

#: Characters at the start of a line in which its time is looked for, and in a line of JSON.
LOOKED_AT = 120
_FAR = 2_000

_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}  # noqa: SIM905

_DATE = re.compile(
    r"(?P<day>\d{4}[-/]\d\d[-/]\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?"
    r" ?(?P<zone>Z\b|[+-]\d\d(?::?\d\d)?\b|(?!LOG|FATAL|PANIC|ERROR)[A-Z]{2,5}\b)?",
    re.ASCII,
)
_COMMON = re.compile(r"(?P<day>\d\d/[A-Z][a-z]{2}/\d{4}):(?P<time>\d\d:\d\d:\d\d) (?P<zone>[+-]\d{4})", re.ASCII)
_EPOCH = re.compile(r"(?<![\d.])(?P<epoch>1[0-9]{9}\.\d{1,9})(?![\d.])", re.ASCII)

_NAMED = {"Z": UTC, "UTC": UTC, "GMT": UTC}


class Stamps:
    """Reads the times of one log.

    Attributes:
        zone: of times that name none, or name one that only the host knows (`CET`).
    """

    def __init__(self, zone: tzinfo = UTC, now: Callable[[], datetime] | None = None) -> None:
        """Read times of a log.

        Args:
            zone: of the host.
            now: tells the time (UTC).
        """
        self.zone = zone
        self._now = now or _utc_now
        self._second: tuple[str, str, str] = ("", "", "")
        self._base: datetime | None = None
        self._newest: datetime | None = None
        self._latest = self._now() + AHEAD

    def find(self, text: str, far: int = LOOKED_AT) -> datetime | None:
        """Return the first time in the first `far` characters, in UTC; None where there is none, or none that can be true."""
        for pattern in (_DATE, _COMMON):
            match = pattern.search(text, 0, far)
            if match is not None:
                part = match["part"] if pattern is _DATE else None
                at = self._of((match["day"], match["time"], match["zone"] or ""))
                if at is None:
                    return None
                return self._sound(at.replace(microsecond=int(part.ljust(6, "0")[:6])) if part else at)
        match = _EPOCH.search(text, 0, far)
        return self.of_epoch(match["epoch"]) if match is not None else None

    def find_in_json(self, text: str) -> datetime | None:
        """Return the first time in a line of JSON, whose first field need not be it."""
        return self.find(text, _FAR)

    def of_epoch(self, text: str) -> datetime | None:
        """Return the time of seconds since 1970; None where that cannot be true."""
        try:
            return self._sound(datetime.fromtimestamp(float(text), UTC))
        except (ValueError, OverflowError, OSError):
            return None

    def sound(self, at: datetime | None) -> datetime | None:
        """Return a time in UTC; None where it cannot be true."""
        return None if at is None else self._sound(at)

    def _sound(self, at: datetime) -> datetime | None:
        if at > self._latest:  # our own clock is asked only where it matters
            self._latest = self._now() + AHEAD
        return at if EARLIEST <= at <= self._latest else None

    def _of(self, second: tuple[str, str, str]) -> datetime | None:
        if second == self._second:
            return self._base
        self._second = second
        self._base = self._parse(*second)
        if self._base is not None:
            self._newest = self._base
        return self._base

    def _parse(self, day: str, time: str, zone: str) -> datetime | None:
        try:
            if day[2] == "/":
                date, month, year = int(day[:2]), _MONTHS[day[3:6]], int(day[7:])
            else:
                year, month, date = int(day[:4]), int(day[5:7]), int(day[8:])
            seconds = min(59, int(time[6:]))  # a leap second has no number here
            naive = datetime(year, month, date, int(time[:2]), int(time[3:5]), seconds)
            return self._zoned(naive, zone)
        except (ValueError, KeyError, OverflowError):
            return None

    def _zoned(self, naive: datetime, zone: str) -> datetime:
        if zone in _NAMED:
            return naive.replace(tzinfo=UTC)
        if zone[:1] in ("+", "-"):
            digits = zone[1:].replace(":", "").ljust(4, "0")
            offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
            return (naive - offset if zone[0] == "+" else naive + offset).replace(tzinfo=UTC)
        local = naive.replace(tzinfo=self.zone)
        at, second = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
        if second == at:
            return at
        # The hour that comes twice in autumn: the zone's name tells which, else what came before.
        if zone and local.replace(fold=1).tzname() == zone != local.tzname():
            return second
        if not zone and self._newest is not None and at < self._newest - timedelta(minutes=30):
            return second
        return at


def _utc_now() -> datetime:
    return datetime.now(UTC)
