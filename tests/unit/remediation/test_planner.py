"""From a draft to a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from debugtui.config.redaction import register
from debugtui.model.execution import Execution, State
from debugtui.model.plan import Guard, GuardStatus, Mitigation, Plan, RiskClass, plan_from_json
from debugtui.model.postgres import PostgresReading, Session
from debugtui.model.source import Freshness, Kind, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import Draft, Factor, PlanError
from debugtui.remediation.planner import PLAN_LIFE, job_of, make_plan, remake
from debugtui.sources.base import SourceError
from tests.unit.fakes import START, FakeClock, filesystem, system_reading
from tests.unit.remediation.scripted import CALM, TARGET, Scripted, drafted, eyes

LEVEL = {"level": "3"}


async def planned(
    monkeypatch: pytest.MonkeyPatch, remediation: Scripted, *sources: SourceStatus, target: Target = TARGET, **more: object
) -> Plan:
    monkeypatch.setattr(registry, "get", lambda _name: remediation)
    unfinished = more.pop("unfinished", ())
    return await make_plan(eyes(*sources, **more), "docker.scripted", target, LEVEL, unfinished=unfinished)  # type: ignore[arg-type]


def guard(plan: Plan, name: str) -> Guard:
    return next(one for one in plan.guards if one.name == name)


async def test_a_plan_says_what_the_draft_says_and_shows_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, Scripted())
    assert (plan.problem, plan.solution) == ("api does not answer", "restart api")
    assert [step.command for step in plan.steps] == ["POST /containers/abc/restart"]
    assert [step.command for step in plan.rollback] == ["POST /containers/abc/start"]
    assert [(check.name, check.watch_s) for check in plan.checks] == [("running", 30)]
    assert dict(plan.before.identity) == {"id": "abc", "started": "09:00"}
    assert plan.expires_at == START + PLAN_LIFE
    assert plan.id.startswith("pln_")
    assert len(plan.id) == 30


async def test_a_plan_survives_being_written_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, Scripted())
    assert plan_from_json(plan.to_json()) == plan
    assert plan_from_json(plan.to_json()).digest == plan.digest


async def test_parameters_get_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    remediation = Scripted()
    plan = await planned(monkeypatch, remediation)
    assert remediation.asked == [{"level": "3", "grace": "10"}]
    assert dict(plan.params) == {"level": "3", "grace": "10"}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, "needs the parameter level: how much"),
        ({"levl": "3"}, "did you mean 'level'"),
        ({"level": "3", "zzz": ""}, "it takes: grace, level, note, env.KEY"),
        ({"level": "3", "env.": "x"}, "no parameter 'env.'"),
    ],
)
async def test_a_wrong_parameter_is_named(monkeypatch: pytest.MonkeyPatch, params: dict[str, str], says: str) -> None:
    monkeypatch.setattr(registry, "get", lambda _name: Scripted())
    with pytest.raises(PlanError, match=says.replace(".", r"\.")):
        await make_plan(eyes(), "docker.scripted", TARGET, params)


async def test_a_parameter_with_a_key_may_be_given_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "get", lambda _name: Scripted())
    plan = await make_plan(eyes(), "docker.scripted", TARGET, {"level": "1", "env.A": "1", "env.B": "2"})
    assert dict(plan.params) == {"level": "1", "env.A": "1", "env.B": "2", "grace": "10"}


async def test_a_target_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PlanError, match="is for HOST/docker/NAME, not for kvm-01/libvirt/web"):
        await planned(monkeypatch, Scripted(), target=Target("kvm-01", "libvirt", "web"))


async def test_what_a_server_refuses_is_said_and_a_fault_of_ours_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncpg

    class Refused(Scripted):
        error: Exception = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

        async def draft(self, *_: object) -> Draft:  # type: ignore[override]
            raise self.error

    with pytest.raises(SourceError, match="could not be looked at: canceling statement"):
        await planned(monkeypatch, Refused())
    Refused.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await planned(monkeypatch, Refused())


@pytest.mark.parametrize("broken", [Scripted(steps=False), Scripted(checks=False), drafted(guards=())])
async def test_a_plan_without_step_check_or_guard_is_a_fault(monkeypatch: pytest.MonkeyPatch, broken: Scripted) -> None:
    with pytest.raises(PlanError, match="a fault of that remediation"):
        await planned(monkeypatch, broken)


async def test_the_same_plan_is_made_again_from_fresh_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, Scripted())
    clock = FakeClock()
    clock.move(60)
    again = await remake(eyes(clock=clock), plan)
    assert (again.id, again.made_at, again.expires_at) == (plan.id, plan.made_at, plan.expires_at)
    assert again.before.taken_at == plan.before.taken_at + timedelta(seconds=60)
    assert replace(again, before=plan.before) == plan


async def test_a_secret_never_enters_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    register("correct-horse-battery")
    plan = await planned(monkeypatch, drafted(problem="api logs correct-horse-battery", solution="x\x1b[31my\nz"))
    assert "correct-horse-battery" not in str(plan.to_json())
    assert "\x1b" not in plan.solution
    assert "\n" not in plan.solution


# --- guards that every plan has


async def test_another_execution_on_the_target_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def execution(target: Target) -> Execution:
        return Execution("exe_1", "pln_1", "sha256:1", "docker.restart", target, State.UNKNOWN, START, START, "alice", "?")

    free = await planned(monkeypatch, Scripted(), unfinished=[execution(Target("kvm-01", "docker", "other"))])
    assert guard(free, "no_other_execution").status is GuardStatus.PASS
    taken = await planned(monkeypatch, Scripted(), unfinished=[execution(TARGET)])
    assert guard(taken, "no_other_execution").status is GuardStatus.FAIL
    assert "exe_1" in guard(taken, "no_other_execution").why
    assert taken.refusals


@pytest.mark.parametrize(
    ("name", "status"),
    [("coach", GuardStatus.PASS), ("coach/4711", GuardStatus.PASS), ("watched", GuardStatus.FAIL), ("none", GuardStatus.FAIL)],
)
async def test_a_database_is_repaired_with_a_role_of_its_own(
    monkeypatch: pytest.MonkeyPatch, name: str, status: GuardStatus
) -> None:
    target = Target("kvm-01", "postgres", name)
    remediation = drafted(target=target)
    monkeypatch.setattr(Scripted, "spec", replace(Scripted.spec, name="postgres.scripted"))
    plan = await planned(monkeypatch, remediation, target=target)
    assert guard(plan, "repair_role").status is status


# --- risk


async def test_an_unknown_factor_is_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, drafted(factors=replace(CALM, interruption=Factor(None, "nobody knows"))))
    assert plan.risk.vector.interruption == 4
    assert plan.risk.cls is RiskClass.STOP
    assert plan.mitigations


async def test_an_uncritical_unknown_guard_raises_the_uncertainty(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Guard("replica_lag", GuardStatus.UNKNOWN, "not seen", critical=False)
    calm = await planned(monkeypatch, Scripted())
    plan = await planned(monkeypatch, drafted(guards=(*Scripted().draft_.guards, unknown)))
    assert plan.risk.vector.uncertainty == 2
    assert plan.risk.cls == calm.risk.cls + 1
    assert not plan.refusals


async def test_a_rule_of_the_stop_list_forbids_whatever_the_factors_say(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, drafted(stop="dockerd must not be restarted without live-restore"))
    assert plan.risk.cls is RiskClass.STOP


async def test_a_remediation_s_own_mitigations_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Mitigation("postgres.backup", "take one first")
    plan = await planned(monkeypatch, drafted(mitigations=(own,), stop="no"))
    assert plan.mitigations == (own,)


def source(reading: object, kind: Kind, name: str) -> SourceStatus:
    return SourceStatus("kvm-01", name, kind, Freshness.LIVE, reading=reading)  # type: ignore[arg-type]


def dumping(application: str) -> SourceStatus:
    session = Session(9, "coach", "backup", application, "", "client backend", "active", "", "", None, None, None, None, "COPY")
    reading = PostgresReading(START, "coach", "15", 150018, "monitor", False, None, 3, 100, 3, sessions=(session,))
    return source(reading, Kind.POSTGRES, "coach")


@pytest.mark.parametrize(
    ("sources", "repair", "level", "why"),
    [
        ((), {}, 0, "calm"),
        ((source(system_reading(filesystems=(filesystem(98.0, "/srv"),)), Kind.SYSTEM, "system"),), {}, 1, "another alert"),
        ((dumping("pg_dump"),), {}, 2, "a backup is running: pg_dump in coach"),
        ((dumping("pgbackrest backup"),), {}, 2, "a backup is running"),
        ((dumping("coach-web"),), {}, 0, "calm"),
        ((), {"peak": ["00:00-23:59"]}, 2, "peak hour"),
        ((), {"freeze": True}, 3, "change freeze"),
    ],
    ids=["calm", "alert", "dump", "pgbackrest", "ordinary session", "peak", "freeze"],
)
async def test_the_surroundings_count(
    monkeypatch: pytest.MonkeyPatch, sources: tuple[SourceStatus, ...], repair: dict[str, object], level: int, why: str
) -> None:
    plan = await planned(monkeypatch, Scripted(), *sources, repair=repair)
    assert plan.risk.vector.context == level
    assert why in plan.risk.why[-1]


async def test_what_the_remediation_sees_of_the_surroundings_counts_where_it_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, drafted(factors=replace(CALM, context=Factor(3, "the standby is gone"))))
    assert plan.risk.vector.context == 3
    assert plan.risk.why[-1] == "the standby is gone"


async def test_surroundings_that_are_not_known_are_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, Scripted(), known=False)
    assert plan.risk.vector.context == 4


async def test_a_job_holds_the_plan_s_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = await planned(monkeypatch, Scripted())
    job = job_of(plan, {"new_id": "def"})
    assert job.data == {"id": "abc", "timeout_s": 10}
    assert job.results == {"new_id": "def"}
    assert plan.id.lower().endswith(job.mark)
