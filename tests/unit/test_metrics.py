"""Our own readings as metrics: the conventions, what is not known, what is hostile, what would be too much."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from debugtui.alerts.book import AlertBook
from debugtui.config import redaction
from debugtui.headless.metrics import collect as collecting
from debugtui.headless.metrics.collect import Exposition, collect, registry_of
from debugtui.headless.metrics.samples import METRICS, MOST, Samples, gauge
from debugtui.model.docker import DockerReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.queues import ConsumerGroup, Queue
from debugtui.model.redis import RedisReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Problem, SourceStatus
from tests.screens.monitoring_world import alertmanager, grafana, loki, prometheus
from tests.screens.state_world import backups, journal, rabbitmq, redis
from tests.screens.world import small_world
from tests.unit.fakes import START, system_reading

ROOT = Path(__file__).parents[2]


def text_of(samples: Samples) -> str:
    exposition = Exposition()
    exposition.samples = samples
    return generate_latest(registry_of(exposition)).decode()


def values(samples: Samples) -> dict[str, dict[tuple[str, ...], float]]:
    return {metric.name: series for metric, series in samples.values.items()}


def view(*sources: SourceStatus, state: LinkState = LinkState.UP) -> FleetView:
    return FleetView(START, (HostView("kvm-01", "local", LinkStatus(state), sources),))


def status(kind: Kind, reading: Any, name: str = "", freshness: Freshness = Freshness.LIVE, **more: Any) -> SourceStatus:
    return SourceStatus("kvm-01", name or kind.value, kind, freshness, reading=reading, took_ms=12.5, **more)


async def everything() -> FleetView:
    """The whole small world of the pictures, and the queues, journal, backups and monitoring servers."""
    fleet, _ = small_world()
    await fleet.read_all(full=True)
    seen = fleet.view()
    more = (
        status(Kind.REDIS, redis(), "cache"),
        status(Kind.RABBITMQ, rabbitmq(), "mq"),
        status(Kind.JOURNAL, journal()),
        status(Kind.BACKUP, backups(), "coach"),
        status(Kind.PROMETHEUS, prometheus(), "prom"),
        status(Kind.ALERTMANAGER, alertmanager(), "am"),
        status(Kind.LOKI, loki(), "loki"),
        status(Kind.GRAFANA, grafana(), "grafana"),
    )
    first = dataclasses.replace(seen.hosts[0], sources=(*map(_with_rest, seen.hosts[0].sources), *more))
    return dataclasses.replace(seen, hosts=(first, *seen.hosts[1:]))


def _with_rest(source: SourceStatus) -> SourceStatus:
    """What the small world has none of: a standby, and a container that has ended."""
    reading = source.reading
    if isinstance(reading, PostgresReading):
        reading = dataclasses.replace(reading, replay_lag_s=1.5)
    elif isinstance(reading, DockerReading):
        ended = dataclasses.replace(reading.containers[0], name="ended", state="exited", exit_code=3)
        reading = dataclasses.replace(reading, containers=(*reading.containers, ended))
    return dataclasses.replace(source, reading=reading)


async def test_every_metric_has_a_sample_in_a_whole_world_and_the_parser_takes_them_all() -> None:
    seen = await everything()
    samples = collect(seen, AlertBook().update(seen))
    parsed = {family.name: family for family in text_string_to_metric_families(text_of(samples))}
    expected = {name.removesuffix("_total") if metric.kind == "counter" else name for name, metric in METRICS.items()}
    assert expected - set(parsed) == set()
    for name, metric in METRICS.items():
        family = parsed[name.removesuffix("_total") if metric.kind == "counter" else name]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert all(set(sample.labels) == set(metric.labels) for sample in family.samples)


def test_names_follow_the_conventions() -> None:
    for name, metric in METRICS.items():
        assert re.fullmatch(r"debugtui_[a-z][a-z0-9_]*", name)
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert metric.help.endswith("."), name
        assert not re.search(r"_(ms|milliseconds|percent|kb|mb|count)\b", name), name
        assert all(re.fullmatch(r"[a-z]+", label) and label not in ("le", "job", "instance") for label in metric.labels)


def test_every_metric_is_in_the_manual_and_nothing_else() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(debugtui_\w+)` \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    assert {(name, labels, says) for name, labels, says in rows} == {
        (metric.name, " ".join(f"`{label}`" for label in metric.labels), metric.help) for metric in METRICS.values()
    }


def test_every_kind_of_reading_that_this_page_knows_has_its_figures() -> None:
    """A reading without metrics of its own is still there with `source_up` and its age."""
    known = {reading.__name__ for reading in collecting._ADDERS}
    assert {"SystemReading", "LibvirtReading", "DockerReading", "PostgresReading", "RedisReading", "RabbitmqReading"} <= known
    assert {"PrometheusReading", "AlertmanagerReading", "LokiReading", "GrafanaReading"} <= known
    assert {"JournalReading", "BackupReading", "WebReading", "TlsReading", "NginxReading", "GroqReading"} <= known


def test_the_names_that_users_write_into_their_rules_stay() -> None:
    stable = "host_cpu_ratio container_restarts_total postgres_locks_waiting web_probe_seconds alerts source_up"
    more = "source_age_seconds backup_age_seconds queue_messages"
    assert {f"debugtui_{name}" for name in f"{stable} {more}".split()} <= set(METRICS)


def test_what_is_not_known_has_no_series() -> None:
    seen = values(collect(view(status(Kind.SYSTEM, system_reading(cpu_percent=None, failed_units=None))), ()))
    assert "debugtui_host_cpu_ratio" not in seen
    assert "debugtui_host_failed_units" not in seen
    assert seen["debugtui_alerts"] == {(severity,): 0.0 for severity in ("critical", "high", "medium", "low")}


def test_what_is_lost_is_down_and_tells_no_old_figures() -> None:
    lost = status(Kind.SYSTEM, system_reading(), freshness=Freshness.LOST, problem=Problem("gone"))
    seen = values(collect(view(lost, state=LinkState.LOST), ()))
    assert seen["debugtui_source_up"] == {("kvm-01", "system", "system"): 0.0}
    assert seen["debugtui_link_up"] == {("kvm-01",): 0.0}
    assert "debugtui_host_cpu_ratio" not in seen
    off = status(Kind.JOURNAL, None, freshness=Freshness.OFF)
    assert "debugtui_source_up" not in values(collect(view(off), ()))


names = st.text(min_size=1, max_size=40)


@given(st.lists(names, max_size=8))
def test_no_name_breaks_the_format(found: list[str]) -> None:
    queues = tuple(Queue(name, "list", number, groups=(ConsumerGroup(name, 1, 2, 3),)) for number, name in enumerate(found))
    reading = RedisReading(START, "/redis.sock", queues=queues)
    text = text_of(collect(view(status(Kind.REDIS, reading, "cache")), ()))
    parsed = {family.name: family for family in text_string_to_metric_families(text)}
    assert "debugtui_source_up" in parsed
    family = parsed.get("debugtui_queue_messages")
    labels = [tuple(sample.labels.items()) for sample in family.samples] if family is not None else []
    assert len(labels) == len(set(labels))
    assert bool(labels) == bool(found)


def test_a_source_with_too_many_things_is_cut_and_says_so() -> None:
    queues = tuple(Queue(f"q{number}", "list", 1) for number in range(MOST + 30))
    samples = collect(view(status(Kind.REDIS, RedisReading(START, "", queues=queues), "cache")), ())
    assert len(values(samples)["debugtui_queue_messages"]) == MOST
    assert values(samples)["debugtui_dropped_series"][()] >= 30


def test_a_resolved_secret_is_in_no_label() -> None:
    redaction.register("hunter2secret")
    try:
        reading = RedisReading(START, "", queues=(Queue("jobs-hunter2secret", "list", 1),))
        assert "hunter2secret" not in text_of(collect(view(status(Kind.REDIS, reading, "cache")), ()))
    finally:
        redaction.forget_all()


def test_two_metrics_never_share_a_name() -> None:
    with pytest.raises(ValueError, match="two metrics"):
        gauge("host_cpu_ratio", "Again.", "host")


def modules() -> Iterator[Path]:
    yield from (ROOT / "debugtui" / "headless" / "metrics").glob("*.py")


@pytest.mark.parametrize("path", sorted(modules()), ids=lambda path: path.stem)
def test_every_metric_that_is_declared_is_used(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    declared = {
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") in ("gauge", "counter")
        and isinstance(node.targets[0], ast.Name)
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert declared <= used
