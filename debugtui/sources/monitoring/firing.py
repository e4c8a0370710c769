"""Alerts as Prometheus, and as Alertmanager and Grafana tell them."""

from __future__ import annotations

from typing import Any

from debugtui.model.monitoring import Firing
from debugtui.sources.monitoring.shapes import labels, moment, name, number, rows, sentence, table

#: Most alerts kept of one server.
MOST = 1_000


def of_prometheus(data: object) -> tuple[Firing, ...]:
    """Return the alerts of `/api/v1/alerts`: firing ones first, the oldest first."""
    found = [_firing(one) for one in rows(table(table(data).get("data")).get("alerts"))]
    return _first(found)


def _firing(one: dict[str, Any]) -> Firing:
    known = labels(one.get("labels"))
    return Firing(
        name=known.get("alertname") or "without a name",
        labels=known,
        state=name(one.get("state")),
        severity=known.get("severity", ""),
        since=moment(one.get("activeAt")),
        value=number(one.get("value")),
        summary=_summary(one.get("annotations")),
    )


def of_alertmanager(data: object) -> tuple[Firing, ...]:
    """Return the alerts of `/api/v2/alerts`: active ones first, the oldest first."""
    return _first([_held(one) for one in rows(data)])


def _held(one: dict[str, Any]) -> Firing:
    known, status = labels(one.get("labels")), table(one.get("status"))
    return Firing(
        name=known.get("alertname") or "without a name",
        labels=known,
        state=name(status.get("state")) or "active",
        severity=known.get("severity", ""),
        since=moment(one.get("startsAt")),
        summary=_summary(one.get("annotations")),
        fingerprint=name(one.get("fingerprint")),
        silenced_by=_ids(status.get("silencedBy")),
        inhibited_by=_ids(status.get("inhibitedBy")),
        receivers=tuple(name(receiver.get("name")) for receiver in rows(one.get("receivers"))),
    )


def _first(found: list[Firing]) -> tuple[Firing, ...]:
    order = {"firing": 0, "active": 0, "unprocessed": 1, "suppressed": 2, "pending": 3}

    def rank(alert: Firing) -> tuple[int, float]:
        return order.get(alert.state, 4), alert.since.timestamp() if alert.since else 0.0

    return tuple(sorted(found, key=rank)[:MOST])


def _summary(annotations: object) -> str:
    known = table(annotations)
    texts = (sentence(known.get(key)) for key in ("summary", "description", "message"))
    return next((text for text in texts if text), "")


def _ids(value: object) -> tuple[str, ...]:
    return tuple(name(one) for one in value if isinstance(one, str))[:20] if isinstance(value, list) else ()
