"""The container pane: grouped by Compose project; state, health, restarts, processor, memory against its limit."""

from __future__ import annotations

from collections import defaultdict

from debugtui.model.docker import Container, DockerReading
from debugtui.model.source import SourceStatus
from debugtui.screens.rows.common import tone_of_percent
from debugtui.themes.tones import Tone
from debugtui.widgets.format import percent, rate, size
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("name", "name", min_width=8),
    Column("state", "state", width=8),
    Column("health", "health", width=9, priority=2),
    Column("restarts", "rst", width=4, align="right", priority=1),
    Column("cpu", "cpu", width=6, align="right", priority=3),
    Column("mem", "mem", width=6, align="right", priority=4),
    Column("limit", "limit", width=6, align="right", priority=6),
    Column("net", "net", width=7, align="right", priority=7),
    Column("image", "image", width=24, priority=8),
)

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
        rows.extend(_row(status.host, container) for container in ordered)
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


def _row(host: str, container: Container) -> Row:
    state = state_cell(container)
    alive = container.state in ("running", "paused")
    limit, used = container.memory_limit_bytes, container.memory_bytes
    share = 100 * used / limit if limit and used is not None else None
    net = None
    if container.rx_bytes_s is not None and container.tx_bytes_s is not None:
        net = container.rx_bytes_s + container.tx_bytes_s
    health = "" if container.health == "none" else container.health
    cells = (
        Cell(_short(container), "bad" if state.tone == "bad" else "" if alive else "dim"),
        state,
        Cell(health if alive else _exit_words(container), _HEALTH.get(container.health, "") if alive else "dim"),
        Cell(str(container.restarts) if container.restarts else "", "warn" if container.looping else "dim"),
        Cell(percent(container.cpu_percent)) if alive else "",
        Cell(size(used), tone_of_percent(share, 80, 95) if share is not None else "") if alive else "",
        Cell(size(limit) if limit else "", "dim"),
        Cell(rate(net)) if alive else "",
        Cell(container.image, "dim"),
    )
    sort = (
        container.name,
        container.state,
        health,
        container.restarts,
        container.cpu_percent,
        used,
        limit,
        net,
        container.image,
    )
    return Row(f"{host}/docker/{container.name}", cells, sort=sort)


def _exit_words(container: Container) -> str:
    return f"exit {container.exit_code}" if container.looping and container.exit_code is not None else ""
