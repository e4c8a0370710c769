"""What a runbook's file may say; docs/runbooks.md is its manual."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field, field_validator, model_validator

from debugtui.config.faults import nearest, raise_faults
from debugtui.config.fields import Table
from debugtui.diagnosis.runbooks.fields import Id, KindName, LayerName, Prose, Remediation, SeverityName, Title
from debugtui.diagnosis.runbooks.step import Step


class When(Table):
    """What a runbook is for.

    Attributes:
        rules: names of alert rules; `groq_*` stands for all that begin so.
        kinds: kinds of targets.
        layers: layers in which a cause lies.
    """

    rules: tuple[str, ...] = ()
    kinds: tuple[KindName, ...] = ()
    layers: tuple[LayerName, ...] = ()

    @field_validator("rules")
    @classmethod
    def _rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = (((at,), "is a rule's name, or its beginning and *", None) for at, one in enumerate(value) if not _rule(one))
        raise_faults("rules", wrong)
        return value


def _rule(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_]*\*?", text, re.ASCII) is not None


class Cause(Table):
    """A typical cause.

    Attributes:
        cause: what happened.
        signs: how to know it.
        solution: what to do about it.
        remediations: full names of what does it.
    """

    cause: Prose
    signs: Prose
    solution: Prose
    remediations: tuple[Remediation, ...] = ()


class Runbook(Table):
    """One file.

    Attributes:
        name: its name, unique.
        title: what it is for.
        summary: what it does, in a sentence.
        severity: of the incident that it is for, at its worst.
        when: which targets and alerts it fits.
        escalate: when to call somebody, one reason a line.
        steps: in the order in which they are looked at.
        causes: typical causes.
    """

    name: Id
    title: Title
    summary: Prose
    severity: SeverityName = "high"
    when: When = When()
    escalate: tuple[Prose, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1, max_length=60)
    causes: tuple[Cause, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Runbook:
        ids = [step.id for step in self.steps]
        raise_faults("runbook", self._faults(ids))
        return self

    def _faults(self, ids: list[str]) -> Iterator[tuple[tuple[str | int, ...], str, str | None]]:
        for at, step in enumerate(self.steps):
            if step.id in ids[:at]:
                yield ("steps", at, "id"), "another step has this id", None
            for name, outcome in step.then.items():
                if outcome.next is not None and outcome.next not in ids:
                    yield ("steps", at, "then", name, "next"), "no step has this id", nearest(outcome.next, ids)

    def remediations(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield every remediation that it names, with its place."""
        for at, step in enumerate(self.steps):
            for name, outcome in step.then.items():
                for number, one in enumerate(outcome.remediations):
                    yield ("steps", at, "then", name, "remediations", number), one
        for at, cause in enumerate(self.causes):
            for number, one in enumerate(cause.remediations):
                yield ("causes", at, "remediations", number), one
