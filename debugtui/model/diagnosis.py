"""What a diagnosis found: root causes with their evidence, and what could not be decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.topology import Layer


@dataclass(frozen=True, slots=True)
class Evidence:
    """One link of the chain from the symptom to the cause, and the reading that it rests on.

    Attributes:
        source: which thing the reading is of; opening it opens this.
        reading: the path in that reading, as in `check --json`: `locks[0].waiters`; or the log, event or record it stands in.
        at: when that was read, or when it happened (UTC).
        says: one sentence with the figure; safe to show.
    """

    source: Target
    reading: str
    at: datetime
    says: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A remediation that answers a finding; `params` are its parameters, by name. Planning it is the next step, never less."""

    name: str
    target: Target
    params: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One root cause.

    Attributes:
        id: stable for the same cause on the same target, so that a finding can be followed over time.
        layer: where it lies.
        target: what is at fault.
        title: one sentence that names the cause; safe to show.
        confidence: 0 to 1, from how many independent readings agree; below 0.5 nothing is called a cause.
        severity: of the worst that it leads to.
        since: when it began, as far as readings tell (UTC).
        evidence: from the symptom to the cause.
        impact: what suffers from it, one line each.
        remediations: what answers it, the best first; empty where nothing of ours does.
        runbook: name of the runbook that goes with it; empty where none does.
    """

    id: str
    layer: Layer
    target: Target
    title: str
    confidence: float
    severity: Severity
    since: datetime | None
    evidence: tuple[Evidence, ...]
    impact: tuple[str, ...] = ()
    remediations: tuple[Offer, ...] = ()
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Undecided:
    """What is not known, and the reading that would decide it (a target and what to read of it)."""

    question: str
    reading: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What one look at everything found. Empty findings and nothing undecided: all is well, as far as is watched.

    Attributes:
        taken_at: when (UTC).
        findings: the worst first.
        undecided: what could not be decided.
        changes: what was changed lately, newest first.
    """

    taken_at: datetime
    findings: tuple[Finding, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    changes: tuple[Evidence, ...] = ()
