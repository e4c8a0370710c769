"""What a Prometheus answered to the queries of the operator's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from debugtui.model.source import Problem


@dataclass(frozen=True, slots=True)
class QuerySample:
    """One series of an answer: its labels, in order of their names, safe to show; and its value."""

    labels: tuple[tuple[str, str], ...]
    value: float


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """One answer. `problem`: why there is none; an answer without samples is one: nothing is beyond the threshold."""

    at: datetime
    samples: tuple[QuerySample, ...] = ()
    problem: Problem | None = None


@runtime_checkable
class HasAnswers(Protocol):
    """A reading that carries answers, by the name of the rule whose query was asked."""

    @property
    def answers(self) -> Mapping[str, QueryAnswer]:
        """The answers."""
        ...
