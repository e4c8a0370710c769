"""The container pane: grouped by Compose project; state, health, restarts, processor, memory against its limit."""

from __future__ import annotations

from collections import defaultdict

from debugtui.model.docker import Container, DockerReading
from debugtui.model.source import SourceStatus
from debugtui.screens.rows.common import tone_of_percent
from debugtui.themes.tones import Tone
from debugtui.widgets.format import percent, rate, size
from debugtui.widgets.table_rows import Cell, Column, Row

_WORDS: dict[str, tuple[str, Tone]] = {
    "running": ("running", ""),
    "restarting": ("restart", "warn"),
    "paused": ("paused", "warn"),
    "created": ("created", "dim"),
    "removing": ("removing", "dim"),
    "dead": ("dead!", "bad"),
}
_HEALTH: dict[str, Tone] = {"healthy": "ok", "unhealthy": "bad", "starting": "dim"}


def state_cell(container: Container) -> Cell:
    """Return a container's state in one word; `looping!` means a crash loop, `oom!` that memory ran out."""
    if container.looping:
        return Cell("looping!", "bad")
    if container.state == "exited":
        if container.oom_killed:
            return Cell("oom!", "bad")
        return Cell(f"exit {container.exit_code}", "warn" if container.exit_code else "dim")
    word, tone = _WORDS.get(container.state, (container.state, "warn"))
    return Cell(word, tone)


def container_rows(status: SourceStatus, *, several_hosts: bool) -> list[Row]:
    """Return the rows of one engine: a heading for each Compose project, then its containers; the key is the target."""
    reading = status.reading
    if not isinstance(reading, DockerReading):
        return []
    projects: dict[str, list[Container]] = defaultdict(list)
    for container in reading.containers:
        projects[container.project].append(container)
    rows: list[Row] = []
    for project in sorted(projects, key=lambda name: (name == "", name)):
        members = projects[project]
        if len(projects) > 1 or project or several_hosts:
            rows.append(_heading(status.host, project, members, several_hosts))
        ordered = sorted(members, key=lambda container: (container.service or container.name, container.name))
        rows.extend([_row(status.host, container) for container in ordered])
    return rows


def _heading(host: str, project: str, members: list[Container], several_hosts: bool) -> Row:
    running = sum(container.state == "running" and not container.looping for container in members)
    where = f" on {host}" if several_hosts else ""
    text = f"{project or 'no project'}{where}  {running}/{len(members)}"
    return Row(f"project:{host}/{project}", (Cell(text, "heading"),), heading=True)


def _short(container: Container) -> str:
    """Return the service's name where Compose named the container after it: the project stands in the heading already."""
    for separator in ("-", "_"):
        prefix = f"{container.project}{separator}"
        if container.project and container.name.startswith(prefix) and len(container.name) > len(prefix):
            return container.name.removeprefix(prefix)
    return container.name


def _alive(container: Container) -> bool:
    return container.state in ("running", "paused")


def _name(container: Container) -> Cell:
    tone = state_cell(container).tone
    return Cell(_short(container), "bad" if tone == "bad" else "" if _alive(container) else "dim")


def _health(container: Container) -> Cell:
    if not _alive(container):
        looping = container.looping and container.exit_code is not None
        return Cell(f"exit {container.exit_code}" if looping else "", "dim")
    return Cell("" if container.health == "none" else container.health, _HEALTH.get(container.health, ""))


def _restarts(container: Container) -> Cell:
    return Cell(str(container.restarts) if container.restarts else "", "warn" if container.looping else "dim")


def _cpu(container: Container) -> Cell:
    return Cell(percent(container.cpu_percent) if _alive(container) else "")


def _memory(container: Container) -> Cell:
    if not _alive(container):
        return Cell("")
    limit, used = container.memory_limit_bytes, container.memory_bytes
    share = 100 * used / limit if limit and used is not None else None
    return Cell(size(used), tone_of_percent(share, 80, 95) if share is not None else "")


def _limit(container: Container) -> Cell:
    return Cell(size(container.memory_limit_bytes) if container.memory_limit_bytes else "", "dim")


def _traffic(container: Container) -> float | None:
    if container.rx_bytes_s is None or container.tx_bytes_s is None:
        return None
    return container.rx_bytes_s + container.tx_bytes_s


def _net(container: Container) -> Cell:
    return Cell(rate(_traffic(container)) if _alive(container) else "")


# A cell holds the container itself: text is made only of what is visible, so that 10,000 rows cost no more than fifty.
COLUMNS = (
    Column("name", "name", min_width=8, format=_name, value=lambda one: one.name),
    Column("state", "state", width=8, format=state_cell, value=lambda one: one.state),
    Column("health", "health", width=9, priority=2, format=_health, value=lambda one: one.health),
    Column("restarts", "rst", width=4, align="right", priority=1, format=_restarts, value=lambda one: one.restarts),
    Column("cpu", "cpu", width=6, align="right", priority=3, format=_cpu, value=lambda one: one.cpu_percent),
    Column("mem", "mem", width=6, align="right", priority=4, format=_memory, value=lambda one: one.memory_bytes),
    Column("limit", "limit", width=6, align="right", priority=6, format=_limit, value=lambda one: one.memory_limit_bytes),
    Column("net", "net", width=8, align="right", priority=7, format=_net, value=_traffic),
    Column("image", "image", width=24, priority=8, format=lambda one: Cell(one.image, "dim"), value=lambda one: one.image),
)


def _row(host: str, container: Container) -> Row:
    return Row(f"{host}/docker/{container.name}", (container,) * len(COLUMNS))
