"""PostgreSQL repairs from plan to outcome through the repair desk, as the screen and the command line do them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig, PostgresConfig
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Decision, Progress
from debugtui.model.plan import Guard, Plan
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation.desk import Desk
from tests.services.postgres_server import PostgresServer

HOST = "kvm-01"
#: Waiting times are a fiftieth of production's: 30 s become 0.6 s.
DWELL = 0.02


@dataclass
class PgLab:
    """A desk whose one host is this machine, with one real database."""

    desk: Desk
    server: PostgresServer
    told: list[Progress] = field(default_factory=list)

    async def plan(self, name: str, resource: str = "coach", params: Mapping[str, str] | None = None) -> Plan:
        return await self.desk.plan(f"postgres.{name}", Target(HOST, "postgres", resource), dict(params or {}))

    async def apply(self, plan: Plan, tell: Callable[[Progress], None] | None = None) -> Progress:
        approval = self.desk.approve(plan, confirmed=plan.short_name, reason="test", break_glass=plan.risk.cls >= 3)
        return await self.desk.apply(plan, approval, tell or self.told.append, _leave)

    async def back(self, done: Progress) -> Progress:
        approval = self.desk.approve_rollback(done.plan, confirmed=done.plan.short_name, reason="test")
        return await self.desk.rollback(done.execution, approval, self.told.append, _leave)

    async def run(self, remediation: str, /, resource: str = "coach", **params: str) -> Progress:
        return await self.apply(await self.plan(remediation, resource, params))


async def _leave(_: Progress) -> Decision:
    return Decision.LEAVE


def guard(plan: Plan, name: str) -> Guard:
    return next(guard for guard in plan.guards if guard.name == name)


@contextlib.asynccontextmanager
async def pg_lab(server: PostgresServer, folder: Path, repair: str = "postgres", dwell: float = DWELL) -> AsyncIterator[PgLab]:
    database = PostgresConfig(name="coach", dsn=server.dsn(), repair_dsn=server.dsn(repair))
    config = Config(hosts=(HostConfig(name=HOST, address="local", postgres=(database,)),))
    link = LocalLink(HOST)

    async def view(_: str) -> FleetView:
        now = datetime.now(UTC)
        return FleetView(taken_at=now, hosts=(HostView(name=HOST, address="local", link=LinkStatus(LinkState.UP), sources=()),))

    desk = Desk(config, NobodyToAsk(), lambda _: link, view, state=folder / "desk", dwell=dwell)
    try:
        yield PgLab(desk, server)
    finally:
        await desk.close()
        await link.close()


@contextlib.asynccontextmanager
async def session(
    server: PostgresServer, user: str = "app", application: str = "coach-web"
) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application, cut off afterwards."""
    connection = await server.connect(user=user, server_settings={"application_name": application})
    try:
        yield connection
    finally:
        connection.terminate()


async def value(server: PostgresServer, sql: str, *args: object) -> object:
    """What an administrator's new session sees."""
    connection = await server.connect()
    try:
        return await connection.fetchval(sql, *args)
    finally:
        await connection.close()
