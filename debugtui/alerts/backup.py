"""What is wrong with the backups of a database."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.finding import Finding
from debugtui.model.alerts import Severity
from debugtui.model.amounts import size_text, span
from debugtui.model.backup import BackupReading
from debugtui.model.target import Target

#: How much a backup's size may differ from the one before: a dump of an empty database is much smaller.
SIZE_BAND = 0.40
#: Seconds by which a backup may be from the future: clocks differ.
CLOCK_SLACK_S = 300.0


def findings(target: Target, reading: BackupReading) -> Iterator[Finding]:
    """Yield what is wrong."""
    newest, age = reading.newest, reading.age_s
    if newest is None or age is None:
        says = f"there is no backup of {reading.database}: {'; '.join(reading.missing)}"
        yield Finding(Severity.CRITICAL, "backup_missing", target, says)
        return
    if age > reading.rpo_s:
        says = f"the newest backup of {reading.database} is {span(age)} old, at most {span(reading.rpo_s)} are allowed"
        yield Finding(Severity.HIGH, "backup_old", target, says, age, reading.rpo_s)
    elif age < -CLOCK_SLACK_S:
        says = f"the newest backup of {reading.database} is from the future: how old it is, is not known"
        yield Finding(Severity.MEDIUM, "backup_old", target, says, age, reading.rpo_s)
    if newest.whole is False:
        says = f"the newest backup of {reading.database} is not whole: {newest.says}"
        yield Finding(Severity.HIGH, "backup_incomplete", target, says)
    change = reading.size_change
    if change is not None and abs(change) > SIZE_BAND:
        says = (
            f"the newest backup of {reading.database} has {size_text(newest.size_bytes)}, {change:+.0%} against the one before"
        )
        # Threshold and value in per cent.
        yield Finding(Severity.MEDIUM, "backup_small", target, says, 100 * change, 100 * SIZE_BAND)
