"""Plans as tests need them: sound ones, and single changes to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from debugtui.model.execution import Person
from debugtui.model.plan import (
    FACTORS,
    Before,
    Check,
    DiffPart,
    Guard,
    GuardStatus,
    Plan,
    Risk,
    RiskClass,
    RiskVector,
    Step,
    fingerprint,
)
from debugtui.model.target import Target
from tests.unit.fakes import START

ALICE = Person("alice", 1001, "Alice", "bastion pts/1 from 192.0.2.7")
BOB = Person("bob", 1002, "Bob", "bastion pts/2 from 192.0.2.8")
IDENTITY = {"pid": "4711", "backend_start": "2026-03-14T09:00:00Z"}

PLAN = Plan(
    id="pln_01JQ0000000000000000000000",
    remediation="postgres.terminate_session",
    target=Target("kvm-01", "postgres", "coach/4711"),
    params=(),
    problem="session 4711 (coach-worker) is idle in transaction and blocks 3 sessions",
    solution="terminate session 4711; its application reconnects",
    risk=Risk(RiskClass.CAREFUL, "reversibility", RiskVector(1, 4, 1, 1, 0, 0, 0, 1), tuple(f"why {name}" for name in FACTORS)),
    before=Before(fingerprint(IDENTITY), START, tuple(sorted(IDENTITY.items()))),
    diff=(DiffPart("lock tree", "text", "4711\n  4720 waits\n", "4720 runs\n"),),
    guards=(Guard("not_a_backup", GuardStatus.PASS, "no backup program", "application coach-worker"),),
    steps=(Step("terminate", "SELECT pg_terminate_backend(4711, 5000)", True, 10),),
    rollback=(),
    irreversible=("its uncommitted work is lost",),
    checks=(Check("gone", 30, "the session is gone and nobody waits for it"),),
    mitigations=(),
    data='{"pid":4711}',
    made_at=START,
    expires_at=START + timedelta(minutes=15),
)


def plan(cls: RiskClass = RiskClass.CAREFUL, **changes: Any) -> Plan:
    """Return the plan above with another class, and other changes."""
    return replace(PLAN, **{"risk": replace(PLAN.risk, cls=cls), **changes})
