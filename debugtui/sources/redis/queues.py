"""Finds the keys that are queues, and counts what lies in them: SCAN in small steps, never KEYS; no entry is ever read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from debugtui.model.clock import Clock
from debugtui.model.queues import ConsumerGroup, Queue
from debugtui.model.source import Gap, Problem
from debugtui.model.text import line
from debugtui.sources.growth import Growth, Standstill
from debugtui.sources.redis.wire import Command, Wire, refusal

#: Most keys that are watched; most streams whose groups are looked at, and groups of one.
KEYS, STREAMS, GROUPS = 500, 50, 20
#: One read looks at so many keys in a step, takes so many steps, and for at most so many seconds; the next one goes on there.
STEP, STEPS, SCAN_S = 1_000, 20, 0.5
#: A key that was found by a pattern is watched for so many seconds after it was last there: an empty list is no key.
REMEMBERED_S = 900.0

_KINDS = {b"list": "list", b"stream": "stream", b"zset": "sorted set", b"set": "set", b"none": "none"}
_LENGTH = {"list": "llen", "stream": "xlen", "sorted set": "zcard", "set": "scard"}


def match_of(pattern: str) -> str:
    """Return a pattern in the language of SCAN's MATCH, in which more signs than `*` mean something."""
    return "".join(f"\\{sign}" if sign in "?[]\\^" else sign for sign in pattern)


@dataclass(slots=True)
class _Walk:
    """The way through all keys for one pattern: where it goes on, and whether it came round once."""

    pattern: str
    cursor: int = 0
    whole: bool = False


class Scanner:
    """Remembers which keys the patterns have found."""

    def __init__(self, names: Iterable[str], clock: Clock) -> None:
        """Prepare.

        Args:
            names: names of keys, and patterns with `*`.
            clock: time.
        """
        names = tuple(names)
        self.fixed = tuple(name.encode() for name in names if "*" not in name)
        self._walks = [_Walk(match_of(name)) for name in names if "*" in name]
        self._found: dict[bytes, float] = {}
        self._clock = clock
        self.too_many = False

    @property
    def whole(self) -> bool:
        """Whether every key has been looked at once."""
        return all(walk.whole for walk in self._walks)

    async def step(self, wire: Wire) -> None:
        """Look at the next keys.

        Raises:
            ResponseError, RedisError: as `Wire.ask`.
        """
        end = self._clock.monotonic() + SCAN_S
        steps = STEPS
        for number, walk in enumerate(list(self._walks)):
            share = max(1, steps // (len(self._walks) - number))
            for _ in range(share):
                steps -= 1
                if not await self._once(wire, walk) or self._clock.monotonic() >= end:
                    break
        # The pattern that came last, and had the least time, is the first the next time.
        self._walks = self._walks[-1:] + self._walks[:-1]

    async def _once(self, wire: Wire, walk: _Walk) -> bool:
        """Take one step; return whether there is more of this round."""
        cursor, keys = _scanned(await wire.ask("scan", walk.cursor, "MATCH", walk.pattern, "COUNT", STEP))
        walk.cursor = cursor
        self.saw(keys)
        if cursor == 0:
            walk.whole = True
        return cursor != 0

    def saw(self, keys: Iterable[bytes]) -> None:
        """Remember that keys are there."""
        now = self._clock.monotonic()
        for key in keys:
            if key in self._found or len(self._found) < KEYS:
                self._found[key] = now
            else:
                self.too_many = True

    def keys(self) -> list[bytes]:
        """Return what is to be counted: what is named, then what was found and not forgotten."""
        now = self._clock.monotonic()
        self._found = {key: seen for key, seen in self._found.items() if now - seen < REMEMBERED_S}
        if len(self._found) < KEYS:
            self.too_many = False
        return [*self.fixed, *(key for key in self._found if key not in self.fixed)]


def _scanned(answer: Any) -> tuple[int, list[bytes]]:
    try:
        cursor, keys = answer
        return int(cursor), [key for key in keys if isinstance(key, bytes)]
    except (TypeError, ValueError):
        raise ResponseError("SCAN answers in another form than Redis does") from None


class Counter:
    """Counts what lies in keys, and how that changes from read to read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._growth = Growth()
        self._still = Standstill()
        self.gaps: dict[str, Gap] = {}

    def clear(self) -> None:
        """Forget what was before."""
        self._growth.clear()
        self._still.clear()

    async def count(self, wire: Wire, keys: Sequence[bytes], scanner: Scanner) -> tuple[Queue, ...]:
        """Return the queues that lie under some keys, the deepest first.

        Raises:
            RedisError: no answer.
        """
        self.gaps = {}
        kinds = await self._kinds(wire, keys, scanner)
        lengths = await self._lengths(wire, kinds)
        streams = [key for key, kind in kinds.items() if kind == "stream"]
        if len(streams) > STREAMS:
            self._gap("groups", Problem(f"{len(streams)} streams: only the groups of {STREAMS} are looked at"))
        groups = await self._groups(wire, streams[:STREAMS])
        now = self._clock.monotonic()
        queues = []
        for key, kind in kinds.items():
            length = lengths.get(key)
            growth = self._growth.rate(key, length, now)
            queues.append(Queue(line(key, 300), kind, length, growth, groups=tuple(groups.get(key, ()))))
        named = {(key, group.name) for key, some in groups.items() for group in some}
        self._growth.keep({*kinds, *named})
        self._still.keep(named)
        return tuple(sorted(queues, key=lambda queue: (-(queue.backlog or 0), queue.name)))

    def _gap(self, feature: str, problem: Problem) -> None:
        self.gaps.setdefault(feature, Gap(feature, problem))

    async def _kinds(self, wire: Wire, keys: Sequence[bytes], scanner: Scanner) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for key, answer in zip(keys, await wire.ask_all([("type", key) for key in keys]), strict=True):
            name = line(key, 80)
            if isinstance(answer, ResponseError):
                denied = isinstance(answer, NoPermissionError)
                self._gap("queues" if denied else f"queue {name}", refusal(answer))
                continue
            kind = _KINDS.get(answer)
            if kind is None:
                # What a pattern finds beside queues is none; what is named is meant to be one.
                if key in scanner.fixed:
                    says = f"{name} is a {line(answer, 20) if isinstance(answer, bytes) else 'thing of another form'}"
                    self._gap(
                        f"queue {name}", Problem(f"{says}, which has no length", "name a list, stream, set or sorted set")
                    )
                continue
            found[key] = kind
            if kind != "none":
                scanner.saw(() if key in scanner.fixed else (key,))
        return found

    async def _lengths(self, wire: Wire, kinds: dict[bytes, str]) -> dict[bytes, int | None]:
        asked = [(key, kind) for key, kind in kinds.items() if kind != "none"]
        found: dict[bytes, int | None] = {key: 0 for key, kind in kinds.items() if kind == "none"}
        commands: list[Command] = [(_LENGTH[kind], key) for key, kind in asked]
        for (key, _), answer in zip(asked, await wire.ask_all(commands), strict=True):
            if isinstance(answer, ResponseError):
                # WRONGTYPE: it became something else in between; the next read finds out what.
                self._gap(f"length of {line(key, 80)}", refusal(answer))
            found[key] = answer if isinstance(answer, int) else None
        return found

    async def _groups(self, wire: Wire, streams: Sequence[bytes]) -> dict[bytes, list[ConsumerGroup]]:
        asked: list[tuple[bytes, dict[str, Any]]] = []
        answers = await wire.ask_all([("xinfo|groups", key) for key in streams])
        for key, answer in zip(streams, answers, strict=True):
            asked += [(key, row) for row in self._rows(line(key, 80), answer)]
        oldest = await wire.ask_all([("xpending", key, row.get("name", b""), "-", "+", 1) for key, row in asked])
        found: dict[bytes, list[ConsumerGroup]] = {key: [] for key in streams}
        for (key, row), first in zip(asked, oldest, strict=True):
            group = self._group(key, row, first)
            found[key].append(group)
            if group.lag is None:
                how = "the server does not tell it: Redis 7 does, unless entries were deleted out of the middle"
                self._gap(f"lag of {line(key, 80)}", Problem(how))
        return found

    def _rows(self, name: str, answer: Any) -> list[dict[str, Any]]:
        if isinstance(answer, ResponseError):
            self._gap("groups" if isinstance(answer, NoPermissionError) else f"groups of {name}", refusal(answer))
            return []
        rows = answer if isinstance(answer, list) else []
        if len(rows) > GROUPS:
            self._gap(f"groups of {name}", Problem(f"{len(rows)} groups: only {GROUPS} are looked at"))
        return [pairs for row in rows[:GROUPS] if (pairs := _pairs(row))]

    def _group(self, key: bytes, row: dict[str, Any], first: Any) -> ConsumerGroup:
        name = line(row["name"], 200) if isinstance(row.get("name"), bytes) else "?"
        pending, lag, read = (row.get(field) for field in ("pending", "lag", "entries-read"))
        pending = pending if isinstance(pending, int) else 0
        lag = lag if isinstance(lag, int) else None
        idle, deliveries = _oldest(first)
        if isinstance(first, ResponseError):
            self._gap("oldest pending", refusal(first))
        now = self._clock.monotonic()
        # Handing out moves the last id; acknowledging moves what was read and is not pending any more.
        done = read - pending if isinstance(read, int) else -pending
        stalled = self._still.seconds((key, name), (row.get("last-delivered-id"), done), now, idle=not pending and not lag)
        growth = self._growth.rate((key, name), None if lag is None else lag + pending, now)
        consumers = row.get("consumers")
        return ConsumerGroup(
            name=name,
            consumers=consumers if isinstance(consumers, int) else 0,
            pending=pending,
            lag=lag,
            oldest_idle_s=idle,
            oldest_deliveries=deliveries,
            stalled_s=stalled,
            growth_s=growth,
        )


def _pairs(answer: Any) -> dict[str, Any]:
    """Read a list of names and values by turns."""
    if not isinstance(answer, list) or len(answer) % 2:
        return {}
    names = [line(name, 40) if isinstance(name, bytes) else "" for name in answer[::2]]
    return dict(zip(names, answer[1::2], strict=True))


def _oldest(answer: Any) -> tuple[float | None, int | None]:
    """Read the one entry of XPENDING: how long it was not touched, in seconds, and how often it was handed out."""
    try:
        ((_, _, idle_ms, deliveries),) = answer
        return int(idle_ms) / 1000, int(deliveries)
    except (TypeError, ValueError):
        return None, None
