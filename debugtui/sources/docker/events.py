"""The engine's events: read as they come, kept in a bounded ring."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from debugtui.hosts.link import LinkError
from debugtui.model.docker import DockerEvent
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import LOST, AnswerError, EngineClient
from debugtui.sources.docker.fields import Object, number, obj, text

#: Events kept.
KEPT = 200

#: How far back the engine is asked when it is first met: it remembers its last 256 events. The restart rule looks back as far.
HISTORY = timedelta(minutes=10)

#: Longest event (bytes). Each carries its container's labels. A longer one is skipped and counted.
EVENT_LIMIT = 256_000

#: Seconds between two attempts to open the stream.
PAUSES = (1.0, 2.0, 5.0, 10.0)

# What is asked for. Left out is what every health check and every look at a container causes (exec_*, top, attach, mount...).
_ACTIONS = (
    "create", "start", "restart", "stop", "die", "kill", "oom", "pause", "unpause", "rename", "update", "destroy",
    "health_status", "pull", "push", "tag", "untag", "delete", "import", "load", "prune", "connect", "disconnect", "remove",
    "reload",
)  # fmt: skip

_NANOSECONDS = 1_000_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Happened:
    """One event, and the id of what it is about."""

    identity: str
    event: DockerEvent
    nanoseconds: int


def parse_event(data: bytes) -> Happened:
    """Read one event.

    Raises:
        ValueError: it is not understood.
    """
    try:
        root = obj(json.loads(data))
    except RecursionError as error:
        raise ValueError("too deep") from error
    kind, action = text(root.get("Type"), 30), text(root.get("Action"), 200)
    nanoseconds = number(root.get("timeNano"))
    if not nanoseconds:
        nanoseconds = (number(root.get("time")) or 0) * _NANOSECONDS
    if not kind or not action or not 0 < nanoseconds < 2**63:
        raise ValueError("no event")
    actor = obj(root.get("Actor"))
    attributes = obj(actor.get("Attributes"))
    action, _, more = action.partition(": ")  # "health_status: unhealthy"
    identity = text(actor.get("ID"), 300)
    name = text(attributes.get("name")) or identity[:100]
    at = datetime.fromtimestamp(nanoseconds // _NANOSECONDS, UTC) + timedelta(microseconds=nanoseconds % _NANOSECONDS // 1000)
    event = DockerEvent(at, kind, action, name, more or _detail(kind, action, attributes))
    return Happened(identity, event, nanoseconds)


def _detail(kind: str, action: str, attributes: Object) -> str:
    if action == "die":
        return f"exit code {text(attributes.get('exitCode'), 10)}"
    if action == "kill":
        return f"signal {text(attributes.get('signal'), 20)}"
    if action == "rename":
        return f"was {text(attributes.get('oldName')).removeprefix('/')}"
    if kind == "container":
        return text(attributes.get("image"))
    if kind == "network":
        return text(attributes.get("container"), 12) or text(attributes.get("type"))
    return text(attributes.get("driver"))


class EventWatch:
    """Reads the stream in a task of its own, from `start` to `stop`; opens it again when it breaks.

    Attributes:
        problem: why events are missing now; None while the stream is open.
    """

    def __init__(self, happened: Callable[[Happened], None]) -> None:
        self.problem: Problem | None = Problem("the stream of events is not open yet")
        self._happened = happened
        self._ring: deque[DockerEvent] = deque(maxlen=KEPT)
        self._health: dict[str, str] = {}
        self._last = 0
        self._skipped = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def events(self) -> tuple[DockerEvent, ...]:
        """What is kept, oldest first."""
        return tuple(self._ring)

    @property
    def skipped(self) -> int:
        """How many events were not understood or too long."""
        return self._skipped

    def start(self, client: EngineClient) -> None:
        """Begin to read; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(client), name="Docker events")

    async def stop(self) -> None:
        """End the task. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self, client: EngineClient) -> None:
        attempts = 0
        while True:
            try:
                await self._read(client)
                attempts = 0
                self.problem = Problem("the engine ended the stream of events", "it is opened again")
            except (SourceError, LinkError) as error:
                self.problem = error.problem
            except AnswerError as error:
                self.problem = Problem(f"the engine refuses its events: {error.words}")
            except LOST as error:
                self.problem = Problem(f"the stream of events broke: {line(str(error), 200) or type(error).__name__}")
            except Exception as error:  # noqa: BLE001 - shown as a gap, logged, and tried again
                _log.exception("Docker events")
                self.problem = Problem(
                    f"{type(error).__name__} in the stream of events", "this is a fault of DebugTUI: see its log"
                )
            await asyncio.sleep(PAUSES[min(attempts, len(PAUSES) - 1)])
            attempts += 1

    async def _read(self, client: EngineClient) -> None:
        since = self._last + 1
        if not self._last:
            engine_now = datetime.now(UTC) + timedelta(seconds=client.ahead_s)
            since = int((engine_now - HISTORY).timestamp()) * _NANOSECONDS
        params = {
            "since": f"{since // _NANOSECONDS}.{since % _NANOSECONDS:09d}",
            "filters": json.dumps({"event": _ACTIONS}),
        }
        async with client.stream("events", params) as content:
            self.problem = None
            held = bytearray()
            skipping = False
            async for part in content.iter_any():
                *whole, rest = part.split(b"\n")
                for piece in whole:
                    if not skipping:
                        self._take(bytes(held + piece))
                    held.clear()
                    skipping = False
                if len(held) + len(rest) > EVENT_LIMIT and not skipping:
                    skipping = True
                    self._skipped += 1
                    held.clear()
                if not skipping:
                    held += rest

    def _take(self, data: bytes) -> None:
        if not data.strip():
            return
        try:
            happened = parse_event(data)
        except ValueError:
            self._skipped += 1
            return
        self._last = max(self._last, happened.nanoseconds)
        event = happened.event
        if event.action.startswith("exec_"):
            return  # an engine that does not know the filter
        if event.action == "health_status":
            if self._health.get(happened.identity) == event.detail:
                return
            self._health[happened.identity] = event.detail
        elif event.action == "destroy":
            self._health.pop(happened.identity, None)
        self._ring.append(event)
        self._happened(happened)
