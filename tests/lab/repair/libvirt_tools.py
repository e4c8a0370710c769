"""What the tests of VM repairs share: eyes and hands on the real daemon, and a plan's way without the engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Approval, Person, Verdict
from debugtui.model.plan import FACTORS, Plan
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import Done, Job, LiveCheck, LiveStep, Settled
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.hands import Hands
from debugtui.remediation.planner import job_of, make_plan, remake
from tests.services.libvirt_host import LibvirtHost, wait_for

HOST = "kvm-01"
DWELL = 0.1


def target(name: str) -> Target:
    return Target(HOST, "libvirt", name)


def surroundings(uri: str, *, services: Mapping[str, Sequence[str]] | None = None, **more: Any) -> Surroundings:
    """A calm host; `services`: targets by name of the service."""
    host = HostConfig.model_validate({"name": HOST, "address": "local", "libvirt": uri, **more.pop("host", {})})
    named = [{"name": name, "resources": tuple(resources)} for name, resources in (services or {}).items()]
    config = Config.model_validate({"hosts": (host,), "services": named})

    async def view() -> FleetView:
        return FleetView(datetime.now(UTC), (HostView(HOST, "local", LinkStatus(LinkState.UP)),))

    link = more.pop("link", None) or LocalLink(HOST)
    return Surroundings(config, host, link, NobodyToAsk(), more.pop("view", view), dwell=DWELL, **more)


@contextlib.asynccontextmanager
async def eyes_on(around: Surroundings) -> AsyncIterator[Eyes]:
    eyes = Eyes(around)
    try:
        yield eyes
    finally:
        await eyes.close()


@dataclass
class Repair:
    """One plan, carried through step by step."""

    around: Surroundings
    plan: Plan
    told: list[str] = field(default_factory=list)
    results: dict[str, object] = field(default_factory=dict)

    @property
    def remediation(self) -> Any:
        return registry.get(self.plan.remediation)

    @property
    def job(self) -> Job:
        return job_of(self.plan, self.results)

    @property
    def vector(self) -> tuple[int, ...]:
        return tuple(getattr(self.plan.risk.vector, name) for name in FACTORS)

    def guard(self, name: str) -> str:
        return next(guard.status.value for guard in self.plan.guards if guard.name == name)

    async def step(self, step: LiveStep, number: str) -> Done:
        now = datetime.now(UTC)
        approval = Approval(
            self.plan.id, self.plan.digest, self.plan.before.fingerprint, self.plan.risk.cls,
            Person("ops", 1000, "Ops", "tty"), now, now + timedelta(minutes=5),
        )  # fmt: skip
        hands = Hands(self.around, self.plan, approval, number, self.results, self.told.append)
        try:
            done = await asyncio.wait_for(step.run(hands), step.timeout_s)
        finally:
            await hands.close()
        self.results.update(done.facts)
        return done

    async def steps(self) -> list[Done]:
        return [await self.step(step, str(number)) for number, step in enumerate(self.remediation.steps(self.job), 1)]

    async def undo(self) -> list[Done]:
        return [await self.step(step, f"r{number}") for number, step in enumerate(self.remediation.undo(self.job), 1)]

    async def settle(self, number: int = 1, *, undo: bool = False) -> Settled:
        steps = self.remediation.undo(self.job) if undo else self.remediation.steps(self.job)
        async with eyes_on(self.around) as eyes:
            return await steps[number - 1].settle(eyes)

    async def verify(self, *, undo: bool = False) -> dict[str, Verdict]:
        """Watch every check as the engine does: within its time ok, then ok for as long as it has to hold."""
        checks = self.remediation.undo_checks(self.job) if undo else self.remediation.checks(self.job)
        async with eyes_on(self.around) as eyes:
            found = await asyncio.gather(*(_watch(check, eyes) for check in checks))
        return {check.name: verdict for check, verdict in zip(checks, found, strict=True)}

    async def redraft(self) -> Plan:
        async with eyes_on(self.around) as eyes:
            return await remake(eyes, self.plan)


async def _watch(check: LiveCheck, eyes: Eyes) -> Verdict:
    began, held, valid = time.monotonic(), None, 0
    while True:
        sample = await check.sample(eyes)
        now = time.monotonic()
        valid += sample.ok is not None
        if sample.ok:
            held = held or now
            if now - held >= check.watch_s * DWELL and valid >= check.least:
                return Verdict.PASS
        elif held is not None or now - began > check.within_s * DWELL:
            return Verdict.FAIL if sample.ok is False else Verdict.INCONCLUSIVE
        await asyncio.sleep(check.every_s * DWELL)


async def plan_for(around: Surroundings, name: str, vm: str, /, **params: str) -> Repair:
    """Plan, and see that the plan made again is the same."""
    async with eyes_on(around) as eyes:
        plan = await make_plan(eyes, name, target(vm), params)
        again = await remake(eyes, plan)
    assert (plan.before.identity, plan.data, plan.steps, plan.rollback) == (
        again.before.identity, again.data, again.steps, again.rollback,
    )  # fmt: skip
    assert plan.problem == again.problem
    assert plan.solution == again.solution
    return Repair(around, plan)


def all_pass(verdicts: Mapping[str, Verdict]) -> bool:
    return bool(verdicts) and all(verdict is Verdict.PASS for verdict in verdicts.values())


def inactive(host: LibvirtHost, name: str) -> str:
    with host.guest(name) as guest:
        return str(guest.XMLDesc(2))


def live(host: LibvirtHost, name: str) -> str:
    with host.guest(name) as guest:
        return str(guest.XMLDesc(0))


def state(host: LibvirtHost, name: str) -> tuple[int, int]:
    with host.guest(name) as guest:
        return tuple(guest.state())


def files(host: LibvirtHost, pattern: str) -> list[Path]:
    return sorted(host.folder.glob(pattern))


@contextlib.contextmanager
def booted(host: LibvirtHost, name: str, change: Any = lambda xml: xml) -> Iterator[str]:
    """A guest of its own, booted as far as its first tick; its definition changed by `change`."""
    host._image(name)
    host._own()
    host.define(name, console=True)
    xml = change(inactive(host, name))
    with host.connect() as connection:
        connection.defineXML(xml)
    host.start_guest(name)
    try:
        wait_for(lambda: "tick" in host.console(name), 90, f"{name} is up")
        yield name
    finally:
        with host.guest(name) as guest:
            for snapshot in guest.listAllSnapshots(0):
                snapshot.delete(2)
        host.undefine(name)
        for file in files(host, f"{name}*"):
            file.unlink()
