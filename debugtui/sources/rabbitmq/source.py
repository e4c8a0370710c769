"""The source of one RabbitMQ."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from debugtui.config.hosts import RabbitmqConfig
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.queues import Queue
from debugtui.model.rabbitmq import RabbitmqNode, RabbitmqReading
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.globs import Globs, expression
from debugtui.sources.growth import Growth, Standstill
from debugtui.sources.http_api import HttpApi
from debugtui.sources.passwords import Passwords
from debugtui.sources.rabbitmq import parse

#: Seconds between two reads: RabbitMQ itself counts every five.
PERIOD_S = 5.0
#: Most queues that are looked at, the deepest first.
QUEUES = 500
_COLUMNS = (
    "name,vhost,type,state,messages,messages_ready,messages_unacknowledged,consumers,"
    "message_stats.ack,message_stats.deliver_get,message_stats.deliver_no_ack,message_stats.get_no_ack"
)
_TAG = "on the host: rabbitmqctl set_user_tags USER monitoring"


class RefusedError(Exception):
    """The API does not let this user see something."""


class RabbitmqSource:
    """Reads one cluster through one of its management APIs, with GET requests only."""

    kind = Kind.RABBITMQ
    has_rates = True
    period_s = PERIOD_S
    limit_s = 2 * READ_LIMIT_S

    def __init__(
        self, link: Link, config: RabbitmqConfig, password: Callable[[], Awaitable[str | None]], *, clock: Clock | None = None
    ) -> None:
        """Prepare; the first read connects.

        Args:
            link: the host's link.
            config: what is watched.
            password: gives the password.
            clock: time.
        """
        self.name = config.name
        self._config = config
        self._clock = clock or SystemClock()
        self._passwords = Passwords("", password, self._clock)
        self._api = HttpApi("RabbitMQ", config.url, link, headers=self._headers)
        self._globs = Globs(config.queues)
        self._growth, self._still = Growth(), Standstill()
        self._gaps: dict[str, Gap] = {}

    async def read(self, *, full: bool) -> RabbitmqReading:
        """Read now. See `Source.read`."""
        at = self._clock.now()
        self._passwords.check_pause()
        self._gaps = {}
        try:
            overview = parse.table(await self._get("/api/overview"))
        except RefusedError as error:
            raise SourceError(Problem(f"RabbitMQ lets {self._config.user} see nothing: {error}", _TAG)) from error
        if "rabbitmq_version" not in overview and "management_version" not in overview:
            raise SourceError(Problem(f"{self._config.url} does not answer like RabbitMQ", "is it the management API's URL?"))
        self._passwords.right()
        totals = parse.table(overview.get("object_totals"))
        nodes = await self._nodes()
        queues = await self._queues(parse.count(totals.get("queues")))
        waiting, stats = parse.table(overview.get("queue_totals")), parse.table(overview.get("message_stats"))
        return RabbitmqReading(
            taken_at=at,
            url=self._config.url,
            version=parse.text(overview.get("rabbitmq_version"), 40),
            erlang=parse.text(overview.get("erlang_version"), 40),
            cluster=parse.text(overview.get("cluster_name")),
            nodes=nodes,
            queues=queues,
            queues_total=parse.count(totals.get("queues")),
            connections=parse.count(totals.get("connections")),
            channels=parse.count(totals.get("channels")),
            consumers=parse.count(totals.get("consumers")),
            ready=parse.count(waiting.get("messages_ready")),
            unacked=parse.count(waiting.get("messages_unacknowledged")),
            publish_s=parse.rate(stats, "publish"),
            deliver_s=parse.rate(stats, "deliver_get"),
            ack_s=parse.rate(stats, "ack"),
            limit=self._config.limit,
            gaps=tuple(self._gaps.values()),
        )

    async def close(self) -> None:
        """Release the connection. Safe to call twice."""
        self._growth.clear()
        self._still.clear()
        await self._passwords.close()
        await self._api.close()

    async def _headers(self) -> Mapping[str, str]:
        if self._config.password is not None and not self._passwords.known:
            await self._passwords.wanted(self._config.user)
        # RabbitMQ's own first user is guest with the password guest, which may come from the machine itself only.
        password = self._passwords.known or ("guest" if self._config.user == "guest" else "")
        pair = f"{self._config.user}:{password}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        status, body = await self._api.fetch(path, params)
        says = line(body[:300])
        if status == 401 and b"not_authorised" not in body:
            if self._config.password is None:
                hint = 'user and password = {env = "NAME"} in [[hosts.rabbitmq]]; guest may come from the machine itself only'
                raise SourceError(Problem(f"RabbitMQ does not let {self._config.user} in: {says}", hint))
            raise self._passwords.wrong(says)
        if status in (401, 403):
            raise RefusedError(says)
        if status >= 400:
            hint = "is it the management API's URL?" if status == 404 else ""
            raise SourceError(Problem(f"RabbitMQ answers {status} to {path}: {says}", hint))
        try:
            return await asyncio.to_thread(json.loads, body)
        except (ValueError, RecursionError) as error:
            raise SourceError(Problem(f"RabbitMQ does not answer {path} in JSON: {says[:80]}")) from error

    async def _nodes(self) -> tuple[RabbitmqNode, ...] | None:
        try:
            answer = parse.rows(await self._get("/api/nodes"))
        except RefusedError as error:
            self._gaps["nodes"] = Gap("nodes", Problem(str(error), _TAG))
            return None
        return tuple(parse.node(row) for row in answer[: parse.NODES])

    async def _queues(self, total: int | None) -> tuple[Queue, ...] | None:
        params = {
            "page": "1",
            "page_size": str(QUEUES),
            "sort": "messages",
            "sort_reverse": "true",
            "columns": _COLUMNS,
            "pagination": "true",
        }
        if self._globs.patterns:
            # The server knows the name alone; whether the virtual host fits is looked at here.
            names = [pattern.partition("/")[2] if "/" in pattern else pattern for pattern in self._globs.patterns]
            both = dict.fromkeys([*self._globs.patterns, *names])
            params |= {"name": f"^(?:{'|'.join(expression(name) for name in both)})$", "use_regex": "true"}
        try:
            answer = parse.table(await self._get("/api/queues", params))
        except RefusedError as error:
            self._gaps["queues"] = Gap("queues", Problem(str(error), _TAG))
            return None
        found = parse.rows(answer.get("items"))
        matching = parse.count(answer.get("filtered_count"))
        if matching is not None and matching > len(found):
            says = f"{matching} queues: only the {len(found)} deepest are looked at"
            self._gaps["further queues"] = Gap("further queues", Problem(says, "narrow them with queues = [...]"))
        visible = parse.count(answer.get("total_count"))
        if total is not None and visible is not None and visible < total:
            # To see a virtual host's queues takes a permission there, even one that allows nothing.
            says = (
                f"{self._config.user} sees {visible} of {total} queues: the others are in virtual hosts that are closed to it"
            )
            how = f"on the host: rabbitmqctl set_permissions -p VHOST {self._config.user} '^$' '^$' '^$'"
            self._gaps["every queue"] = Gap("every queue", Problem(says, how))
        wanted = [row for row in found if self._globs.match(parse.queue_name(row)) or self._named(row)]
        there = {name for row in wanted for name in (parse.queue_name(row), parse.text(row.get("name")))}
        for pattern in self._globs.patterns:
            if "*" not in pattern and pattern not in there:
                self._gaps[f"queue {pattern}"] = Gap(f"queue {pattern}", Problem("there is no queue of this name"))
        return self._counted(wanted)

    def _named(self, row: Mapping[str, Any]) -> bool:
        return self._globs.match(parse.text(row.get("name")))

    def _counted(self, found: list[Mapping[str, Any]]) -> tuple[Queue, ...]:
        now = self._clock.monotonic()
        queues = []
        for row in found:
            name, length = parse.queue_name(row), parse.count(row.get("messages"))
            growth = self._growth.rate(name, length, now)
            stalled = self._still.seconds(name, parse.progress(row), now, idle=not length) if length is not None else None
            queues.append(parse.queue(row, growth, stalled))
        names = [queue.name for queue in queues]
        self._growth.keep(names)
        self._still.keep(names)
        return tuple(sorted(queues, key=lambda queue: (-(queue.length or 0), queue.name)))
