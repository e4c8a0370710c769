"""Rows of what Prometheus and Alertmanager tell: targets, alerts, rules, silences. Pure functions of readings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from debugtui.alerts.doubles import doubled
from debugtui.model.alertmanager import AlertmanagerReading, Silence
from debugtui.model.grafana import GrafanaReading
from debugtui.model.monitoring import Firing, alert_targets
from debugtui.model.prometheus import PrometheusReading, Rule, ScrapeTarget
from debugtui.model.source import SourceStatus
from debugtui.model.target import Target
from debugtui.screens.rows.common import seconds_since
from debugtui.themes.tones import Tone
from debugtui.widgets.format import age, latency
from debugtui.widgets.table_rows import Cell, Column, Row

TARGETS = (
    Column("job", "job", min_width=8),
    Column("instance", "instance", min_width=14, weight=2),
    Column("health", "state", width=8),
    Column("age", "scraped", width=7, align="right", priority=1),
    Column("took", "took", width=7, align="right", priority=2),
    Column("every", "every", width=6, align="right", priority=4),
    Column("error", "error", min_width=18, weight=4, priority=1),
)
ALERTS = (
    Column("state", "state", width=9),
    Column("severity", "severity", width=8, priority=1),
    Column("name", "alert", min_width=12, weight=2),
    Column("about", "about", min_width=10, weight=2),
    Column("since", "since", width=6, align="right"),
    Column("summary", "summary", min_width=16, weight=4, priority=1),
    Column("receivers", "told to", width=14, priority=3),
)
RULES = (
    Column("group", "group", min_width=8, priority=2),
    Column("name", "rule", min_width=14, weight=2),
    Column("kind", "kind", width=9, priority=3),
    Column("state", "state", width=8),
    Column("age", "judged", width=6, align="right", priority=1),
    Column("took", "took", width=7, align="right", priority=2),
    Column("says", "error, or expression", min_width=20, weight=4),
)
SILENCES = (
    Column("matchers", "silences", min_width=20, weight=3),
    Column("state", "state", width=7, priority=2),
    Column("by", "by", width=12, priority=1),
    Column("ends", "ends in", width=7, align="right"),
    Column("comment", "why", min_width=14, weight=3),
    Column("id", "id", width=8, priority=3),
)

_HEALTH: dict[str, Tone] = {"up": "ok", "down": "bad", "unknown": "dim"}
_STATES: dict[str, Tone] = {"firing": "bad", "active": "bad", "pending": "warn", "suppressed": "dim"}


def source_target(status: SourceStatus) -> Target:
    """Return the target of a source of which a host may have several."""
    return Target(status.host, status.kind, status.name)


def unique(names: Sequence[str]) -> list[str]:
    """Return the names, those that repeat one numbered, so that each may be a row's key."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return result


def target_rows(status: SourceStatus, now: datetime) -> list[Row]:
    """Return the targets of a Prometheus, those that are down first."""
    reading = status.reading
    if not isinstance(reading, PrometheusReading) or reading.targets is None:
        return []
    keys = unique([f"{source_target(status)}/{one.job}/{one.instance}" for one in reading.targets])
    there = now + timedelta(seconds=reading.ahead_s or 0.0)
    return [_target(key, one, there) for key, one in zip(keys, reading.targets, strict=True)]


def _target(key: str, one: ScrapeTarget, now: datetime) -> Row:
    since = seconds_since(one.scraped_at, now)
    took = None if one.took_s is None else one.took_s * 1000
    old = since is not None and one.interval_s is not None and since > 3 * one.interval_s + 30
    cells = (
        Cell(one.job),
        Cell(one.instance),
        Cell(one.health, _HEALTH[one.health]),
        Cell(age(since), "warn" if old else ""),
        Cell(latency(took), "dim"),
        Cell("-" if one.interval_s is None else f"{one.interval_s:g} s", "dim"),
        Cell(one.why if one.why == one.error else f"{one.why}  ({one.error})", "bad"),
    )
    order = {"down": 0, "unknown": 1, "up": 2}[one.health]
    return Row(key, cells, sort=(one.job, one.instance, order, since, took, one.interval_s, one.error))


def alert_rows(status: SourceStatus, now: datetime, hidden: frozenset[Target]) -> list[Row]:
    """Return the alerts of one server, without those that another one tells already."""
    reading = status.reading
    if not isinstance(reading, (PrometheusReading, AlertmanagerReading, GrafanaReading)) or not reading.alerts:
        return []
    abouts = alert_targets(source_target(status), reading.alerts)
    keys = unique([str(about) for about in abouts])
    pairs = zip(keys, abouts, reading.alerts, strict=True)
    return [_alert(key, alert, now) for key, about, alert in pairs if about not in hidden]


def hidden_alerts(statuses: Sequence[SourceStatus]) -> frozenset[Target]:
    """Return the alerts that several servers tell, but for the one that tells most of them."""
    order = {kind: at for at, kind in enumerate(("alertmanager", "grafana", "prometheus"))}
    tellers = [one for one in statuses if one.kind in order and one.reading is not None]
    return doubled(sorted(tellers, key=lambda one: order[one.kind]))


def _alert(key: str, alert: Firing, now: datetime) -> Row:
    since = seconds_since(alert.since, now)
    state = "silenced" if alert.silenced_by else "inhibited" if alert.inhibited_by else alert.state
    severity_tone: Tone = "bad" if alert.severity == "critical" else "warn" if alert.severity in ("warning", "error") else ""
    tone = _STATES.get(alert.state, "")
    quiet = tone == "dim"
    cells = (
        Cell(state, tone),
        Cell(alert.severity or "-", "dim" if quiet else severity_tone),
        Cell(alert.name, "dim" if quiet else ""),
        Cell(alert.about, "dim" if quiet else ""),
        Cell(age(since), "dim"),
        Cell(alert.summary or _labels(alert), "dim" if quiet else ""),
        Cell(", ".join(alert.receivers), "dim"),
    )
    return Row(key, cells, sort=(state, alert.severity, alert.name, alert.about, since, alert.summary))


def _labels(alert: Firing) -> str:
    return ", ".join(f"{name}={value}" for name, value in alert.labels.items() if name not in ("alertname", "severity"))


def rule_rows(status: SourceStatus, now: datetime) -> list[Row]:
    """Return the rules of a Prometheus: failing ones first, then firing ones."""
    reading = status.reading
    if not isinstance(reading, PrometheusReading) or reading.rules is None:
        return []
    keys = unique([f"{source_target(status)}/{one.group}/{one.name}" for one in reading.rules])
    there = now + timedelta(seconds=reading.ahead_s or 0.0)
    return [_rule(key, one, there) for key, one in zip(keys, reading.rules, strict=True)]


def _rule(key: str, one: Rule, now: datetime) -> Row:
    since = seconds_since(one.evaluated_at, now)
    took = None if one.took_s is None else one.took_s * 1000
    failing = one.health == "err"
    if failing:
        state = Cell("fails", "bad")
    elif one.state and one.health == "ok":
        state = Cell(one.state, _STATES.get(one.state, "dim"))
    else:
        state = Cell(one.health, "ok" if one.health == "ok" else "dim")
    cells = (
        Cell(one.group, "dim"),
        Cell(one.name),
        Cell(one.kind, "dim"),
        state,
        Cell(age(since), "dim"),
        Cell(latency(took), "dim"),
        Cell(one.error if failing else one.query, "bad" if failing else "dim"),
    )
    return Row(key, cells, sort=(one.group, one.name, one.kind, state.text, since, took, cells[6].text))


def silence_rows(status: SourceStatus, now: datetime) -> list[Row]:
    """Return the silences of an Alertmanager that hold, those that end first before others."""
    reading = status.reading
    if not isinstance(reading, AlertmanagerReading) or reading.silences is None:
        return []
    keys = unique([f"{source_target(status)}/{one.id}" for one in reading.silences])
    return [_silence(key, one, now) for key, one in zip(keys, reading.silences, strict=True)]


def _silence(key: str, one: Silence, now: datetime) -> Row:
    left = None if one.ends_at is None else (one.ends_at - now).total_seconds()
    cells = (
        Cell(", ".join(one.matchers)),
        Cell(one.state, "accent" if one.state == "active" else "dim"),
        Cell(one.by),
        Cell("over" if left is not None and left < 0 else age(left), "warn" if left is not None and left < 600 else ""),
        Cell(one.comment),
        Cell(one.id, "dim"),
    )
    return Row(key, cells, sort=(cells[0].text, one.state, one.by, left, one.comment))
