"""The rows of the alerts screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from debugtui.alerts.describe import RuleWords
from debugtui.model.alert_memory import Ended
from debugtui.model.alerts import Alert, Silence
from debugtui.screens.rows.alerts import TONES, alert_key, tone_of
from debugtui.screens.rows.common import seconds_since
from debugtui.widgets.facts import Fact
from debugtui.widgets.format import age
from debugtui.widgets.plot import spark
from debugtui.widgets.table_rows import Cell, Column, Row

#: Before the id of a silence in the key of its heading, and before a rule's name; between an alert's key and the silence that
#: its row stands under.
SILENCE, RULE = "silence:", "rule:"
UNDER = "\x1f"
#: Values of an alert that are drawn.
TRAIL = 40

OPEN = (
    Column("severity", "", width=1),
    Column("age", "age", width=6, align="right"),
    Column("message", "what", min_width=32, weight=3),
    Column("target", "target", min_width=14, weight=2, priority=1),
    Column("said", "said", min_width=12, weight=2, priority=2),
    Column("rule", "rule", width=18, priority=3),
)
RECENT = (
    Column("severity", "", width=1),
    Column("ended", "ended", width=6, align="right"),
    Column("lasted", "lasted", width=6, align="right"),
    Column("message", "what", min_width=32, weight=3),
    Column("target", "target", min_width=14, weight=2, priority=1),
    Column("rule", "rule", width=18, priority=2),
)
RULES = (
    Column("rule", "rule", width=22),
    Column("severity", "severity", width=14, priority=2),
    Column("begins", "speaks", min_width=16, weight=2),
    Column("lasts", "for", width=6, priority=1),
    Column("ends", "ends", min_width=12, weight=2, priority=3),
    Column("changed", "yours", width=9, priority=1),
    Column("says", "what it means", min_width=20, weight=4, priority=4),
)


def open_rows(alerts: Iterable[Alert], now: datetime) -> list[Row]:
    """Return a row for each alert."""
    return [_open(alert, now, alert_key(alert)) for alert in alerts]


def _open(alert: Alert, now: datetime, key: str) -> Row:
    tone, seconds = tone_of(alert), seconds_since(alert.since, now)
    said = _said(alert, now)
    cells = (
        Cell(alert.severity.value[0].upper(), tone),
        Cell(age(seconds), "dim"),
        Cell(alert.message, tone),
        Cell(str(alert.target)),
        said,
        Cell(alert.rule, "dim"),
    )
    return Row(key, cells, sort=(alert.severity.rank, seconds, alert.message, str(alert.target), said.text, alert.rule))


def _said(alert: Alert, now: datetime) -> Cell:
    """Return in a glyph and words what is to be known of an alert besides that it holds."""
    if alert.unknown_since is not None:
        return Cell(f"? unknown for {age(seconds_since(alert.unknown_since, now))}", "warn")
    if alert.acknowledged is not None:
        return Cell(f"✓ {alert.acknowledged.who}: {alert.acknowledged.note}", "ok")
    return Cell("")


def silenced_rows(silences: Sequence[Silence], alerts: Sequence[Alert], now: datetime) -> list[Row]:
    """Return each silence that holds as a heading, and the alerts that it keeps quiet below it."""
    rows: list[Row] = []
    for silence in silences:
        if not silence.active(now):
            continue
        quiet = [alert for alert in alerts if silence.covers(alert.rule, alert.target)]
        left = age((silence.until - now).total_seconds())
        words = f"◌ {silence.rule} on {silence.target}  {left} left  {len(quiet)} now  {silence.who}: {silence.reason}"
        rows.append(Row(f"{SILENCE}{silence.id}", (Cell(words, "heading"),), heading=True))
        rows += (_open(alert, now, f"{alert_key(alert)}{UNDER}{silence.id}") for alert in quiet)
    return rows


def recent_key(over: Ended, number: int) -> str:
    """Return the key of an alert that is over, the `number`th."""
    return f"{over.rule} {over.target}{UNDER}{over.opened_at.timestamp()}/{number}"


def recent_rows(recent: Iterable[Ended], now: datetime) -> list[Row]:
    """Return a row for each alert that is over, the newest first."""
    rows = []
    for number, over in enumerate(recent):
        ended, lasted = seconds_since(over.ended_at, now), seconds_since(over.opened_at, over.ended_at)
        cells = (
            Cell(over.worst.value[0].upper(), TONES[over.worst]),
            Cell(age(ended), "dim"),
            Cell(age(lasted)),
            Cell(over.message),
            Cell(str(over.target)),
            Cell(over.rule, "dim"),
        )
        rows.append(
            Row(
                recent_key(over, number),
                cells,
                sort=(over.worst.rank, ended, lasted, over.message, str(over.target), over.rule),
            )
        )
    return rows


def facts_of(alert: Alert, rule: RuleWords | None, trail: Sequence[tuple[float, float]]) -> list[Fact]:
    """Return what there is to know of an alert: all of its words, its rule, its last values, what was said of it."""
    facts: list[Fact] = [("what", alert.message, tone_of(alert))]
    seen = alert.acknowledged
    if seen is not None:
        facts.append(("✓ acknowledged", f"by {seen.who} at {seen.at:%Y-%m-%d %H:%M} UTC: {seen.note}", "ok"))
    facts += rule_facts(rule) if rule is not None else [("rule", alert.rule, "")]
    values = [value for _, value in trail]
    if len(set(values)) > 1:
        facts.append(("values", f"{spark(values, min(len(values), TRAIL))}  {min(values):.4g} to {max(values):.4g}", ""))
    return facts


def over_facts(over: Ended, rule: RuleWords | None) -> list[Fact]:
    """Return what there is to know of an alert that is over."""
    when = f"from {over.opened_at:%Y-%m-%d %H:%M:%S} to {over.ended_at:%H:%M:%S} UTC"
    return [("what", over.message, ""), *(rule_facts(rule) if rule is not None else []), ("open", when, "dim")]


def rule_facts(rule: RuleWords) -> list[Fact]:
    """Return a rule in two lines: what it means, and from where to where it speaks."""
    speaks = f"{rule.begins or 'at once'}{f' for {rule.lasts}' if rule.lasts else ''}"
    words = [speaks, *([f"ends: {rule.ends}"] if rule.ends else []), *([rule.least] if rule.least else [])]
    return [("rule", f"{rule.name}: {rule.says}", ""), ("speaks", "; ".join(words), "dim")]


def rule_rows(rules: Iterable[RuleWords]) -> list[Row]:
    """Return a row for each rule."""
    return [
        Row(
            f"{RULE}{one.name}",
            (
                Cell(one.name, "dim" if one.changed == "off" else ""),
                one.severity,
                one.begins or "at once",
                one.lasts or "",
                one.ends or "",
                Cell(one.changed, "accent"),
                Cell(f"{one.says}{f' ({one.least})' if one.least else ''}", "dim"),
            ),
        )
        for one in rules
    ]
