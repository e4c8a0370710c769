"""What is wrong with the monitoring itself, and what it says is wrong. Pure; no memory, no clock but the readings' own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from debugtui.alerts.finding import Finding
from debugtui.model.alertmanager import AlertmanagerReading, Integration
from debugtui.model.alerts import Severity
from debugtui.model.grafana import GrafanaReading
from debugtui.model.loki import LokiReading
from debugtui.model.monitoring import Firing, alert_targets
from debugtui.model.prometheus import PrometheusReading, Rule, ScrapeTarget
from debugtui.model.target import Target
from debugtui.model.text import line

#: Findings of one rule in one reading; what is more is counted in one further finding.
MOST = 30

#: Samples, and evaluations, are old after three of their intervals, and after so many seconds at least.
STALE_S = 120.0

#: Share of the attempts to notify that may fail: single ones do, and are tried again.
FAILED_SHARE = 0.5

#: What the label `severity` says, in the words that people use there. `none`: it always fires, to show that alerts can.
SEVERITIES: dict[str, Severity | None] = {
    **dict.fromkeys(("critical", "page", "fatal", "emergency", "disaster", "sev1", "p1"), Severity.CRITICAL),
    **dict.fromkeys(("high", "error", "major", "urgent", "sev2", "p2"), Severity.HIGH),
    **dict.fromkeys(("warning", "warn", "medium", "minor", "average", "ticket", "sev3", "p3"), Severity.MEDIUM),
    **dict.fromkeys(("low", "info", "information", "informational", "notice", "debug", "sev4", "p4"), Severity.LOW),
    "none": None,
}


def of_prometheus(target: Target, reading: PrometheusReading) -> Iterator[Finding]:
    """Yield what is wrong: targets, configuration, rules, Alertmanagers, age; and its own alerts that fire."""
    yield from _targets(target, reading.targets or ())
    if reading.config_ok is False:
        says = "its configuration is broken: the last reload failed, the old one is in force"
        yield Finding(Severity.HIGH, "prometheus_config_bad", target, says)
    yield from _bounded(target, "prometheus_rule_failing", _rules(target, reading))
    yield from _notified(target, reading)
    yield from _stale(target, reading)
    yield from _bounded(target, "prometheus_alert", _alerts(target, "prometheus_alert", reading.alerts or ()))


def of_alertmanager(target: Target, reading: AlertmanagerReading) -> Iterator[Finding]:
    """Yield what is wrong: its configuration, notifications that fail; and the alerts that it holds."""
    if reading.config_ok is False:
        says = "its configuration is broken: the last reload failed, the old one is in force"
        yield Finding(Severity.HIGH, "alertmanager_config_bad", target, says)
    for way in reading.integrations or ():
        yield from _integration(target, way)
    yield from _bounded(target, "alertmanager_alert", _alerts(target, "alertmanager_alert", reading.alerts or ()))


def of_loki(target: Target, reading: LokiReading) -> Iterator[Finding]:
    """Yield whether it is not ready."""
    if reading.ready is False:
        yield Finding(Severity.HIGH, "loki_not_ready", target, f"not ready: {_cut(reading.says or 'it does not say why', 80)}")


def of_grafana(target: Target, reading: GrafanaReading) -> Iterator[Finding]:
    """Yield what is wrong: its database, its datasources; and its own alerts that fire."""
    if reading.database and reading.database != "ok":
        says = f"its database is not well: {_cut(reading.database, 40)}"
        yield Finding(Severity.HIGH, "grafana_database", target, says)
    for one in reading.datasources or ():
        if one.ok is False:
            about = Target(target.host, target.kind, f"{target.name}/{one.name}")
            says = f"datasource {_cut(one.name, 24)} fails: {_cut(one.says, 60)}"
            yield Finding(Severity.HIGH, "grafana_datasource_down", about, says)
    yield from _bounded(target, "grafana_alert", _alerts(target, "grafana_alert", reading.alerts or ()))


# Targets and rules


def _targets(target: Target, targets: Sequence[ScrapeTarget]) -> Iterator[Finding]:
    """Yield one finding for each job with targets that are down, so that a dead network is not a hundred alerts."""
    down: dict[str, list[ScrapeTarget]] = defaultdict(list)
    total: dict[str, int] = defaultdict(int)
    for one in targets:
        total[one.job] += 1
        if one.health == "down":
            down[one.job].append(one)
    found = []
    for job, ones in down.items():
        first = ones[0]
        why = _cut(first.why or "it does not say why", 60)
        if len(ones) == 1:
            about = Target(target.host, target.kind, f"{target.name}/{job}/{first.instance}")
            says = f"{_cut(job, 24)} {_cut(first.instance, 32)} is down: {why}"
        else:
            about = Target(target.host, target.kind, f"{target.name}/{job}")
            says = f"{len(ones)} of {total[job]} targets of {_cut(job, 24)} are down: {why}"
        found.append(Finding(Severity.HIGH, "prometheus_target_down", about, says, float(len(ones)), 0.0))
    yield from _bounded(target, "prometheus_target_down", found)


def _rules(target: Target, reading: PrometheusReading) -> Iterator[Finding]:
    for rule in reading.rules or ():
        if rule.health == "err":
            about = Target(target.host, target.kind, f"{target.name}/{rule.group}/{rule.name}")
            severity = Severity.HIGH if rule.kind == "alerting" else Severity.MEDIUM
            says = f"{rule.kind} rule {_cut(rule.name, 30)} fails: {_cut(rule.error or 'it does not say why', 60)}"
            yield Finding(severity, "prometheus_rule_failing", about, says)
    for group, count in sorted(reading.missed.items()):
        name = group.rpartition(";")[2] or group
        about = Target(target.host, target.kind, f"{target.name}/{name}")
        says = f"the rules of {_cut(name, 30)} were not evaluated {count} times in five minutes: they take too long"
        yield Finding(Severity.MEDIUM, "prometheus_rule_failing", about, says, float(count), 0.0)


def _notified(target: Target, reading: PrometheusReading) -> Iterator[Finding]:
    """Yield whether nobody takes its alerts."""
    rules = sum(rule.kind == "alerting" for rule in reading.rules or ())
    if reading.alertmanagers is not None and not any(one.active for one in reading.alertmanagers):
        if rules:
            says = f"it knows no Alertmanager: {rules} alerting rule{'' if rules == 1 else 's'} reach nobody"
            yield Finding(Severity.HIGH, "prometheus_no_alertmanager", target, says, 0.0, 1.0)
        return
    told = reading.notifications
    if told is None:
        return
    if told.dropped_recently:
        says = f"no Alertmanager takes its alerts: {told.dropped_recently} dropped in five minutes"
        yield Finding(Severity.HIGH, "prometheus_no_alertmanager", target, says, float(told.dropped_recently), 0.0)
    elif told.dropped and told.sent is not None and told.dropped >= told.sent:
        says = f"no Alertmanager ever took its alerts: {told.dropped} dropped since it started"
        yield Finding(Severity.HIGH, "prometheus_no_alertmanager", target, says, float(told.dropped), 0.0)


def _stale(target: Target, reading: PrometheusReading) -> Iterator[Finding]:
    """Yield whether its newest sample, or its newest evaluation of rules, is old, by its own clock."""
    now = reading.taken_at + timedelta(seconds=reading.ahead_s or 0.0)
    if reading.started_at is not None and now - reading.started_at < timedelta(seconds=STALE_S):
        return
    if reading.targets:
        limit = max([STALE_S, *(3 * (one.interval_s or 0.0) for one in reading.targets)])
        unread = any(gap.feature == "newest sample" for gap in reading.gaps)
        if reading.newest_age_s is not None and reading.newest_age_s > limit:
            says = f"its newest sample is {reading.newest_age_s / 60:.0f} min old: what it shows is the past"
            yield Finding(Severity.HIGH, "prometheus_stale", target, says, reading.newest_age_s, limit)
            return
        if reading.newest_age_s is None and not unread and any(one.health != "unknown" for one in reading.targets):
            says = "it has no sample of the last five minutes, though it has targets"
            yield Finding(Severity.HIGH, "prometheus_stale", target, says)
            return
    evaluated = [rule for rule in reading.rules or () if rule.evaluated_at is not None]
    if evaluated:
        newest: Rule = max(evaluated, key=lambda rule: rule.evaluated_at or reading.taken_at)
        limit = max(STALE_S, 3 * (newest.interval_s or 0.0))
        age = (now - (newest.evaluated_at or now)).total_seconds()
        if age > limit:
            says = f"no rule was evaluated for {age / 60:.0f} min: no alert of it can fire"
            yield Finding(Severity.HIGH, "prometheus_stale", target, says, age, limit)


# Notifications and alerts


def _integration(target: Target, way: Integration) -> Iterator[Finding]:
    about = Target(target.host, target.kind, f"{target.name}/{way.name}")
    if way.failed_recently:
        tried = max(way.requests_recently or 0, way.failed_recently)
        share = way.failed_recently / tried
        severity = Severity.HIGH if share >= FAILED_SHARE else Severity.MEDIUM
        says = f"{way.failed_recently} of {tried} notifications by {_cut(way.name, 20)} failed in five minutes"
        yield Finding(severity, "alertmanager_notify_failing", about, says, share, FAILED_SHARE)
    elif way.failed and way.failed >= way.requests:
        says = f"no notification by {_cut(way.name, 20)} ever went out: {way.failed} attempts failed"
        yield Finding(Severity.HIGH, "alertmanager_notify_failing", about, says, 1.0, FAILED_SHARE)


def severity_of(alert: Firing) -> Severity | None:
    """Return how bad an alert is, as its label says; medium where it says nothing that is known; None: it is no trouble."""
    return SEVERITIES.get(alert.severity.strip().lower(), Severity.MEDIUM)


def _alerts(target: Target, rule: str, alerts: Sequence[Firing]) -> Iterator[Finding]:
    """Yield what fires. What a silence holds back is low; what another alert holds back is that alert's business."""
    for alert, about in zip(alerts, alert_targets(target, alerts), strict=True):
        severity = severity_of(alert)
        if severity is None or not alert.fires or (alert.inhibited_by and not alert.silenced_by):
            continue
        words = f"{_cut(alert.name, 30)}: {_cut(alert.summary or alert.about or 'it says no more', 64)}"
        if alert.silenced_by:
            severity, words = Severity.LOW, f"silenced: {words}"
        yield Finding(severity, rule, about, words, alert.value, since=alert.since)


def _bounded(target: Target, rule: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first findings; how many more there are as one finding."""
    findings = list(found)
    yield from findings[:MOST]
    more = findings[MOST:]
    if more:
        worst = min((finding.severity for finding in more), key=lambda severity: severity.rank)
        about = Target(target.host, target.kind, f"{target.name}/more")
        yield Finding(worst, rule, about, f"and {len(more)} more of this kind", float(len(more)))


def _cut(text: str, limit: int) -> str:
    text = line(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
