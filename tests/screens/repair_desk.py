"""A repair desk without a host: it offers and plans what tests wrote, and records everything that it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from debugtui.model.execution import (
    Approval,
    CheckProgress,
    Decision,
    Execution,
    Progress,
    Progressing,
    SampleTaken,
    State,
    StepProgress,
    Verdict,
)
from debugtui.model.plan import (
    FACTORS,
    Before,
    Check,
    DiffPart,
    Guard,
    GuardStatus,
    Mitigation,
    Plan,
    Risk,
    RiskClass,
    RiskVector,
    Step,
    UndoStep,
)
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.approvals import make_approval
from debugtui.remediation.base import Offer, Parameter, PlanError, Spec, Undo
from tests.unit.fakes import START as NOW
from tests.unit.remediation.plans import ALICE

WHY = (
    "one session ends; its application connects again",
    "what was rolled back is gone; the application has to do it again",
    "one session's uncommitted work of 134 s is lost",
    "one session of one application",
    "it takes no lock, it frees some",
    "sessions and locks are read directly",
    "everything was measured just now",
    "another alert: coach-worker-1 restarts in a loop",
)
TERMINATE = Plan(
    id="pln_01JQ0000000000000000000001",
    remediation="postgres.terminate_session",
    target=Target("kvm-01", "postgres", "coach/4711"),
    params=(),
    problem="session 4711 of coach-web is idle in transaction and blocks others",
    solution="end session 4711; what it has not committed is rolled back",
    risk=Risk(RiskClass.CAREFUL, "reversibility", RiskVector(1, 4, 1, 1, 0, 0, 0, 1), WHY),
    before=Before("sha256:1", NOW, (("session", "4711"), ("since", "09:00:00"))),
    diff=(
        DiffPart(
            "who waits for whom",
            "text",
            "4711 coach-web: idle in transaction, 134 s\n  4720 coach-api: waits for ShareLock\n    4733 migrations: waits\n",
            "4720 coach-api: active\n  4733 migrations: waits for AccessExclusiveLock on activities\n",
        ),
        DiffPart("its last statement, literals masked", "sql", "UPDATE activities SET note = ? WHERE id = ?", ""),
    ),
    guards=(
        Guard("target_identity", GuardStatus.PASS, "read just now; it is read again before anything is sent", "session 4711"),
        Guard("not_backup", GuardStatus.PASS, "it makes no backup", "application_name is coach-web, read just now"),
        Guard("replica_lag", GuardStatus.UNKNOWN, "how far the standby is behind is not known", critical=False),
    ),
    steps=(
        Step("end the session", "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity\nWHERE pid = 4711", True, 10),
    ),
    rollback=(),
    irreversible=("the transaction of session 4711 is rolled back: its application has to do it again",),
    checks=(
        Check("the session is gone", 30, "true from the server is not a session that is gone"),
        Check("whoever waited is free", 30, "the next in the queue may block as well"),
    ),
    mitigations=(Mitigation("postgres.role_timeout", "no session could idle so long in a transaction"),),
    data="{}",
    made_at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
ENV = "\n".join(f"SETTING_{number}=value {number}" for number in range(12))
RECREATE = replace(
    TERMINATE,
    id="pln_01JQ0000000000000000000002",
    remediation="docker.recreate",
    target=Target("kvm-01", "docker", "coach-worker-1"),
    problem="coach-worker-1 restarts in a loop, exit code 3",
    solution="make it anew from coach/worker:4.11.0 and keep the old one until that is verified",
    risk=Risk(
        RiskClass.SEVERE, "interruption", RiskVector(3, 2, 1, 2, 0, 0, 0, 0), tuple(f"{name}: as judged" for name in FACTORS)
    ),
    diff=(
        DiffPart(
            "configuration", "yaml", f"image: coach/worker:4.12.0\n{ENV}\n", f"image: coach/worker:4.11.0\n{ENV}\nGOOD=1\n"
        ),
    ),
    steps=(
        Step("make the new container", "POST /containers/create?name=coach-worker-1-next-3f1c", True, 30, "DELETE it"),
        Step("stop the old one", "POST /containers/9f3c/stop?t=10", True, 20, "POST /containers/9f3c/start"),
    ),
    rollback=(UndoStep("start the old one", "POST /containers/9f3c/start"),),
    irreversible=(),
    guards=(Guard("logs_read", GuardStatus.PASS, "the last 200 lines were read", "exit code 3"),),
)
STOPPED = replace(
    TERMINATE,
    id="pln_01JQ0000000000000000000003",
    remediation="postgres.set_parameter",
    target=Target("kvm-01", "postgres", "coach"),
    problem="shared_buffers is 128MB",
    solution="set it to 4GB",
    risk=Risk(
        RiskClass.STOP, "interruption", RiskVector(4, 2, 1, 3, 0, 1, 0, 0), tuple(f"{name}: as judged" for name in FACTORS)
    ),
    mitigations=(
        Mitigation("", "a restart of PostgreSQL in a maintenance window, rehearsed on a copy"),
        Mitigation("postgres.backup", "a verified backup first"),
    ),
)
REFUSED = replace(
    TERMINATE, guards=(*TERMINATE.guards, Guard("not_migration", GuardStatus.FAIL, "it builds an index concurrently: let it"))
)
ROUTINE = replace(TERMINATE, risk=Risk(RiskClass.ROUTINE, "durable_data", RiskVector(0, 1, 1, 3, 0, 0, 0, 0), WHY))


def spec(name: str, *parameters: Parameter, risk: tuple[int, int] = (2, 3), undo: Undo = Undo.NONE) -> Spec:
    title = name.partition(".")[2].replace("_", " ").capitalize()
    says = "Nothing brings the session back."
    return Spec(name, title, f"{title}: as the catalogue says it.", "HOST/x/y", parameters, risk, undo, says, ("g",))


SPECS = {
    one.name: one
    for one in (
        spec("postgres.terminate_session"),
        spec("postgres.cancel_query", risk=(2, 2)),
        spec(
            "postgres.set_parameter",
            Parameter("name", "the parameter, such as work_mem"),
            Parameter("value", "its new value, with its unit"),
            risk=(1, 4),
            undo=Undo.EXACT,
        ),
        spec("docker.recreate", undo=Undo.EXACT),
    )
}


def progress(plan: Plan, state: State, **changes: object) -> Progress:
    """Return how an execution of a plan stands."""
    steps = tuple(
        StepProgress(step.name, step.command, Progressing.DONE, "the server says that it did it", 0.2) for step in plan.steps
    )
    samples = tuple(SampleTaken(NOW, True, "gone, nobody waits") for _ in range(12))
    checks = tuple(CheckProgress(check.name, check.watch_s, 12.0, None, samples) for check in plan.checks)
    values: dict[str, object] = {"steps": steps, "checks": checks, "says": "watching whether it holds"}
    return Progress("exe_1", plan, state, **{**values, **changes})  # type: ignore[arg-type]


def ended(plan: Plan, state: State, verdict: Verdict, says: str, **changes: object) -> Progress:
    """Return how an execution ended."""
    now = progress(plan, state, says=says)
    checks = tuple(replace(check, held_s=30.0 if verdict is Verdict.PASS else 2.0, verdict=verdict) for check in now.checks)
    values: dict[str, object] = {"checks": checks, "record": "/home/ops/records/2026-03-14-09-26.md", **changes}
    return replace(now, **values)  # type: ignore[arg-type]


@dataclass
class FakeDesk:
    """See the module. `asked` is everything that was asked of it, in order."""

    plans: dict[str, Plan] = field(default_factory=lambda: {TERMINATE.remediation: TERMINATE})
    offered: tuple[Offer, ...] | None = None
    error: str = ""
    asked: list[str] = field(default_factory=list)
    stories: list[Progress] = field(default_factory=list)
    decide_on: Progress | None = None
    decided: Decision | None = None
    past: tuple[Execution, ...] = ()
    hold: asyncio.Event | None = None
    closed: list[tuple[str, str]] = field(default_factory=list)

    def offers(self, view: FleetView, target: Target) -> tuple[Offer, ...]:
        self.asked.append(f"offers {target}")
        if self.offered is not None:
            return self.offered
        return (
            Offer(
                "postgres.terminate_session", target, True, "session 4711 of coach-web is idle in transaction and 2 wait for it"
            ),
            Offer(
                "postgres.set_parameter", Target("kvm-01", "postgres", "coach"), True, "change a setting within bounds", rank=40
            ),
            Offer(
                "postgres.cancel_query", target, False, "it runs no query: cancelling has no effect; end the session instead"
            ),
        )

    def spec(self, name: str) -> Spec:
        return SPECS[name]

    async def plan(self, remediation: str, target: Target, params: Mapping[str, str]) -> Plan:
        self.asked.append(f"plan {remediation} {dict(params)}")
        if self.error:
            raise PlanError(self.error)
        return self.plans[remediation]

    def approve(
        self, plan: Plan, *, confirmed: str = "", reason: str = "", second: Path | None = None, break_glass: bool = False
    ) -> Approval:
        self.asked.append(f"approve {confirmed} {reason} {break_glass}")
        return make_approval(plan, ALICE, NOW, confirmed=confirmed, reason=reason, break_glass=break_glass)

    async def apply(self, plan: Plan, approval: Approval, tell: object, decide: object) -> Progress:
        self.asked.append(f"apply {plan.id} {approval.digest == plan.digest}")
        for story in self.stories[:-1]:
            tell(story)  # type: ignore[operator]
            await asyncio.sleep(0)
        if self.decide_on is not None:
            self.decided = await decide(self.decide_on)  # type: ignore[operator]
        if self.hold is not None:
            await self.hold.wait()
        return self.stories[-1] if self.stories else ended(plan, State.VERIFIED, Verdict.PASS, "every check held")

    def stop_after_step(self) -> None:
        self.asked.append("stop")
        if self.hold is not None:
            self.hold.set()

    async def executions(self) -> tuple[Execution, ...]:
        return self.past

    async def resume(self, execution: str, decision: Decision, tell: object, decide: object) -> Progress:
        self.asked.append(f"resume {execution} {decision.value}")
        return ended(TERMINATE, State.ROLLED_BACK, Verdict.FAIL, "rolled back on demand")

    async def plan_of(self, number: str) -> Plan:
        return TERMINATE

    async def close_unknown(self, number: str, note: str) -> None:
        self.closed.append((number, note))
