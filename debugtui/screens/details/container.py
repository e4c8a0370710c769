"""A container: its state and limits, its logs live, its environment redacted, everything that inspect tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual.widget import Widget

from debugtui.model.docker import Container, DockerReading
from debugtui.model.logs import LogLine
from debugtui.model.source import FleetView, Kind, Problem, SourceStatus
from debugtui.model.target import Target
from debugtui.screens.details.base import table_of
from debugtui.screens.details.texts import TextScreen
from debugtui.screens.rows.common import seconds_since, tone_of_percent
from debugtui.screens.rows.containers import state_cell
from debugtui.screens.rows.stores import EVENTS, event_rows
from debugtui.sources.base import SourceError
from debugtui.sources.loglines import level_of
from debugtui.themes.tones import Tone
from debugtui.widgets.facts import Fact, Facts
from debugtui.widgets.format import age, percent, rate, size
from debugtui.widgets.log_view import LogView
from debugtui.widgets.plot import Plot

if TYPE_CHECKING:
    from debugtui.sources.docker.source import DockerSource

#: Lines of a log that are read at first; follow brings the rest.
TAIL = 2_000


class ContainerScreen(TextScreen):
    """Everything about one container."""

    HELP = "One container. Its log is live: / searches, l changes the level, f follows, & filters, t shows times."
    TABS: ClassVar[tuple[tuple[str, str], ...]] = (
        ("state", "State"),
        ("logs", "Logs"),
        ("environment", "Environment"),
        ("events", "Events"),
        ("inspect", "Inspect"),
    )

    def compose_tab(self, name: str) -> Iterable[Widget]:
        """Yield the widgets of one tab."""
        if name == "state":
            yield Facts(id="facts", classes="facts")
            yield Plot("cpu % of a core", low=0, id="plot-cpu")
            yield Plot("memory, MiB", low=0, id="plot-memory")
        elif name == "events":
            yield table_of(name, EVENTS, "no event since DebugTUI started")
        else:
            yield LogView(level_of if name == "logs" else None, id=f"log-{name}", follow=name == "logs")

    def find_status(self, view: FleetView) -> SourceStatus | None:
        """Return the engine's source."""
        return self.status_of(view, Kind.DOCKER)

    @property
    def container(self) -> Container | None:
        """The container as last read; None where it is gone."""
        reading = self._status.reading if self._status is not None else None
        if not isinstance(reading, DockerReading):
            return None
        return next((one for one in reading.containers if one.name == self.target.name), None)

    def _source(self) -> DockerSource:
        source = self.app.fleet.source(self.target.host, Kind.DOCKER) if self.app.fleet is not None else None
        if source is None or not hasattr(source, "logs"):
            raise SourceError(Problem("this source has no logs"))
        return cast("DockerSource", source)

    def _container_id(self) -> str:
        container = self.container
        if container is None:
            raise SourceError(Problem(f"there is no container {self.target.name} now", "r reads again"))
        return container.id

    def tab_shown(self, name: str) -> None:
        """Start reading what the tab shows."""
        if name == "logs":
            if not self.view_of(name).counts[1]:
                self.follow(name, self._logs)
        elif name in ("environment", "inspect"):
            self.load(name, self._environment if name == "environment" else self._inspect)

    async def _logs(self) -> AsyncIterator[Sequence[LogLine]]:
        async for batch in self._source().logs(self._container_id(), tail=TAIL, since=None, follow=True):
            yield batch

    async def _inspect(self) -> str:
        document = await self._source().inspect(self._container_id())
        return await asyncio.to_thread(json.dumps, document, indent=2, ensure_ascii=False, sort_keys=True)

    async def _environment(self) -> str:
        document = await self._source().inspect(self._container_id())
        config = document.get("Config")
        lines = config.get("Env") if isinstance(config, dict) else None
        return "\n".join(str(line) for line in lines) if isinstance(lines, list) and lines else "no environment variables"

    def paint_tab(self, name: str, view: FleetView) -> None:
        """Paint one tab."""
        reading = self._status.reading if self._status is not None else None
        container = self.container
        if name == "state":
            gone: list[Fact] = [("state", "gone: the engine does not list it any more", "bad")]
            read = isinstance(reading, DockerReading)
            self.query_one("#facts", Facts).show(facts_of(container, view.taken_at) if container else gone if read else [])
            self._plot()
        elif name == "events" and isinstance(reading, DockerReading):
            mine = tuple(event for event in reading.events if event.name == self.target.name)
            self.table(name).set_rows(event_rows(mine, view))

    def _plot(self) -> None:
        if self.app.fleet is None:
            return
        target = Target(self.target.host, Kind.DOCKER, self.target.name)
        cpu = self.app.fleet.series(target, "cpu")
        self.query_one("#plot-cpu", Plot).show(cpu.times, cpu.values)
        memory = self.app.fleet.series(target, "memory")
        self.query_one("#plot-memory", Plot).show(memory.times, [value / (1 << 20) for value in memory.values])


def facts_of(one: Container, now: datetime) -> list[Fact]:
    """Return what is known of a container."""
    state = state_cell(one)
    limit, used = one.memory_limit_bytes, one.memory_bytes
    share = 100 * used / limit if limit and used is not None else None
    memory = f"{size(used)} of {size(limit)} ({percent(share)})" if limit else f"{size(used)}, no limit"
    ended: Tone = "bad" if one.exit_code or one.oom_killed else ""
    exit_words = f"exit code {one.exit_code}" + (", out of memory" if one.oom_killed else "")
    facts: list[Fact] = [
        ("state", f"{state.text}  ({one.status})", state.tone),
        ("health", one.health, "bad" if one.health == "unhealthy" else "ok" if one.health == "healthy" else "dim"),
        ("restarts", f"{one.restarts}, policy {one.restart_policy or 'no'}", "bad" if one.looping else ""),
        ("started", f"{age(seconds_since(one.started_at, now))} ago" if one.started_at else "never", ""),
    ]
    if one.finished_at is not None:
        facts.append(("last end", f"{age(seconds_since(one.finished_at, now))} ago, {exit_words}", ended))
    if one.error:
        facts.append(("error", one.error, "bad"))
    facts += [
        ("cpu", percent(one.cpu_percent), ""),
        ("memory", memory, tone_of_percent(share, 80, 95) if share is not None else ""),
        ("network", f"{rate(one.rx_bytes_s)} in, {rate(one.tx_bytes_s)} out", ""),
        ("disk", f"{rate(one.read_bytes_s)} read, {rate(one.write_bytes_s)} written", ""),
        ("processes", "-" if one.pids is None else str(one.pids), ""),
        ("image", f"{one.image}  {one.image_id[:19]}", ""),
        ("command", one.command, ""),
        ("Compose", f"{one.project} / {one.service}" if one.project else "no", "dim" if not one.project else ""),
        ("ports", ", ".join(one.ports) or "none", ""),
        ("networks", ", ".join(one.networks) or "none", ""),
        ("mounts", ", ".join(one.mounts) or "none", ""),
        ("id", one.id, "dim"),
    ]
    return facts
