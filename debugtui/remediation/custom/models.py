"""What a file of an own remediation may say; docs/own-remediations.md is its manual."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from debugtui.config.faults import fault
from debugtui.config.fields import Flag, Seconds, Table
from debugtui.model.plan import FACTORS

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
#: A parameter inside an argument.
PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise fault("a name is lower-case letters, digits and underscores")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error:
        raise fault("must be a regular expression") from None
    return value


def _argv(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0] or any("\0" in word for word in value):
        raise fault("a command is a list of a program and its arguments")
    return value


Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Argv = Annotated[tuple[str, ...], AfterValidator(_argv)]
Level = Annotated[int, Field(ge=0, le=4)]


class OwnParameter(Table):
    """A parameter. `pattern` has to match it whole."""

    name: Name
    help: str
    pattern: Pattern = ".{1,200}"
    default: str = ""


class OwnFactor(Table):
    """One factor of the risk, and the fact that sets it."""

    level: Level
    why: str


class OwnIdentity(Table):
    """What must be the same when it is applied: the output of a command that only looks."""

    label: str
    argv: Argv


class OwnGuard(Table):
    """What must be true before."""

    name: Name
    argv: Argv
    why: str
    status: int = 0
    matches: Pattern = ""
    critical: Flag = True


class OwnDiff(Table):
    """What changes: the output of a command now, and the text that it will be."""

    title: str
    before: Argv
    after: str
    language: Literal["sql", "xml", "yaml", "json", "ini", "text"] = "text"


class OwnStep(Table):
    """One step, and what takes it back."""

    name: str
    argv: Argv
    undo: Argv | None = None
    timeout: Seconds = Field(default=30.0, ge=1, le=3600)
    dead_man: Seconds | None = Field(default=None, ge=1, le=3600)

    @model_validator(mode="after")
    def _fits(self) -> OwnStep:
        if self.dead_man is not None and self.undo is None:
            raise fault("dead_man needs an undo: it is what the host runs by itself")
        return self


class OwnCheck(Table):
    """How we will know: a command that only looks."""

    name: str
    argv: Argv
    why: str
    status: int = 0
    matches: Pattern = ""
    watch: Seconds = Field(default=10.0, ge=0, le=3600)
    within: Seconds = Field(default=10.0, ge=0, le=3600)


class OwnRemediation(Table):
    """One file."""

    name: Name
    title: str
    summary: str
    kind: Literal["system", "docker", "libvirt", "postgres"] = "system"
    resource: Pattern
    problem: str
    solution: str
    undo: Literal["exact", "compensating", "none"] = "none"
    undo_says: str = ""
    risk: dict[str, OwnFactor] = Field(default_factory=dict)
    parameters: tuple[OwnParameter, ...] = ()
    identity: tuple[OwnIdentity, ...] = Field(min_length=1)
    guards: tuple[OwnGuard, ...] = Field(min_length=1)
    diff: tuple[OwnDiff, ...] = ()
    steps: tuple[OwnStep, ...] = Field(min_length=1)
    checks: tuple[OwnCheck, ...] = Field(min_length=1)
    irreversible: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> OwnRemediation:
        judged = set(FACTORS) - {"uncertainty"}
        if strange := set(self.risk) - judged:
            raise fault(f"{min(strange)} is no factor; there are {', '.join(sorted(judged))}")
        known = {parameter.name for parameter in self.parameters}
        for word in self._texts():
            for name in PLACE.findall(word):
                if name not in known:
                    raise fault(f"{{{name}}} is no parameter of this file")
        if self.undo != "none" and not any(step.undo for step in self.steps):
            raise fault("undo promises a rollback, and no step has one")
        if self.undo == "exact" and not all(step.undo for step in self.steps):
            raise fault("an exact undo needs an undo of every step")
        return self

    def _texts(self) -> Iterator[str]:
        for looking in (*self.identity, *self.guards, *self.checks):
            yield from looking.argv  # type: ignore[attr-defined] # all three have one
        for step in self.steps:
            yield from (*step.argv, *(step.undo or ()))
        for one in self.diff:
            yield from (*one.before, one.after)
        yield from (self.problem, self.solution)
