"""The alert pane: worst first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from debugtui.model.alerts import Alert, Severity
from debugtui.model.source import Kind
from debugtui.screens.rows.common import seconds_since
from debugtui.themes.tones import Tone
from debugtui.widgets.format import age
from debugtui.widgets.table_rows import Cell, Column, Row

COLUMNS = (
    Column("severity", "", width=1),
    Column("message", "what", min_width=18),
    Column("host", "host", width=10, priority=3),
    Column("age", "age", width=6, align="right", priority=1),
)

TONES: dict[Severity, Tone] = {Severity.CRITICAL: "bad", Severity.HIGH: "warn", Severity.MEDIUM: "", Severity.LOW: "dim"}


def alert_key(alert: Alert) -> str:
    """Return the key of an alert's row: `RULE HOST/KIND/NAME`."""
    return f"{alert.rule} {alert.target}"


def tone_of(alert: Alert) -> Tone:
    """Return the tone of an alert: what somebody has seen, and what is not known any more, steps back."""
    return "dim" if alert.acknowledged is not None or alert.unknown_since is not None else TONES[alert.severity]


def alert_rows(alerts: Iterable[Alert], now: datetime) -> list[Row]:
    """Return a row for each alert. The severity's initial stands in front: C, H, M or L."""
    return [_row(alert, now) for alert in alerts]


def _row(alert: Alert, now: datetime) -> Row:
    tone = tone_of(alert)
    seconds = seconds_since(alert.since, now)
    cells = (
        Cell(alert.severity.value[0].upper(), tone),
        Cell(f"{_said(alert)}{_about(alert)}: {alert.message}", tone),
        Cell(alert.target.host, "dim"),
        Cell(age(seconds), "dim"),
    )
    return Row(alert_key(alert), cells, sort=(alert.severity.rank, alert.message, alert.target.host, seconds))


def _said(alert: Alert) -> str:
    if alert.unknown_since is not None:
        return "? unknown "
    return "✓ ack " if alert.acknowledged is not None else ""


def _about(alert: Alert) -> str:
    """Return what the alert is about in one word: a host for its own figures, else the thing's own name."""
    target = alert.target
    if target.kind == Kind.SYSTEM or not target.name:
        return target.host if target.kind == Kind.SYSTEM else f"{target.host} {target.kind}"
    return target.name.partition("/")[0] if target.kind == Kind.POSTGRES else target.name
