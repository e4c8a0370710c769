"""The source of one Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

from redis.exceptions import RedisError, ResponseError

from debugtui.config.hosts import RedisConfig
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.queues import Queue
from debugtui.model.redis import RedisReading
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.growth import Growth
from debugtui.sources.passwords import Passwords
from debugtui.sources.redis.info import Info, persistence, primary, replicas
from debugtui.sources.redis.queues import KEYS, Counter, Scanner
from debugtui.sources.redis.wire import Wire, failure, parse_url, reach, refusal, wants_password

#: Seconds between two reads.
PERIOD_S = 5.0


class RedisSource:
    """Reads one Redis over one connection, which is kept between reads and dropped on any failure."""

    kind = Kind.REDIS
    has_rates = True
    period_s = PERIOD_S
    limit_s = READ_LIMIT_S

    def __init__(
        self, link: Link, config: RedisConfig, password: Callable[[], Awaitable[str | None]], *, clock: Clock | None = None
    ) -> None:
        """Prepare; the first read connects.

        Args:
            link: the host's link.
            config: what is watched.
            password: gives the password, where the configuration names one.
            clock: time.
        """
        self.name = config.name
        self._link, self._config = link, config
        self._address = parse_url(config.url)
        self._clock = clock or SystemClock()
        self._passwords = Passwords("", password, self._clock)
        self._wire: Wire | None = None
        self._growth = Growth()
        self._scanner = Scanner(config.queues, self._clock)
        self._counter = Counter(self._clock)
        self._saves: bool | None = None
        self._slow_gaps: dict[str, Gap] = {}

    async def read(self, *, full: bool) -> RedisReading:
        """Read now. See `Source.read`."""
        where = f"Redis at {self._address}"
        try:
            return await self._read(await self._open(), full)
        except RedisError as error:
            await self._drop()
            if wants_password(error) and self._config.password is not None and "without any password" not in str(error):
                raise self._passwords.wrong(line(str(error), 200)) from error
            raise failure(error, where) from error
        except BaseException:
            await self._drop()  # in the middle of an answer: the connection cannot be used again
            raise

    async def close(self) -> None:
        """Release the connection. Safe to call twice."""
        await self._passwords.close()
        await self._drop()

    async def _drop(self) -> None:
        wire, self._wire = self._wire, None
        self._growth.clear()
        self._counter.clear()
        if wire is not None:
            await wire.close()

    async def _open(self) -> Wire:
        if self._wire is not None:
            return self._wire
        self._passwords.check_pause()
        if self._config.password is not None and not self._passwords.known:
            await self._passwords.wanted(self._config.user or "the default user")
        endpoint = await reach(self._link, self._address)
        self._wire = await Wire.open(endpoint, self._address, self._config.user, self._passwords.known or None)
        return self._wire

    async def _read(self, wire: Wire, full: bool) -> RedisReading:
        at = self._clock.now()
        answer = await wire.ask("info")
        if not isinstance(answer, bytes):
            raise SourceError(Problem(f"Redis at {self._address} answers INFO in another form", "check the address in url"))
        self._passwords.right()
        info = Info(answer)
        if full or self._saves is None:
            await self._read_settings(wire, info)
        loading = bool(info.flag("loading"))
        refused = "" if loading else await self._refused(wire)
        queues, gaps = await self._queues(wire, loading)
        return self._reading(at, info, refused, queues, (*self._slow_gaps.values(), *gaps))

    async def _read_settings(self, wire: Wire, info: Info) -> None:
        """Find out whether snapshots are configured: INFO does not say."""
        self._slow_gaps = {}
        if info.flag("loading"):
            return
        try:
            answer = await wire.ask("config|get", "save")
        except ResponseError as error:
            self._saves = None
            self._slow_gaps["settings"] = Gap("settings", refusal(error))
        else:
            self._saves = bool(answer[1]) if isinstance(answer, list) and len(answer) == 2 else None

    @staticmethod
    async def _refused(wire: Wire) -> str:
        """Return why writes are refused. PING is refused exactly when they are, because a snapshot or the AOF failed."""
        try:
            await wire.ask("ping")
        except ResponseError as error:
            says = line(str(error), 300)
            return says if says.startswith("MISCONF") else ""
        return ""

    async def _queues(self, wire: Wire, loading: bool) -> tuple[tuple[Queue, ...] | None, tuple[Gap, ...]]:
        if not self._config.queues:
            return (), ()
        if loading:
            return None, (Gap("queues", Problem("Redis reads its data from the disk", "it is tried again")),)
        gaps: list[Gap] = []
        try:
            await self._scanner.step(wire)
        except ResponseError as error:
            gaps.append(Gap("patterns", refusal(error)))
        queues = await self._counter.count(wire, self._scanner.keys(), self._scanner)
        return queues, (*gaps, *self._scan_gaps(), *self._counter.gaps.values())

    def _scan_gaps(self) -> Iterator[Gap]:
        if self._scanner.too_many:
            says = f"the patterns match more than {KEYS} keys: the others are not watched"
            yield Gap("further queues", Problem(says, "narrow the patterns in queues"))
        if not self._scanner.whole:
            says = "not every key has been looked at yet: there are many, and each read looks at some"
            yield Gap("all queues", Problem(says))

    def _reading(
        self, at: datetime, info: Info, refused: str, queues: tuple[Queue, ...] | None, gaps: tuple[Gap, ...]
    ) -> RedisReading:
        evicted = info.count("evicted_keys")
        done, total = info.number("loading_loaded_bytes"), info.number("loading_total_bytes")
        keys = info.text(f"db{self._address.database}").partition("keys=")[2].partition(",")[0]
        return RedisReading(
            taken_at=at,
            address=str(self._address),
            version=info.text("redis_version"),
            mode=info.text("redis_mode") or "standalone",
            role="replica" if info.text("role") == "slave" else "primary",
            uptime_s=float(info.count("uptime_in_seconds")),
            loading=bool(info.flag("loading")),
            loading_percent=100.0 * done / total if done is not None and total else None,
            memory_used_bytes=info.count("used_memory"),
            memory_max_bytes=info.number("maxmemory") or None,
            memory_policy=info.text("maxmemory_policy"),
            evicted=evicted,
            evicted_s=self._growth.rate("evicted", evicted, self._clock.monotonic()),
            expired=info.count("expired_keys"),
            clients=info.count("connected_clients"),
            max_clients=info.number("maxclients"),
            blocked_clients=info.count("blocked_clients"),
            rejected=info.count("rejected_connections"),
            ops_s=info.fraction("instantaneous_ops_per_sec"),
            keys=int(keys) if keys.isdigit() else 0 if "redis_version" in info and not info.flag("loading") else None,
            persistence=persistence(info, self._saves, refused),
            primary=primary(info),
            replicas=replicas(info),
            queues=queues,
            limit=self._config.limit,
            gaps=gaps,
        )
