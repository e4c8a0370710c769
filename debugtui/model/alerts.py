"""Alerts: what a rule found, about which target, how bad."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.target import Target


class Severity(StrEnum):
    """critical: service down or data at risk. high: degraded. medium: trend, cost. low: optimisation, reminder."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst, 3 for the mildest."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Alert:
    """One raised alert. `value` and `threshold` share a unit that `message` names; None where the rule counts nothing."""

    severity: Severity
    rule: str
    target: Target
    since: datetime
    value: float | None
    threshold: float | None
    message: str
