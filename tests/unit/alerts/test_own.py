"""Rules of the operator's own: over figures of readings, and over answers of a Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from debugtui.alerts.book import AlertBook
from debugtui.alerts.settings import Rules, rules_of
from debugtui.config.load import read_text
from debugtui.model.alerts import Alert
from debugtui.model.queries import QueryAnswer, QuerySample
from debugtui.model.source import (
    FleetView,
    Freshness,
    Gap,
    HostView,
    Kind,
    LinkState,
    LinkStatus,
    Problem,
    Reading,
    SourceStatus,
)
from tests.unit.fakes import START, system_reading
from tests.unit.test_alerts import container, docker


def rules(text: str) -> Rules:
    prometheus = '[[prometheus]]\nname = "prom"\nurl = "http://127.0.0.1:9090"\n'
    return rules_of(read_text(prometheus + text, Path("c")).config.alerts)


@dataclass(frozen=True)
class Answered:
    """A reading of a Prometheus, as far as own rules look at it."""

    taken_at: datetime = START
    answers: Mapping[str, QueryAnswer] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


class World:
    def __init__(self, text: str) -> None:
        self.book, self.sequence, self.seconds = AlertBook(rules(text)), 0, 0.0

    def look(self, reading: Reading, kind: Kind, name: str = "", after: float = 0.0) -> dict[str, Alert]:
        self.sequence, self.seconds = self.sequence + 1, self.seconds + after
        status = SourceStatus("kvm-01", name or kind.value, kind, Freshness.LIVE, reading=reading, sequence=self.sequence)
        host = HostView("kvm-01", "local", LinkStatus(LinkState.UP), (status,))
        found = self.book.update(FleetView(START + timedelta(seconds=self.seconds), (host,), self.sequence))
        return {str(alert.target): alert for alert in found if alert.rule == "mine"}


def test_a_figure_of_what_fits_the_pattern_is_judged_with_duration_and_band() -> None:
    world = World(
        '[[alerts.own]]\nname = "mine"\nmetric = "docker.memory"\nabove = 100\ntargets = ["*/docker/api*"]\nfor = "1m"\n'
        'severity = "high"\nmessage = "{target} uses {value} of {threshold}"'
    )

    def look(api: float, after: float) -> dict[str, Alert]:
        reading = docker(container(name="api-1", memory_bytes=api), container(name="web", memory_bytes=999))
        return world.look(reading, Kind.DOCKER, after=after)

    assert look(101, 0) == {}
    assert look(101, 59) == {}
    alert = look(150, 1)["kvm-01/docker/api-1"]
    assert (alert.severity, alert.message) == ("high", "kvm-01/docker/api-1 uses 150 of 100")
    assert look(96, 1) != {}
    assert look(95, 1) == {}


def test_below_works_as_above_and_a_missing_figure_is_unknown() -> None:
    world = World('[[alerts.own]]\nname = "mine"\nmetric = "system.cpu"\nbelow = 5\nclear = 10')
    found = world.look(system_reading(cpu_percent=2.0), Kind.SYSTEM)
    assert found["kvm-01/system"].message == "cpu of kvm-01 is 2, below 5"
    assert world.look(system_reading(cpu_percent=None), Kind.SYSTEM)["kvm-01/system"].unknown_since is not None
    assert world.look(system_reading(cpu_percent=9.0), Kind.SYSTEM) != {}
    assert world.look(system_reading(cpu_percent=10.0), Kind.SYSTEM) == {}


QUERY = '[[alerts.own]]\nname = "mine"\nprometheus = "prom"\nquery = "x"\nabove = 10\nclear = 8'


def sample(value: float, **labels: str) -> QuerySample:
    return QuerySample(tuple(sorted(labels.items())), value)


def answered(*samples: QuerySample, problem: Problem | None = None) -> Answered:
    return Answered(answers={"mine": QueryAnswer(START, samples, problem)})


def test_each_series_of_an_answer_is_an_alert_of_its_own() -> None:
    world = World(QUERY)
    found = world.look(answered(sample(11, instance="a:1", job="n"), sample(9, instance="b:1")), Kind.PROMETHEUS, "prom")
    assert list(found) == ["kvm-01/prometheus/prom/instance=a:1,job=n"]
    found = world.look(answered(sample(9, instance="a:1", job="n"), sample(9, instance="b:1")), Kind.PROMETHEUS, "prom")
    assert list(found) == ["kvm-01/prometheus/prom/instance=a:1,job=n"]
    assert world.look(answered(), Kind.PROMETHEUS, "prom") == {}


def test_a_query_that_is_not_answered_leaves_its_alerts_unknown() -> None:
    world = World(QUERY)
    world.look(answered(sample(11)), Kind.PROMETHEUS, "prom")
    (alert,) = world.look(answered(problem=Problem("timeout")), Kind.PROMETHEUS, "prom").values()
    assert alert.unknown_since is not None
    (alert,) = world.look(Answered(), Kind.PROMETHEUS, "prom").values()
    assert alert.unknown_since is not None
    assert world.look(answered(), Kind.PROMETHEUS, "prom") == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_known(value: float) -> None:
    assert World(QUERY).look(answered(sample(value)), Kind.PROMETHEUS, "prom") == {}


def test_hostile_labels_and_messages_stay_text_of_one_line() -> None:
    world = World(QUERY.replace("above", "message = '{value.__class__} {0} [bold]'\nabove"))
    found = world.look(answered(sample(11, evil="\x1b]0;x\x07[@click=app.quit]\n" + "y" * 500)), Kind.PROMETHEUS, "prom")
    ((target, alert),) = found.items()
    assert alert.message == "{value.__class__} {0} [bold]"
    assert "\x1b" not in target
    assert "\n" not in target
    assert len(target) < 160
