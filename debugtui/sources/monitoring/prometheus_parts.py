"""The parts of a Prometheus's answer: targets, rules, Alertmanagers, its own metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from debugtui.model.prometheus import AlertmanagerLink, Rule, ScrapeTarget
from debugtui.sources.monitoring.exposition import Samples, wanted
from debugtui.sources.monitoring.shapes import address, moment, name, number, rows, sentence, table

#: Most targets and most rules kept; those that are wrong come first.
MOST = 2_000

#: The metrics of its own that are read.
OWN = frozenset(
    {
        "process_start_time_seconds",
        "prometheus_config_last_reload_successful",
        "prometheus_config_last_reload_success_timestamp_seconds",
        "prometheus_tsdb_head_series",
        "prometheus_notifications_queue_length",
        "prometheus_notifications_queue_capacity",
        "prometheus_notifications_dropped_total",
        "prometheus_notifications_sent_total",
        "prometheus_notifications_errors_total",
        "prometheus_rule_group_iterations_missed_total",
        # VictoriaMetrics' own names.
        "vm_app_start_timestamp",
        "vm_app_version",
        "vm_promscrape_config_last_reload_successful",
        "vm_promscrape_config_last_reload_success_timestamp_seconds",
        "vm_cache_entries",
    }
)


class Targets(NamedTuple):
    """The targets that are kept, and how many there are of each health."""

    kept: tuple[ScrapeTarget, ...]
    by_health: dict[str, int]


def data_of(document: object) -> dict[str, Any]:
    """Return the `data` of an answer."""
    return table(table(document).get("data"))


def targets(document: object) -> Targets:
    """Return what `/api/v1/targets` says."""
    found = [_target(one) for one in rows(data_of(document).get("activeTargets"))]
    order = {"down": 0, "unknown": 1}
    kept = sorted(found, key=lambda one: (order.get(one.health, 2), one.job, one.instance))[:MOST]
    return Targets(tuple(kept), dict(Counter(one.health for one in found)))


def _target(one: dict[str, Any]) -> ScrapeTarget:
    known = table(one.get("labels"))
    health = name(one.get("health"))
    return ScrapeTarget(
        job=name(known.get("job")) or name(one.get("scrapePool")),
        instance=name(known.get("instance")),
        health=health if health in ("up", "down") else "unknown",
        scraped_at=moment(one.get("lastScrape")),
        took_s=number(one.get("lastScrapeDuration")),
        error=sentence(one.get("lastError")),
        url=address(one.get("scrapeUrl")),
        interval_s=seconds(one.get("scrapeInterval")),
    )


def seconds(value: object) -> float | None:
    """Return a duration as Prometheus writes one (`1m30s`), in seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
    text, total = name(value), 0.0
    while text:
        digits = text[: len(text) - len(text.lstrip("0123456789"))]
        rest = text[len(digits) :]
        unit = "ms" if rest.startswith("ms") else rest[:1]
        if not digits or unit not in units:
            return None
        total += float(digits[:12]) * units[unit]
        text = rest[len(unit) :]
    return total or None


def rules(document: object) -> tuple[Rule, ...]:
    """Return what `/api/v1/rules` says: failing ones first, then firing ones."""
    found = [
        _rule(name(group.get("name")), number(group.get("interval")), one)
        for group in rows(data_of(document).get("groups"))
        for one in rows(group.get("rules"))
    ]
    states = {"firing": 1, "pending": 2}
    return tuple(sorted(found, key=lambda one: 0 if one.health == "err" else states.get(one.state, 3))[:MOST])


def _rule(group: str, interval: float | None, one: dict[str, Any]) -> Rule:
    health, kind = name(one.get("health")), name(one.get("type"))
    return Rule(
        group=group,
        name=name(one.get("name")),
        kind=kind if kind in ("alerting", "recording") else "alerting" if "state" in one else "recording",
        health=health if health in ("ok", "err") else "unknown",
        error=sentence(one.get("lastError")),
        evaluated_at=moment(one.get("lastEvaluation")),
        took_s=number(one.get("evaluationTime")),
        state=name(one.get("state")),
        query=sentence(one.get("query")),
        interval_s=interval,
    )


def alertmanagers(document: object) -> tuple[AlertmanagerLink, ...]:
    """Return what `/api/v1/alertmanagers` says."""
    data = data_of(document)
    pairs = (("activeAlertmanagers", True), ("droppedAlertmanagers", False))
    return tuple(AlertmanagerLink(address(one.get("url")), active) for key, active in pairs for one in rows(data.get(key)))[:50]


def own_metrics(text: str) -> Samples:
    """Return the metrics of its own that are read."""
    return wanted(text, OWN)


def newest(samples: Samples, metric: str) -> dict[str, float]:
    """Return a metric's values by the one label that tells them apart."""
    return {next(iter(known.values()), ""): value for known, value in samples.get(metric, [])}
