"""What the tests of container repairs share: surroundings of a real engine, the class of a draft, watching it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from debugtui.config.models import Config, HostConfig
from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Verdict
from debugtui.model.ids import new_id
from debugtui.model.plan import FACTORS, RiskVector
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation import registry, risk
from debugtui.remediation.base import Draft, LiveCheck
from debugtui.remediation.eyes import Surroundings
from debugtui.remediation.planner import check_params
from debugtui.remediation.verify import Watch, watch_all
from tests.lab.repair.pg_tools import NoAsker, Run, drafted, eyes_of
from tests.services.docker_engine import DockerEngine

HOST = "kvm-01"


def around(engine: DockerEngine, *, dwell: float = 0.05, link: Link | None = None) -> Surroundings:
    """Surroundings of a real engine on this machine."""
    host = HostConfig(name=HOST, address="local", docker=engine.url)

    async def view() -> FleetView:
        return FleetView(taken_at=datetime.now(UTC), hosts=())

    asker: Any = NoAsker()
    return Surroundings(Config(hosts=(host,)), host, link or LocalLink(HOST), asker, view, dwell=dwell)


def target(name: str) -> Target:
    return Target(HOST, "docker", name)


async def plan(
    surroundings: Surroundings, remediation: str, name: str, params: Mapping[str, str] | None = None, *, number: str = ""
) -> Run:
    """Draft twice, as plan and engine do. A new number each time: the host starts what has a number only once."""
    entry = registry.get(remediation)
    return await drafted(
        entry, surroundings, check_params(entry.spec, params or {}), target(name), number or new_id("pln", datetime.now(UTC))
    )


def vector(draft: Draft) -> RiskVector:
    """The factors of a draft on a calm host."""
    factors = draft.factors
    levels = {name: getattr(factors, name).level for name in FACTORS if name not in ("uncertainty", "context")}
    levels = {name: 4 if level is None else level for name, level in levels.items()}
    unsure, _ = risk.uncertainty(draft.guards, oldest_s=0.0)
    return RiskVector(**levels, uncertainty=unsure, context=factors.context.level or 0)


def cls(draft: Draft) -> int:
    """The class of a draft on a calm host."""
    return 4 if draft.stop else int(risk.classify(vector(draft)))


def row(draft: Draft) -> str:
    """The factors as they are written in the table of examples: `I2 R2 D1 B1 L0 V0 U0 C0`."""
    found = vector(draft)
    return " ".join(f"{letter}{getattr(found, name)}" for letter, name in zip("IRDBLVUC", FACTORS, strict=True))


def refusals(draft: Draft) -> list[str]:
    return [guard.name for guard in draft.guards if guard.refuses]


async def verdict(run: Run, checks: Sequence[LiveCheck] | None = None) -> Verdict:
    """Watch the checks as the engine does."""
    async with eyes_of(run.around) as eyes:
        watched = run.remediation.checks(run.now()) if checks is None else checks
        watches = [Watch(check, eyes) for check in watched]
        return await asyncio.wait_for(watch_all(watches, lambda: None, asyncio.Event()), 60)


async def until(engine: DockerEngine, name: str, what: str, timeout: float = 20) -> None:
    await asyncio.to_thread(engine.wait_for, name, what, timeout)
