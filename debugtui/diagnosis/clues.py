"""What a second look found: lines of logs, by their classes, counted; and the things behind the addresses in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from debugtui.diagnosis.own.making import plural
from debugtui.diagnosis.patterns import Match, Says, match
from debugtui.model.logs import LogLine
from debugtui.model.target import Target
from debugtui.model.text import line

#: Classes of what one log tells that are kept.
MOST = 8


@dataclass(frozen=True, slots=True)
class Clue:
    """What several lines of one log tell, as one.

    Attributes:
        source: whose log it is.
        says: the class.
        at: of the newest such line (UTC).
        count: how many.
        host, port: the address in them; empty where none stands there.
        about: what is behind that address; empty where that is not known.
    """

    source: Target
    says: Says
    at: datetime
    count: int = 1
    host: str = ""
    port: str = ""
    about: tuple[Target, ...] = ()

    @property
    def address(self) -> str:
        """The address as one text."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def sentence(self) -> str:
        """What it tells, in our own words; nothing of the lines but the address."""
        where = f" ({line(self.address, 80)})" if self.address else ""
        return f"its log tells of {self.says.value}{where}, {plural(self.count, 'line')}"


def clues_of(source: Target, lines: Iterable[LogLine], now: datetime) -> tuple[Clue, ...]:
    """Return what the lines of a log tell, the most frequent first."""
    counted: dict[Match, tuple[int, datetime]] = {}
    for row in lines:
        told = match(row.text)
        if told is not None:
            count, at = counted.get(told, (0, row.at or now))
            counted[told] = (count + 1, max(at, row.at or at))
    order = sorted(counted.items(), key=lambda pair: (-pair[1][0], pair[0].says, pair[0].host, pair[0].port))
    return tuple(Clue(source, told.says, at, count, told.host, told.port) for told, (count, at) in order[:MOST])
