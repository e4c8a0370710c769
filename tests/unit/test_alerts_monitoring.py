"""What is wrong with the monitoring, and what it says is wrong."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from debugtui.alerts.book import AlertBook
from debugtui.alerts.doubles import Known, doubled
from debugtui.alerts.monitoring import MOST, of_alertmanager, of_grafana, of_loki, of_prometheus, severity_of
from debugtui.model.alertmanager import AlertmanagerReading, Integration
from debugtui.model.alerts import Severity
from debugtui.model.grafana import Datasource, GrafanaReading
from debugtui.model.loki import LokiReading
from debugtui.model.monitoring import Firing, names_of
from debugtui.model.prometheus import AlertmanagerLink, Notifications, PrometheusReading, Rule, ScrapeTarget
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Reading, SourceStatus
from debugtui.model.target import Target
from tests.unit.fakes import START

URL = "http://127.0.0.1:9090"
PROM, AM = Target("monitoring", "prometheus", "prom"), Target("monitoring", "alertmanager", "am")
UP = ScrapeTarget("node", "a:9100", "up", START, 0.01, interval_s=15.0)


def prometheus(**changes: object) -> PrometheusReading:
    values: dict = {"started_at": START - timedelta(days=1), "newest_age_s": 4.0, "targets": (UP,), "ahead_s": 0.0}
    return PrometheusReading(START, URL, **{**values, **changes})


def rules_of(reading: PrometheusReading) -> list[tuple[str, str]]:
    return [(finding.rule, str(finding.target)) for finding in of_prometheus(PROM, reading)]


def down(job: str, instance: str, error: str = 'Get "http://x": dial tcp: connect: connection refused') -> ScrapeTarget:
    return ScrapeTarget(job, instance, "down", START, 0.1, error)


def test_a_sound_server_is_silent_and_what_is_not_known_is_not_wrong() -> None:
    assert rules_of(prometheus()) == []
    assert rules_of(PrometheusReading(START, URL)) == []
    assert list(of_alertmanager(AM, AlertmanagerReading(START, URL))) == []
    assert list(of_loki(Target("monitoring", "loki", "loki"), LokiReading(START, URL))) == []
    assert list(of_grafana(Target("monitoring", "grafana", "g"), GrafanaReading(START, URL))) == []


def test_targets_of_one_job_that_are_down_are_one_finding() -> None:
    reading = prometheus(targets=(down("node", "a:9100"), down("node", "b:9100"), down("db", "c:9187"), UP))
    found = list(of_prometheus(PROM, reading))
    assert [(str(one.target), one.message) for one in found] == [
        ("monitoring/prometheus/prom/node", "2 of 3 targets of node are down: connect: connection refused"),
        ("monitoring/prometheus/prom/db/c:9187", "db c:9187 is down: connect: connection refused"),
    ]


def test_a_hundred_jobs_that_are_down_are_bounded_and_counted() -> None:
    found = list(of_prometheus(PROM, prometheus(targets=tuple(down(f"job{n}", "a") for n in range(100)))))
    assert len(found) == MOST + 1
    assert found[-1].message == "and 70 more of this kind"


def test_a_name_that_would_move_the_cursor_or_fill_the_screen_does_not() -> None:
    (finding,) = of_prometheus(PROM, prometheus(targets=(down("x" * 300, "\x1b[2J\u202e" + "y" * 300, "z" * 900),)))
    assert len(finding.message) < 140
    assert finding.message.isprintable()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"config_ok": False}, "prometheus_config_bad"),
        ({"rules": (Rule("g", "A", "alerting", "err", "boom"),), "alertmanagers": None}, "prometheus_rule_failing"),
        ({"missed": {"/etc/rules.yml;slow": 3}}, "prometheus_rule_failing"),
        ({"rules": (Rule("g", "A", "alerting", "ok"),), "alertmanagers": ()}, "prometheus_no_alertmanager"),
        ({"notifications": Notifications(0, 10, 8, 2, 2)}, "prometheus_no_alertmanager"),
        ({"notifications": Notifications(0, 10, 8, 8)}, "prometheus_no_alertmanager"),
        ({"newest_age_s": 200.0}, "prometheus_stale"),
        ({"newest_age_s": None}, "prometheus_stale"),
        (
            {"rules": (Rule("g", "A", "recording", "ok", evaluated_at=START - timedelta(minutes=9), interval_s=60.0),)},
            "prometheus_stale",
        ),
    ],
)
def test_each_fault_of_a_prometheus_has_its_rule(changes: dict, rule: str) -> None:
    assert [name for name, _ in rules_of(prometheus(**changes))] == [rule]


@pytest.mark.parametrize(
    "changes",
    [
        {"alertmanagers": ()},  # no rule that alerts: nobody is needed
        {"notifications": Notifications(0, 10, 80, 2, 0)},  # dropped once, long ago
        {"alertmanagers": (AlertmanagerLink("http://am", active=True),), "rules": (Rule("g", "A", "alerting", "ok"),)},
        {"newest_age_s": 200.0, "targets": (ScrapeTarget("slow", "a", "up", START, interval_s=120.0),)},
        {"newest_age_s": 900.0, "started_at": START - timedelta(seconds=30)},  # it has just started
        {"newest_age_s": None, "targets": ()},
        {"ahead_s": 3_600.0, "rules": (Rule("g", "A", "recording", "ok", evaluated_at=START + timedelta(hours=1)),)},
    ],
)
def test_what_only_looks_like_a_fault_is_none(changes: dict) -> None:
    assert rules_of(prometheus(**changes)) == []


def test_a_clock_that_is_wrong_does_not_make_evaluations_old() -> None:
    fresh = Rule("g", "A", "recording", "ok", evaluated_at=START - timedelta(hours=1), interval_s=15.0)
    assert rules_of(prometheus(ahead_s=-3_600.0, rules=(fresh,))) == []
    assert [name for name, _ in rules_of(prometheus(ahead_s=0.0, rules=(fresh,)))] == ["prometheus_stale"]


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("critical", Severity.CRITICAL),
        ("PAGE", Severity.CRITICAL),
        ("error", Severity.HIGH),
        ("warning", Severity.MEDIUM),
        ("info", Severity.LOW),
        ("", Severity.MEDIUM),
        ("mauve", Severity.MEDIUM),
        ("none", None),
    ],
)
def test_the_label_severity_is_taken_in_the_words_that_people_use(label: str, severity: Severity | None) -> None:
    assert severity_of(Firing("A", severity=label)) is severity


def test_pending_and_inhibited_alerts_are_not_told_and_silenced_ones_are_low() -> None:
    alerts = (
        Firing("Pending", state="pending"),
        Firing("Inhibited", state="suppressed", inhibited_by=("ab",)),
        Firing("Silenced", state="suppressed", silenced_by=("id",), severity="critical", labels={"instance": "a"}),
        Firing("Watchdog", state="active", severity="none"),
        Firing("Disk", state="active", severity="critical", summary="full", since=START),
    )
    found = list(of_alertmanager(AM, AlertmanagerReading(START, URL, alerts=alerts)))
    assert [(one.severity, str(one.target), one.message) for one in found] == [
        (Severity.LOW, "monitoring/alertmanager/am/Silenced/a", "silenced: Silenced: a"),
        (Severity.CRITICAL, "monitoring/alertmanager/am/Disk", "Disk: full"),
    ]
    assert found[1].since == START


def test_alerts_of_one_name_have_targets_of_their_own() -> None:
    twins = [Firing("A", {"instance": "x", "disk": disk}) for disk in ("sda", "sdb")]
    names = names_of([*twins, Firing("B", {"job": "db"}), Firing("C")])
    assert len(set(names)) == 4
    assert names[2:] == ["B/db", "C"]
    assert names_of(twins[::-1]) == names[1::-1]


@pytest.mark.parametrize(
    ("way", "severity"),
    [
        (Integration("webhook", 20, 3, 10, 8), Severity.HIGH),
        (Integration("webhook", 20, 3, 10, 1), Severity.MEDIUM),
        (Integration("webhook", 20, 3, 10, 0), None),
        (Integration("webhook", 20, 3), None),
        (Integration("webhook", 4, 4), Severity.HIGH),
        (Integration("webhook", 0, 0), None),
    ],
)
def test_notifications_that_fail_now_or_always_did_are_told(way: Integration, severity: Severity | None) -> None:
    found = list(of_alertmanager(AM, AlertmanagerReading(START, URL, integrations=(way,))))
    assert [one.severity for one in found] == ([severity] if severity else [])


def test_a_datasource_that_was_not_checked_is_not_down() -> None:
    sources = (
        Datasource("a", "Prom", "prometheus", ok=True),
        Datasource("b", "Old", "graphite"),
        Datasource("c", "DB", "pg", ok=False),
    )
    found = list(of_grafana(Target("monitoring", "grafana", "g"), GrafanaReading(START, URL, datasources=sources)))
    assert [str(one.target) for one in found] == ["monitoring/grafana/g/DB"]


# The same alert at several servers

DISK = {"alertname": "Disk", "instance": "db-01", "severity": "critical"}


def status(kind: Kind, name: str, reading: Reading, sequence: int = 1) -> SourceStatus:
    return SourceStatus("monitoring", name, kind, Freshness.LIVE, reading=reading, sequence=sequence)


def holding(*labels: dict[str, str], state: str = "active") -> AlertmanagerReading:
    return AlertmanagerReading(START, URL, alerts=tuple(firing(one, state) for one in labels))


def firing(labels: dict[str, str], state: str = "firing") -> Firing:
    return Firing(labels["alertname"], labels, state, labels.get("severity", ""), START)


def alerts_of(*statuses: SourceStatus) -> list[str]:
    host = HostView("monitoring", "local", LinkStatus(LinkState.UP), statuses)
    return [f"{one.rule} {one.target.name}" for one in AlertBook().update(FleetView(START, (host,), 1))]


def test_an_alert_seen_in_prometheus_and_alertmanager_is_one() -> None:
    told = prometheus(alerts=(firing(DISK), firing({"alertname": "New", "instance": "x"})))
    held = holding({**DISK, "site": "lab", "replica": "b"})
    both = [status(Kind.PROMETHEUS, "prom", told), status(Kind.ALERTMANAGER, "am", held)]
    assert alerts_of(*both) == ["alertmanager_alert am/Disk/db-01", "prometheus_alert prom/New/x"]
    assert alerts_of(*both[::-1]) == alerts_of(*both)
    assert alerts_of(both[0]) == ["prometheus_alert prom/Disk/db-01", "prometheus_alert prom/New/x"]


def test_two_alertmanagers_of_one_cluster_tell_once_and_different_alerts_stay_two() -> None:
    other = {**DISK, "instance": "db-02"}
    first, second = status(Kind.ALERTMANAGER, "am-1", holding(DISK)), status(Kind.ALERTMANAGER, "am-2", holding(DISK, other))
    assert alerts_of(first, second) == ["alertmanager_alert am-1/Disk/db-01", "alertmanager_alert am-2/Disk/db-02"]


def test_an_alertmanager_that_cannot_be_read_silences_nobody() -> None:
    lost = SourceStatus("monitoring", "am", Kind.ALERTMANAGER, Freshness.LOST, reading=holding(DISK))
    assert alerts_of(status(Kind.PROMETHEUS, "prom", prometheus(alerts=(firing(DISK),))), lost) == [
        "prometheus_alert prom/Disk/db-01"
    ]


def test_labels_that_contradict_each_other_are_of_different_alerts() -> None:
    known = Known()
    known.add({"alertname": "A", "instance": "x", "replica": "1"})
    assert known.holds({"alertname": "A", "instance": "x"})
    assert known.holds({"alertname": "A", "instance": "x", "site": "lab", "replica": "2"})
    assert known.holds({"alertname": "A"})  # it says less, and nothing else
    assert not known.holds({"alertname": "A", "instance": "y"})
    assert not known.holds({"alertname": "A", "job": "x"})


def test_thousands_of_alerts_are_compared_without_a_pause() -> None:
    labels = [{"alertname": "Down", "instance": f"host-{n}", "job": "node", "severity": "critical"} for n in range(1_000)]
    statuses = [
        status(Kind.ALERTMANAGER, "am", holding(*({**one, "site": "lab"} for one in labels))),
        status(Kind.PROMETHEUS, "prom", prometheus(alerts=tuple(firing(one) for one in labels))),
    ]
    began = time.perf_counter()
    assert len(doubled(statuses)) == 1_000
    assert time.perf_counter() - began < 2  # each with every other would take far longer
