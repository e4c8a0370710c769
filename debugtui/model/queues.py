"""One queue of messages, wherever it lies: a list or stream of Redis, a queue of RabbitMQ."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """One consumer group of a stream.

    Attributes:
        name: of the group.
        consumers: how many it knows; they need not be alive.
        pending: entries that were handed out and not acknowledged.
        lag: entries that were not handed out yet; None where the server cannot tell (Redis before 7, or after deletions).
        oldest_idle_s: seconds since the oldest pending entry was handed out last; None: none is pending, or not known.
        oldest_deliveries: how often that entry was handed out; None as above.
        stalled_s: seconds for which nothing was handed out or acknowledged although there is something to do, as far as it was
            watched; 0: it works, or has nothing to do. None before the second read.
        growth_s: messages a second by which what it has to do grows; None before the second read.
    """

    name: str
    consumers: int
    pending: int
    lag: int | None
    oldest_idle_s: float | None = None
    oldest_deliveries: int | None = None
    stalled_s: float | None = None
    growth_s: float | None = None

    @property
    def backlog(self) -> int | None:
        """What it has to do: entries not handed out, or not acknowledged; None where not known."""
        return None if self.lag is None else self.lag + self.pending


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue.

    Attributes:
        name: the key of Redis; `VHOST/NAME` of RabbitMQ, where the virtual host `/` is left out.
        kind: `list`, `stream`, `sorted set`, `set`, `none` (nothing lies there now); RabbitMQ's `classic`, `quorum`, `stream`.
        length: everything that lies in it; for RabbitMQ ready and unacknowledged messages. None: not known.
        growth_s: messages a second by which `length` grows; None before the second read.
        ready: messages that wait for a consumer; None where that is not counted.
        unacked: messages that were handed out and not acknowledged; None where that is not counted.
        consumers: that are connected; None where that is not known (lists and sets of Redis).
        state: RabbitMQ's word: `running`, `idle`, `down`...; empty for Redis.
        groups: of a stream.
        stalled_s: as of a group; None where that is not known.
    """

    name: str
    kind: str
    length: int | None
    growth_s: float | None = None
    ready: int | None = None
    unacked: int | None = None
    consumers: int | None = None
    state: str = ""
    groups: tuple[ConsumerGroup, ...] = ()
    stalled_s: float | None = None

    @property
    def backlog(self) -> int | None:
        """What still has to be done. A stream keeps what is done, so there it is what its slowest group has before it.

        Where the server does not tell a group's lag, it is at least what is pending; None where nothing is known.
        """
        if not self.groups:
            return self.length
        return max(group.pending if group.backlog is None else group.backlog for group in self.groups)
