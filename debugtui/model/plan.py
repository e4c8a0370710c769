"""A plan: what will change, how it is undone, what must be true first, what it risks, and how we will know that it worked.

Immutable data, bound by a digest. What a plan can do lives in `remediation/`; here is only what it says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import IntEnum, StrEnum

from debugtui.model.canonical import canonical, digest
from debugtui.model.jsonable import jsonable
from debugtui.model.target import Target

VERSION = 1


class RiskClass(IntEnum):
    """How careful an approval has to be. stop: no execute control exists."""

    OBSERVE = 0
    ROUTINE = 1
    CAREFUL = 2
    SEVERE = 3
    STOP = 4

    @property
    def word(self) -> str:
        """`observe`, `routine`, `careful`, `severe` or `stop`."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class RiskVector:
    """The eight factors, 0 (harmless) to 4 (worst, or not known)."""

    interruption: int
    reversibility: int
    durable_data: int
    blast_radius: int
    blocking: int
    verifiability: int
    uncertainty: int
    context: int


#: The names of the factors, in the order in which they are shown.
FACTORS: tuple[str, ...] = tuple(field.name for field in fields(RiskVector))


@dataclass(frozen=True, slots=True)
class Risk:
    """The risk of a plan.

    Attributes:
        cls: the class.
        driver: the factor that sets it.
        vector: all factors.
        why: one sentence for each factor, in the order of `FACTORS`.
    """

    cls: RiskClass
    driver: str
    vector: RiskVector
    why: tuple[str, ...]


class GuardStatus(StrEnum):
    """Whether something that must be true is. unknown refuses, as fail does."""

    PASS = "pass"  # noqa: S105 - a status
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Guard:
    """One thing that must be true before.

    Attributes:
        name: stable, `recent_backup`.
        status: see `GuardStatus`.
        why: one sentence: what it protects from, or what was found.
        evidence: the figures it rests on, with their age.
        critical: False: unknown does not refuse, but raises the risk. A failed guard always refuses.
    """

    name: str
    status: GuardStatus
    why: str
    evidence: str = ""
    critical: bool = True

    @property
    def refuses(self) -> bool:
        """True where the plan cannot be approved because of this guard."""
        return self.status is GuardStatus.FAIL or (self.critical and self.status is GuardStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class DiffPart:
    """One thing that changes, before and after. `language`: `sql`, `xml`, `yaml`, `json`, `ini` or `text`."""

    title: str
    language: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `command` is what is really sent; `undo` says how it is taken back, None where it cannot be."""

    name: str
    command: str
    writes: bool
    timeout_s: int
    undo: str | None = None


@dataclass(frozen=True, slots=True)
class UndoStep:
    """One step of the rollback."""

    name: str
    command: str


@dataclass(frozen=True, slots=True)
class Check:
    """How we will know: `watch_s` seconds long the observable has to hold."""

    name: str
    watch_s: int
    why: str


@dataclass(frozen=True, slots=True)
class Mitigation:
    """What would lower the risk: a remediation, or empty for something outside of this program, and why."""

    remediation: str
    why: str


@dataclass(frozen=True, slots=True)
class Before:
    """What the target was when the plan was made. `identity` holds what the fingerprint is of, by label."""

    fingerprint: str
    taken_at: datetime
    identity: tuple[tuple[str, str], ...]


def fingerprint(identity: Mapping[str, str]) -> str:
    """Return the fingerprint of what identifies a target and its state."""
    return digest(dict(identity))


class PlanFormatError(ValueError):
    """A text is no plan, or not exactly one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan.

    Attributes:
        id: `pln_` and 26 letters and digits.
        remediation: full name, `postgres.terminate_session`.
        target: what it changes.
        params: what the operator asked for, by name.
        problem, solution: one sentence each.
        risk: see `Risk`.
        before: what the target was.
        diff, guards, steps, rollback, irreversible, checks, mitigations: see their types.
        data: canonical JSON of what the remediation needs in order to apply and to undo exactly this.
        made_at, expires_at: UTC.
    """

    id: str
    remediation: str
    target: Target
    params: tuple[tuple[str, str], ...]
    problem: str
    solution: str
    risk: Risk
    before: Before
    diff: tuple[DiffPart, ...]
    guards: tuple[Guard, ...]
    steps: tuple[Step, ...]
    rollback: tuple[UndoStep, ...]
    irreversible: tuple[str, ...]
    checks: tuple[Check, ...]
    mitigations: tuple[Mitigation, ...]
    data: str
    made_at: datetime
    expires_at: datetime

    @property
    def facts(self) -> dict[str, object]:
        """A new dict of `data`."""
        value = json.loads(self.data)
        if not isinstance(value, dict):
            raise PlanFormatError("the plan's data is no object")
        return value

    @property
    def refusals(self) -> tuple[Guard, ...]:
        """The guards that forbid an approval."""
        return tuple(guard for guard in self.guards if guard.refuses)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON without the digest itself."""
        return digest(self._body())

    @property
    def short_name(self) -> str:
        """What the operator types in order to confirm: the last part of the target's name."""
        return (self.target.name or self.target.kind).rpartition("/")[2] or self.target.host

    def to_json(self) -> dict[str, object]:
        """Return the document of DESIGN's contract, digest included."""
        return {**self._body(), "digest": self.digest}

    def _body(self) -> dict[str, object]:
        risk = self.risk
        return {
            "version": VERSION,
            "id": self.id,
            "remediation": self.remediation,
            "target": {"host": self.target.host, "layer": self.target.kind, "resource": self.target.name},
            "params": dict(self.params),
            "problem": self.problem,
            "solution": self.solution,
            "risk": {
                "class": int(risk.cls),
                "name": risk.cls.word,
                "driver": risk.driver,
                "vector": jsonable(risk.vector),
                "why": dict(zip(FACTORS, risk.why, strict=True)),
            },
            "before": {
                "fingerprint": self.before.fingerprint,
                "taken_at": jsonable(self.before.taken_at),
                "identity": dict(self.before.identity),
            },
            "diff": jsonable(self.diff),
            "guards": jsonable(self.guards),
            "steps": jsonable(self.steps),
            "rollback": jsonable(self.rollback),
            "irreversible": list(self.irreversible),
            "checks": jsonable(self.checks),
            "mitigations": jsonable(self.mitigations),
            "data": self.facts,
            "made_at": jsonable(self.made_at),
            "expires_at": jsonable(self.expires_at),
        }


def plan_from_json(document: object) -> Plan:
    """Read a plan. Its digest must be the one of its content, and nothing may be missing, added or of another type.

    Raises:
        PlanFormatError: what is wrong with it.
    """
    try:
        plan = _read(document)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise PlanFormatError(f"this is no plan of version {VERSION}: {type(error).__name__}: {error}") from None
    if not isinstance(document, dict) or plan.digest != document.get("digest"):
        raise PlanFormatError("the plan was changed after it was made: its content does not have the digest that it names")
    if canonical(plan.to_json()) != canonical(document):
        raise PlanFormatError("the plan holds something that no plan holds")
    return plan


def _read(document: object) -> Plan:
    if not isinstance(document, dict):
        raise TypeError("not an object")
    if document["version"] != VERSION or isinstance(document["version"], bool):
        raise ValueError(f"version {document['version']!r}")
    target, risk, before = document["target"], document["risk"], document["before"]
    return Plan(
        id=_text(document["id"]),
        remediation=_text(document["remediation"]),
        target=Target(_text(target["host"]), _text(target["layer"]), _text(target["resource"])),
        params=_pairs(document["params"]),
        problem=_text(document["problem"]),
        solution=_text(document["solution"]),
        risk=Risk(
            RiskClass(risk["class"]),
            _text(risk["driver"]),
            RiskVector(**{name: _whole(risk["vector"][name]) for name in FACTORS}),
            tuple(_text(risk["why"][name]) for name in FACTORS),
        ),
        before=Before(_text(before["fingerprint"]), _moment(before["taken_at"]), _pairs(before["identity"])),
        diff=tuple(DiffPart(**part) for part in document["diff"]),
        guards=tuple(Guard(**{**guard, "status": GuardStatus(guard["status"])}) for guard in document["guards"]),
        steps=tuple(Step(**step) for step in document["steps"]),
        rollback=tuple(UndoStep(**step) for step in document["rollback"]),
        irreversible=tuple(_text(line) for line in document["irreversible"]),
        checks=tuple(Check(**check) for check in document["checks"]),
        mitigations=tuple(Mitigation(**item) for item in document["mitigations"]),
        data=canonical(document["data"]),
        made_at=_moment(document["made_at"]),
        expires_at=_moment(document["expires_at"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 4:
        raise ValueError(f"{value!r} is no factor")
    return value


def _pairs(value: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(text)) for name, text in value.items())


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return moment
