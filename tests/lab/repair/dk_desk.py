"""Container repairs from plan to outcome through the repair desk, as the screen and the command line do them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig
from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Decision, Progress
from debugtui.model.plan import Plan
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation.desk import Desk
from debugtui.sources.docker.source import DockerSource
from tests.services.docker_engine import DockerEngine

HOST = "kvm-01"


@dataclass
class DockerLab:
    """A desk whose one host is this machine, with one real engine."""

    desk: Desk
    engine: DockerEngine
    told: list[Progress] = field(default_factory=list)

    async def plan(self, name: str, resource: str, **params: str) -> Plan:
        named = {key.replace("__", "."): value for key, value in params.items()}
        return await self.desk.plan(f"docker.{name}", Target(HOST, "docker", resource), named)

    async def apply(self, plan: Plan) -> Progress:
        approval = self.desk.approve(plan, confirmed=plan.short_name, reason="test", break_glass=plan.risk.cls >= 3)
        return await self.desk.apply(plan, approval, self.told.append, _leave)

    async def back(self, done: Progress) -> Progress:
        approval = self.desk.approve_rollback(done.plan, confirmed=done.plan.short_name, reason="test")
        return await self.desk.rollback(done.execution, approval, self.told.append, _leave)

    async def run(self, name: str, resource: str, **params: str) -> Progress:
        return await self.apply(await self.plan(name, resource, **params))


async def _leave(_: Progress) -> Decision:
    return Decision.LEAVE


@contextlib.asynccontextmanager
async def docker_lab(
    engine: DockerEngine, folder: Path, *, dwell: float = 0.05, link: Link | None = None
) -> AsyncIterator[DockerLab]:
    config = Config(hosts=(HostConfig(name=HOST, address="local", docker=engine.url),))
    used = link or LocalLink(HOST)
    source = DockerSource(used, engine.url)

    async def view(_: str) -> FleetView:
        reading = await source.read(full=False)
        status = SourceStatus(HOST, "docker", Kind.DOCKER, Freshness.LIVE, reading=reading)
        host = HostView(name=HOST, address="local", link=LinkStatus(LinkState.UP), sources=(status,))
        return FleetView(taken_at=datetime.now(UTC), hosts=(host,))

    desk = Desk(config, NobodyToAsk(), lambda _: used, view, state=folder / "desk", dwell=dwell)
    try:
        yield DockerLab(desk, engine)
    finally:
        await desk.close()
        await source.close()
        await used.close()
