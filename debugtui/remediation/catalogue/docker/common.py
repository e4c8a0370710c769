"""One container as a repair sees it: found by name or id, read from the engine, told apart from what it was."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from debugtui.model.docker import Container, DockerReading
from debugtui.model.source import FleetView, Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import PlanError
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    from debugtui.remediation.eyes import Eyes
    from debugtui.sources.docker.client import EngineClient

PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"

#: The engine gives a process this long (seconds) to end where the container does not say otherwise.
STOP_TIMEOUT = 10

#: A container that came back by itself, and began less than this ago, counts as looping: the engine waits 60 s at most before
#: it starts one again, and the source counts ends within the same time.
LOOP_WINDOW = timedelta(minutes=10)

#: Seconds that a started container is watched at least: as long as the engine waits at most before it starts one again.
LEAST_WATCH = 60

#: Says in an identity that the time of the start is none: it changes by itself.
AGAIN_AND_AGAIN = "again and again"

#: Shortest beginning of an id that names a container.
SHORTEST_ID = 4

_ID = re.compile(r"[0-9a-f]{4,64}")
_NANOSECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """A container as the engine's inspect answer has it.

    Attributes:
        document: the whole answer, secrets included: never shown, stored, or put into an exception.
        now: the engine's clock when it was read.
    """

    document: dict[str, Any] = field(repr=False)
    now: datetime

    def _part(self, *names: str) -> Any:
        value: Any = self.document
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    def text(self, *names: str) -> str:
        """Return a string of the answer; empty for anything else."""
        value = self._part(*names)
        return value if isinstance(value, str) else ""

    def number(self, *names: str) -> int:
        """Return a whole number of the answer; 0 for anything else."""
        value = self._part(*names)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def table(self, *names: str) -> dict[str, Any]:
        """Return an object of the answer; an empty one for anything else."""
        value = self._part(*names)
        return value if isinstance(value, dict) else {}

    def rows(self, *names: str) -> list[Any]:
        """Return a list of the answer; an empty one for anything else."""
        value = self._part(*names)
        return value if isinstance(value, list) else []

    def flag(self, *names: str) -> bool:
        """Return whether a field is true."""
        return self._part(*names) is True

    @property
    def id(self) -> str:
        """The whole id."""
        return self.text("Id")

    @property
    def name(self) -> str:
        """The name, without the engine's slash."""
        return self.text("Name").removeprefix("/")

    @property
    def shown(self) -> str:
        """The name, safe to show."""
        return line(self.name, 80)

    @property
    def status(self) -> str:
        """The engine's word: `running`, `exited`, `restarting`..."""
        return line(self.text("State", "Status"), 20)

    @property
    def running(self) -> bool:
        """Whether it has a process now; False while the engine waits before it starts it again."""
        return self.flag("State", "Running") and not self.flag("State", "Restarting")

    @property
    def started_at(self) -> str:
        """When it was started last, as the engine writes it, to the nanosecond."""
        return self.text("State", "StartedAt")

    @property
    def restarts(self) -> int:
        """How often the engine started it again by itself."""
        return self.number("RestartCount")

    @property
    def policy(self) -> dict[str, Any]:
        """The restart policy as the engine takes it."""
        policy = self.table("HostConfig", "RestartPolicy")
        return {"Name": str(policy.get("Name") or ""), "MaximumRetryCount": int(policy.get("MaximumRetryCount") or 0)}

    @property
    def comes_back(self) -> bool:
        """Whether the engine starts it again by itself after it ended."""
        return self.policy["Name"] not in ("", "no")

    @property
    def auto_remove(self) -> bool:
        """Whether it vanishes when it ends (`--rm`)."""
        return self.flag("HostConfig", "AutoRemove")

    @property
    def health(self) -> str:
        """`healthy`, `unhealthy`, `starting`, or `none` where there is no health check."""
        return line(self.text("State", "Health", "Status"), 20) or "none"

    @property
    def has_health(self) -> bool:
        """Whether a health check is defined, and not switched off."""
        test = self.rows("Config", "Healthcheck", "Test")
        return bool(test) and test[0] != "NONE"

    @property
    def stop_timeout(self) -> int:
        """Seconds that the engine waits for its end before it kills it."""
        value = self._part("Config", "StopTimeout")
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else STOP_TIMEOUT

    @property
    def health_span(self) -> int:
        """Seconds in which a health check speaks: its start period and three intervals (30 s each where it does not say)."""
        if not self.has_health:
            return 0
        interval = self.number("Config", "Healthcheck", "Interval") or 30 * _NANOSECOND
        start = self.number("Config", "Healthcheck", "StartPeriod")
        return -(-(start + 3 * interval) // _NANOSECOND)

    @property
    def watch_s(self) -> int:
        """Seconds that it has to stay up after a start before that counts."""
        return max(LEAST_WATCH, self.health_span)

    @property
    def project(self) -> str:
        """The Compose project; empty outside Compose."""
        return self.label(PROJECT_LABEL)

    @property
    def service(self) -> str:
        """The Compose service; empty outside Compose."""
        return self.label(SERVICE_LABEL)

    def label(self, name: str) -> str:
        """Return a label's value; empty where it has none."""
        return self.text("Config", "Labels", name)

    @property
    def oom_killed(self) -> bool:
        """Whether its last run ended for want of memory."""
        return self.flag("State", "OOMKilled")

    @property
    def started(self) -> datetime | None:
        """When it was started last."""
        from debugtui.sources.docker.fields import moment

        return moment(self.started_at)

    @property
    def looping(self) -> bool:
        """Whether it ends and is started again by itself: it waits for its next start, or came back a short while ago."""
        if self.flag("State", "Restarting"):
            return True
        began = self.started
        recent = began is not None and self.now - began < LOOP_WINDOW
        return self.running and self.comes_back and self.restarts >= 1 and recent

    @property
    def failing(self) -> str:
        """Why it serves nobody properly now, in a few words; empty where it does."""
        if self.looping:
            return "it ends and is started again by itself"
        if self.flag("State", "Paused"):
            return "it is paused"
        if not self.running:
            return f"it does not run ({self.status or 'no state'})"
        return "its health check fails" if self.health == "unhealthy" else ""

    def identity(self) -> dict[str, str]:
        """Return what has to be the same when something is applied to it."""
        return {
            "id": self.id,
            "started": AGAIN_AND_AGAIN if self.looping else f"{self.status} since {self.started_at}",
            "policy": policy_text(self.policy),
        }


def policy_text(policy: dict[str, Any]) -> str:
    """Return a restart policy as the command line writes it: `on-failure:3`."""
    name, most = str(policy.get("Name") or "no"), int(policy.get("MaximumRetryCount") or 0)
    return line(f"{name}:{most}" if name == "on-failure" and most else name, 60)


def check_target(target: Target) -> str:
    """Return the container's name or id of a target.

    Raises:
        PlanError: it names none.
    """
    if not target.name or "/" in target.name:
        raise PlanError(f"{line(str(target), 200)} names no container: HOST/docker/NAME")
    return target.name


async def find(eyes: Eyes, target: Target) -> Box:
    """Find a container by its name, or by a beginning of its id that no other one has, and read it.

    Raises:
        PlanError: there is none, or several.
        SourceError, LinkError: the engine could not be asked.
    """
    wanted = check_target(target)
    client = await eyes.docker()
    found = await containers(client)
    names = {name: one for one in found for name in own_names(one)}
    if wanted in names:
        return await _read(client, names[wanted], wanted)
    near = [one for one in found if _ID.fullmatch(wanted) and str(one.get("Id", "")).startswith(wanted)]
    if len(near) == 1:
        return await _read(client, near[0], wanted)
    if near:
        raise PlanError(f"{line(wanted, 80)!r} is the beginning of {len(near)} containers' ids")
    close = difflib.get_close_matches(wanted, sorted(names), 1)
    hint = f"; did you mean {line(close[0], 80)!r}?" if close else ""
    raise PlanError(f"there is no container {line(wanted, 80)!r} on {line(target.host, 80)}{hint}")


async def _read(client: EngineClient, entry: dict[str, Any], wanted: str) -> Box:
    box = await look(client, str(entry.get("Id", "")))
    if box is None:
        raise PlanError(f"the container {line(wanted, 80)!r} has just been removed")
    return box


async def containers(client: EngineClient) -> list[dict[str, Any]]:
    """Return the engine's list of all containers, running or not."""
    from debugtui.sources.docker.client import AnswerError

    try:
        answer = await client.get_json("containers/json", {"all": "1"})
    except AnswerError as error:
        raise refused(error) from None
    if not isinstance(answer, list):
        raise SourceError(Problem("the Docker engine's list of containers is not understood"))
    return [one for one in answer if isinstance(one, dict) and one.get("Id")]


def own_names(entry: dict[str, Any]) -> list[str]:
    """Return a container's own names out of the list; those with a second slash are links of others."""
    names = [str(name).removeprefix("/") for name in entry.get("Names") or ()]
    return [name for name in names if name and "/" not in name]


async def look(client: EngineClient, name: str) -> Box | None:
    """Read one container by id or name; None where there is none.

    Raises:
        SourceError, LinkError: the engine could not be asked.
    """
    from debugtui.sources.docker.client import AnswerError
    from debugtui.sources.docker.inspecting import INSPECT_LIMIT, container_path

    try:
        answer = await client.get_json(container_path(name, "json"), limit=INSPECT_LIMIT)
    except AnswerError as error:
        if error.status == 404:
            return None
        raise refused(error) from None
    if not isinstance(answer, dict):
        raise SourceError(Problem("the Docker engine's answer about a container is not understood"))
    from datetime import UTC

    return Box(answer, datetime.now(UTC) + timedelta(seconds=client.ahead_s))


def refused(error: Exception) -> SourceError:
    """Return the engine's refusal of a look, in words."""
    from debugtui.config.redaction import redact

    return SourceError(Problem(f"the Docker engine refuses: {redact(line(str(error), 300))}"))


def row_of(view: FleetView, target: Target) -> tuple[Container, DockerReading] | None:
    """Return what the screen shows of a container; None where it shows none of that name."""
    if target.kind != "docker" or not target.name:
        return None
    reading = reading_of(view, target.host)
    for container in reading.containers if reading else ():
        if reading and target.name in (container.name, container.id):
            return container, reading
    return None


def reading_of(view: FleetView, host: str) -> DockerReading | None:
    """Return the newest reading of a host's engine."""
    for one in view.hosts:
        for status in one.sources if one.name == host else ():
            if isinstance(status.reading, DockerReading):
                return status.reading
    return None


def size_text(size: float) -> str:
    """Return bytes as `512 MiB`, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024 or unit == "GiB":
            return f"{size:.0f} {unit}" if unit == "B" or size == int(size) else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")
