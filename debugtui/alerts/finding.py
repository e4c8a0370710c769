"""What a rule found."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from debugtui.model.alerts import Severity
from debugtui.model.target import Target


class Finding(NamedTuple):
    """What a rule found. `since`: when it began, where the reading tells; `for_s`: how long it must last before it counts.

    `raised` and `holds` matter to the book of alerts alone, which asks for them (`Rules.watching`); everybody else gets raised
    findings only. Not raised, with `holds`: the figure is between threshold and end, so that an open alert stays, and none
    begins; `holds` is the worst severity that has not ended. Not raised, without: the figure is not known now.
    """

    severity: Severity
    rule: str
    target: Target
    message: str
    value: float | None = None
    threshold: float | None = None
    since: datetime | None = None
    for_s: float = 0.0
    raised: bool = True
    holds: Severity | None = None
