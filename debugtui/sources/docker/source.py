"""The source of one Docker engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from debugtui.hosts.link import Link, LinkError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.docker import DockerReading
from debugtui.model.logs import LogLine
from debugtui.model.source import Gap, Kind, Problem
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.docker.client import ONE_SHOT_API, AnswerError, EngineClient, SlowAnswerError
from debugtui.sources.docker.containers import parse_details
from debugtui.sources.docker.events import EventWatch
from debugtui.sources.docker.inspecting import INSPECT_LIMIT, inspect
from debugtui.sources.docker.logs import read_logs
from debugtui.sources.docker.roster import MOST_CONTAINERS, REST, Known, Roster
from debugtui.sources.docker.sampler import AT_ONCE, Sampler, at_once
from debugtui.sources.docker.slow import SlowParts

#: Seconds for what must succeed: connecting, and the list of containers.
LIST_LIMIT = 4.5

#: Seconds for one answer about one container; one that hangs must not hold up the others.
CONTAINER_LIMIT = 2.0

#: Seconds for all of them together.
CONTAINERS_LIMIT = 4.0

#: Most containers inspected in one read, and in one full read.
MOST_INSPECTED = 100
MOST_INSPECTED_FULL = 250

#: Seconds that a read waits for figures; what comes later is shown by the next one. The second read waits longer, because the
#: rates are expected of it, and so does a full one, which is rare.
FIGURES_PATIENCE = 0.1
FIGURES_PATIENCE_LONG = 3.0

_OLD_HINT = "Docker 20.10 or newer is needed"


class DockerSource:
    """Reads one engine through the UNIX socket of the host.

    One client, kept between reads and dropped on any failure; the stream of events runs beside the reads, in a task that ends
    with the client. Streams of logs, and `inspect`, have clients of their own: they may be used at any time.
    """

    kind = Kind.DOCKER
    name = Kind.DOCKER.value
    has_rates = True
    period_s = 0.0
    limit_s = READ_LIMIT_S

    def __init__(self, link: Link, socket_url: str, *, clock: Clock | None = None) -> None:
        """Prepare; nothing is opened before the first read.

        Args:
            link: the host's link.
            socket_url: `unix:///path`, as seen from the host.
            clock: time.
        """
        self._link = link
        self._url = socket_url
        self._clock = clock or SystemClock()
        self._client: EngineClient | None = None
        self._roster = Roster()
        self._events = EventWatch(self._roster.happened)
        self._sampler = Sampler(self._roster)
        self._slow = SlowParts(self._clock)
        self._reads = 0
        self._ever_read = False
        self._newest: DockerReading | None = None

    async def read(self, *, full: bool) -> DockerReading:
        """Read now. See `Source.read`."""
        try:
            client = await self._list()
            if full:
                await self._slow.read(client)
            gaps = await self._look(client, full)
        except LinkError:
            await self._drop()
            raise
        except (SourceError, AnswerError) as error:
            await self._drop()
            raise _plain(error) from error
        self._reads += 1
        self._ever_read = True
        self._newest = self._reading(client, gaps)
        return self._newest

    def published_ports(self) -> dict[int, str]:
        """Return which running container publishes each TCP port of the host, as last read."""
        found: dict[int, str] = {}
        for container in self._newest.containers if self._newest is not None else ():
            for port in container.ports:
                outer, arrow, inner = port.rpartition("->")
                number = outer.rpartition(":")[2]
                if arrow and inner.endswith("/tcp") and number.isascii() and number.isdigit():
                    found[int(number)] = container.name
        return found

    def container_names(self) -> dict[str, str]:
        """Return the names of the containers by the first twelve letters of their ids, as last read."""
        return {one.id[:12]: one.name for one in self._newest.containers} if self._newest is not None else {}

    async def close(self) -> None:
        """Release the client and end the tasks. Safe to call twice."""
        await self._drop()

    async def inspect(self, container_id: str) -> dict[str, Any]:
        """Return everything the engine tells of a container: redacted, safe to show, at most 1 MB.

        Raises:
            SourceError: there is no such container, or the engine did not answer.
            LinkError: the link is not up.
        """
        client = await self._open()
        try:
            return await inspect(client, container_id)
        finally:
            await client.close()

    async def logs(
        self, container_id: str, *, tail: int | None, since: datetime | None = None, follow: bool = False
    ) -> AsyncIterator[list[LogLine]]:
        """Yield a container's log in batches of lines, oldest first.

        Args:
            container_id: which.
            tail: most lines of what is there already; None: all.
            since: only lines from this time on (UTC).
            follow: go on with what comes, through restarts of the container, until it has ended.

        Raises:
            SourceError: there is no such container any more, or the engine went away; `LinkError`: the link did.
        """
        client = await self._open()
        try:
            async for batch in read_logs(client, container_id, tail=tail, since=since, follow=follow):
                yield batch
        finally:
            await client.close()

    # --- the client --------------------------------------------------------------------------------------------------------

    async def _open(self) -> EngineClient:
        path = self._url.removeprefix("unix://")
        try:
            async with asyncio.timeout(LIST_LIMIT):
                return await EngineClient.open(self._link, path)
        except TimeoutError as error:
            raise SlowAnswerError(LIST_LIMIT) from error
        except SourceError as error:
            # What was there before is not absent but stopped.
            raise SourceError(error.problem, absent=error.absent and not self._ever_read) from error

    async def _drop(self) -> None:
        client, self._client = self._client, None
        self._reads = 0
        await self._slow.stop()
        await self._sampler.stop()
        await self._events.stop()
        if client is not None:
            await client.close()

    # --- reading -----------------------------------------------------------------------------------------------------------

    async def _list(self) -> EngineClient:
        """Connect where needed, and read the list of containers."""
        client = self._client
        if client is None:
            client = self._client = await self._open()
        self._roster.listed(await _list_of(client))
        self._events.start(client)
        return client

    async def _look(self, client: EngineClient, full: bool) -> list[Gap]:
        """Inspect whom it is time to inspect; begin to read the figures of whose turn it is, and wait a little for them."""
        if client.version.api >= ONE_SHOT_API:
            self._sampler.start(client)
        events_live = self._events.problem is None
        most = MOST_INSPECTED_FULL if full else MOST_INSPECTED
        chosen = self._roster.to_inspect(_loop_time(), most, everyone=full, events_live=events_live)
        try:
            async with asyncio.timeout(CONTAINERS_LIMIT):
                await at_once([self._inspecting(client, known) for known in chosen], lambda: AT_ONCE)
        except TimeoutError:
            words = f"not every container was looked at: the engine took more than {CONTAINERS_LIMIT:g} s"
            return [Gap("containers", Problem(words, "the rest follows in the next reads"))]
        if self._reads == 1:
            await self._sampler.wait_for_rates(client, FIGURES_PATIENCE_LONG)
        else:
            await self._sampler.wait(FIGURES_PATIENCE_LONG if full else FIGURES_PATIENCE)
        return []

    def _inspecting(self, client: EngineClient, known: Known) -> Callable[[], Awaitable[None]]:
        path = f"containers/{known.listed.id}/json"

        async def ask() -> None:
            known.touched = False  # an event that comes while we wait for the answer sets it again
            try:
                answer = await client.get_json(path, timeout=CONTAINER_LIMIT, limit=INSPECT_LIMIT)
            except AnswerError as error:
                if error.status != 404:  # else it is gone: the next list tells
                    self._roster.rest(known, _loop_time())
            except SlowAnswerError:
                self._roster.rest(known, _loop_time())
            else:
                self._roster.inspected(known, parse_details(answer), _loop_time(), self._engine_now(client))

        return ask

    def _engine_now(self, client: EngineClient) -> datetime:
        return self._clock.now() + timedelta(seconds=client.ahead_s)

    # --- the result --------------------------------------------------------------------------------------------------------

    def _reading(self, client: EngineClient, gaps: list[Gap]) -> DockerReading:
        info, version = self._slow.info, client.version
        return DockerReading(
            taken_at=self._clock.now().astimezone(UTC),
            version=version.version,
            api_version=version.api_text,
            os=info.os or version.os,
            kernel=info.kernel or version.kernel,
            storage_driver=info.storage_driver,
            cgroup=info.cgroup,
            root_dir=info.root_dir,
            containers=self._roster.containers(self._engine_now(client)),
            images=self._slow.images(self._roster.users_of_images()),
            volumes=self._slow.volumes(self._roster.users_of_volumes()),
            networks=self._slow.networks,
            events=self._events.events,
            disk_use=self._slow.disk_use,
            gaps=(*gaps, *self._gaps(client), *self._slow.gaps),
        )

    def _gaps(self, client: EngineClient) -> Iterator[Gap]:
        roster, events = self._roster, self._events
        if client.version.api < ONE_SHOT_API:
            yield Gap("figures", Problem(f"this engine ({client.version.version}) gives no figures at once", _OLD_HINT))
        if roster.left_out:
            words = f"{roster.left_out} containers are left out: the first {MOST_CONTAINERS} are read"
            yield Gap("containers", Problem(words))
        if roster.uninspected:
            words = f"{roster.uninspected} containers are not inspected yet: their restarts and limits are not known"
            yield Gap("inspect", Problem(words, "the next reads bring them"))
        if resting := roster.resting:
            words = f"the engine gives no answer about {resting} containers: what is shown of them may be old"
            yield Gap("inspect", Problem(words, f"asked again after {REST:g} s"))
        if events.problem is not None and self._reads > 1:
            yield Gap("events", events.problem)
        if events.skipped:
            yield Gap("events", Problem(f"{events.skipped} events were too long or not understood"))


async def _list_of(client: EngineClient) -> list[Any]:
    answer = await client.get_json("containers/json", {"all": "1"})
    if not isinstance(answer, list):
        raise AnswerError(200, "the list of containers is no list")
    return answer


def _plain(error: SourceError | AnswerError) -> SourceError:
    if isinstance(error, AnswerError):
        return SourceError(Problem(f"the Docker engine answered with an error: {error.words}"))
    return error


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
