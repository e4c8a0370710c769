"""A remediation whose draft the test writes, and the eyes to look with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from debugtui.config.ask import NobodyToAsk
from debugtui.config.hosts import HostConfig, PostgresConfig
from debugtui.config.models import Config
from debugtui.model.plan import DiffPart, Guard, GuardStatus
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Parameter,
    Remediation,
    Sample,
    Settled,
    Spec,
    Undo,
)
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.hands import Hands
from tests.unit.fakes import START, FakeClock, FakeLink

TARGET = Target("kvm-01", "docker", "api")
CALM = Factors(*(Factor(level, f"because {level}") for level in (1, 2, 1, 1, 0, 0)))
DRAFT = Draft(
    target=TARGET,
    problem="api does not answer",
    solution="restart api",
    factors=CALM,
    identity={"id": "abc", "started": "09:00"},
    data={"id": "abc", "timeout_s": 10},
    diff=(DiffPart("state", "text", "running since 09:00", "running since now"),),
    guards=(Guard("logs_read", GuardStatus.PASS, "the last 200 lines were read", "200 lines"),),
)


class Scripted(Remediation):
    """See the module."""

    spec = Spec(
        name="docker.scripted",
        title="Scripted",
        summary="Restarts a container that only exists in a test.",
        target="HOST/docker/NAME",
        parameters=(
            Parameter("level", "how much"),
            Parameter("note", "a note", required=False),
            Parameter("grace", "seconds", required=False, default="10"),
            Parameter("env", "an environment variable", required=False, prefix=True),
        ),
        risk=(1, 4),
        undo=Undo.EXACT,
        undo_says="the same state",
        guards=("logs_read",),
    )

    def __init__(self, draft: Draft = DRAFT, *, steps: bool = True, checks: bool = True) -> None:
        self.draft_ = draft
        self.has_steps, self.has_checks = steps, checks
        self.asked: list[dict[str, str]] = []

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        return Offer(self.spec.name, target, True, "it is there")

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        self.asked.append(dict(params))
        return self.draft_

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        return (self._step("restart", f"POST /containers/{job.data['id']}/restart"),) if self.has_steps else ()

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        return (self._step("start again", f"POST /containers/{job.data['id']}/start"),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        async def sample(_eyes: Eyes) -> Sample:
            return Sample(True, "running")

        return (LiveCheck("running", 30, "it has to stay up", sample),) if self.has_checks else ()

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        return self.checks(job)

    @staticmethod
    def _step(name: str, command: str) -> LiveStep:
        async def run(_hands: Hands) -> Done:
            return Done("done")

        async def settle(_eyes: Eyes) -> Settled:
            return Settled.UNKNOWN

        return LiveStep(name, command, True, 20, None, run, settle)


def drafted(**changes: Any) -> Scripted:
    """Return a remediation with the draft above, changed."""
    return Scripted(replace(DRAFT, **changes))


def eyes(
    *sources: SourceStatus, repair: Mapping[str, Any] | None = None, clock: FakeClock | None = None, known: bool = True
) -> Eyes:
    """Return eyes on a host with these sources; `known`: the readings hold the host at all."""
    host = HostConfig(
        name="kvm-01",
        address="local",
        postgres=(
            PostgresConfig(name="coach", dsn="postgresql://monitor@/coach", repair_dsn="postgresql://owner@/coach"),
            PostgresConfig(name="watched", dsn="postgresql://monitor@/coach"),
        ),
    )
    config = Config(hosts=(host,), **({"repair": dict(repair)} if repair else {}))
    view = FleetView(START, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), sources),) if known else ())

    async def read() -> FleetView:
        return view

    return Eyes(Surroundings(config, host, FakeLink(), NobodyToAsk(), read, clock=clock or FakeClock()))
