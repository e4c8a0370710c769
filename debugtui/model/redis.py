"""One Redis: how it runs, and the queues in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.queues import Queue
from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Persistence:
    """Whether what Redis holds outlives it. None: the server does not say.

    Attributes:
        saves: whether snapshots are configured (`save`); None where that may not be asked.
        last_save_at: when the last good snapshot ended, or the server began (UTC).
        last_save_ok: whether the last attempt went well.
        changes: writes since the last good snapshot.
        saving: a snapshot is being written.
        aof: whether the append-only file is on.
        aof_write_ok: whether the last write to it went well.
        aof_rewrite_ok: whether its last rewrite went well.
        refused: why writes are refused because of it, in the server's words; empty: they are not.
    """

    saves: bool | None = None
    last_save_at: datetime | None = None
    last_save_ok: bool | None = None
    changes: int | None = None
    saving: bool = False
    aof: bool | None = None
    aof_write_ok: bool | None = None
    aof_rewrite_ok: bool | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class RedisReplica:
    """One replica as its primary sees it. `behind_bytes` of the stream of changes; `lag_s` since it last said something."""

    address: str
    state: str
    lag_s: float | None
    behind_bytes: int | None


@dataclass(frozen=True, slots=True)
class Primary:
    """The primary of a replica.

    Attributes:
        address: `HOST:PORT`.
        link_up: whether the connection to it stands.
        down_s: seconds since it was lost; None while it stands.
        last_io_s: seconds since something came from it; None: never.
        syncing: a whole copy is being taken over.
    """

    address: str
    link_up: bool
    down_s: float | None = None
    last_io_s: float | None = None
    syncing: bool = False


@dataclass(frozen=True, slots=True)
class RedisReading:
    """One Redis server.

    Attributes:
        taken_at: when (UTC).
        address: where it is, as seen from the host.
        version: `7.0.15`.
        mode: `standalone`, `cluster`, `sentinel`.
        role: `primary` or `replica`.
        uptime_s: seconds.
        loading: it reads its data from the disk and answers nothing else; `loading_percent` of it, where known.
        memory_used_bytes: as Redis counts it.
        memory_max_bytes: None: no limit is configured.
        memory_policy: what it does at the limit: `noeviction` refuses writes, the others throw keys away.
        evicted, expired: keys, since the server began.
        evicted_s: keys a second; None before the second read.
        clients, max_clients: connections; the limit is None where not told.
        blocked_clients: of them, those that wait in a blocking command such as BLPOP.
        rejected: connections that were refused because of the limit, since the server began.
        ops_s: commands a second.
        keys: in the database that is watched; None where not told.
        persistence: see there.
        primary: None: it is one itself.
        replicas: of a primary.
        queues: those that are watched, the deepest first; None: they could not be read.
        limit: messages in one queue above which it alerts.
        gaps: what could not be read.
    """

    taken_at: datetime
    address: str
    version: str = ""
    mode: str = "standalone"
    role: str = "primary"
    uptime_s: float = 0.0
    loading: bool = False
    loading_percent: float | None = None
    memory_used_bytes: int = 0
    memory_max_bytes: int | None = None
    memory_policy: str = ""
    evicted: int = 0
    evicted_s: float | None = None
    expired: int = 0
    clients: int = 0
    max_clients: int | None = None
    blocked_clients: int = 0
    rejected: int = 0
    ops_s: float | None = None
    keys: int | None = None
    persistence: Persistence = Persistence()
    primary: Primary | None = None
    replicas: tuple[RedisReplica, ...] = ()
    queues: tuple[Queue, ...] | None = None
    limit: int = 1_000
    gaps: tuple[Gap, ...] = ()

    @property
    def memory_percent(self) -> float | None:
        """Share of its limit that is used, 0 to 100 and above; None where it has no limit."""
        if not self.memory_max_bytes:
            return None
        return 100.0 * self.memory_used_bytes / self.memory_max_bytes
