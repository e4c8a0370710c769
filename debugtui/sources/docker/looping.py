"""The rule by which a container counts as looping: it ends and is started again by itself, again and again."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from debugtui.sources.docker.containers import Details

#: Ends within `WINDOW` that make a loop. One crash is not one, and two may be an accident.
ENDS = 3
WINDOW = timedelta(minutes=10)

#: The restart count may rise by this much between two reads at most `CLOSE_READS` apart without being a loop.
RISE = 1
CLOSE_READS = timedelta(seconds=60)

#: It counts as mended once it has run without an end for twice the mean time between its last ends, and at least this long.
#: (The engine waits 60 s at most before it starts a container again.)
MENDED = timedelta(seconds=60)

#: An end this soon after a signal from outside (`docker stop`, `restart`, `kill`) was wanted.
WANTED_WITHIN = timedelta(seconds=120)

_KEPT = 64


@dataclass(slots=True)
class _Track:
    """What is known of one container's ends; times are the engine's."""

    ends: deque[datetime] = field(default_factory=lambda: deque(maxlen=_KEPT))
    rises: deque[datetime] = field(default_factory=lambda: deque(maxlen=_KEPT))
    signalled_at: datetime | None = None
    restarts: int | None = None
    read_at: datetime | None = None
    jumped_at: datetime | None = None


class RestartWatch:
    """Counts the ends of containers, from events and from the restart counts of the reads.

    A container is looping while its restart policy brings it back and

    - the engine is about to start it again (state `restarting`), or
    - it ended `ENDS` times within `WINDOW` without having been told to, by its `die` events or by its restart count, or
    - its restart count rose by more than `RISE` between two reads less than `CLOSE_READS` apart

    until it has run for long enough, see `MENDED`.
    """

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def event(self, identity: str, action: str, at: datetime) -> None:
        """Take note of an event of a container."""
        if action == "destroy":
            self._tracks.pop(identity, None)
        elif action == "kill":
            self._track(identity).signalled_at = at
        elif action == "die":
            track = self._track(identity)
            wanted = track.signalled_at is not None and at - track.signalled_at < WANTED_WITHIN
            if not wanted:
                track.ends.append(at)
            track.signalled_at = None

    def _track(self, identity: str) -> _Track:
        return self._tracks.setdefault(identity, _Track())

    def read(self, identity: str, details: Details, now: datetime) -> None:
        """Take note of what a read found."""
        track = self._track(identity)
        before, then = track.restarts, track.read_at
        track.restarts, track.read_at = details.restarts, now
        if before is None or then is None or details.restarts <= before:
            return  # the count starts anew when somebody starts the container by hand
        rise = details.restarts - before
        track.rises.extend([now] * min(rise, ENDS))
        if rise > RISE and now - then <= CLOSE_READS:
            track.jumped_at = now

    def keep(self, identities: Collection[str]) -> None:
        """Forget every container but these."""
        for identity in [one for one in self._tracks if one not in identities]:
            del self._tracks[identity]

    def looping(self, identity: str, state: str, details: Details, now: datetime) -> bool:
        """Return whether a container is looping now; `state` is the list's, which is newer than the details."""
        if state == "restarting":
            return True
        track = self._tracks.get(identity)
        if track is None or state != "running" or not details.comes_back:
            return False
        by_event = [at for at in track.ends if now - at <= WINDOW]
        by_count = [at for at in track.rises if now - at <= WINDOW]
        ends = by_event if len(by_event) >= len(by_count) else by_count
        jumped = track.jumped_at is not None and now - track.jumped_at <= WINDOW
        if len(ends) < ENDS and not jumped:
            return False
        last = max(ends[-1:] + ([track.jumped_at] if track.jumped_at else []))
        between = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else timedelta()
        since = max(last, details.started_at) if details.started_at else last
        return now - since < max(MENDED, 2 * between)
