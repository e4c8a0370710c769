"""Makes an anomaly of a condition without saying the same things each time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role, layer_of
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.text import line

#: Longest sentence, in characters.
SAYS = 240


def anomaly(
    rule: str,
    target: Target,
    aspect: Aspect,
    role: Role,
    says: str,
    *,
    reading: str,
    at: datetime,
    severity: Severity = Severity.HIGH,
    source: Target | None = None,
    since: datetime | None = None,
    points: int = 65,
    more: Mapping[str, str] | None = None,
    **facts: str,
) -> Anomaly:
    """Return an anomaly; its layer is the target's, its source the target itself where none is given.

    `more` are further facts, whose names may be any.
    """
    return Anomaly(
        rule=rule,
        target=target,
        layer=layer_of(target),
        aspect=aspect,
        role=role,
        severity=severity,
        says=line(says, SAYS),
        source=source or target,
        reading=reading,
        at=at,
        since=since,
        points=points,
        facts=tuple({**facts, **(more or {})}.items()),
    )


def span(seconds: float) -> str:
    """Return a duration as a person says it: `40 s`, `2 min`, `3 h`."""
    whole = max(0.0, seconds)
    if whole < 100:
        return f"{whole:.0f} s"
    if whole < 2 * 3600:
        return f"{whole / 60:.0f} min"
    return f"{whole / 3600:.0f} h"


def plural(number: int, word: str) -> str:
    """Return `1 session`, `3 sessions`."""
    return f"{number} {word}{'' if number == 1 else 's'}"
