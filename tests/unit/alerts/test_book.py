"""The book of alerts: one alert of each thing, its beginning, its end, its severity, and what is not known of it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from debugtui.alerts.book import AlertBook
from debugtui.alerts.settings import Rules
from debugtui.model.alert_memory import Marks, Memory
from debugtui.model.alert_rules import Override
from debugtui.model.alerts import Acknowledgement, Alert, Severity, Silence
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Problem, SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import Target
from tests.unit.fakes import START, FakeClock, filesystem, system_reading
from tests.unit.test_alerts import container, docker

HOST = Target("kvm-01", "system")


class World:
    """One host that a test moves by hand: its figures, its link, its clocks."""

    def __init__(self, rules: Rules | None = None, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.book = AlertBook(rules or Rules(), self.clock, boot=lambda: "this boot")
        self.link = LinkStatus(LinkState.UP)
        self.freshness = Freshness.LIVE
        self.reading: SystemReading | None = system_reading()
        self.more: tuple[SourceStatus, ...] = ()
        self.sequence = 0

    def view(self) -> FleetView:
        self.sequence += 1
        source = SourceStatus("kvm-01", "system", Kind.SYSTEM, self.freshness, reading=self.reading, sequence=self.sequence)
        host = HostView("kvm-01", "local", self.link, (source, *self.more))
        return FleetView(self.clock.now(), (host,), self.sequence)

    def look(self, seconds: float = 0.0, **figures: object) -> dict[str, Alert]:
        """Let time pass, change figures, judge; return the alerts by rule."""
        self.clock.move(seconds)
        if figures:
            self.reading = system_reading(**figures)
        found = self.book.update(self.view())
        assert len({(alert.rule, alert.target) for alert in found}) == len(found)
        return {alert.rule: alert for alert in found}

    def disk(self, percent: float, seconds: float = 1.0) -> Alert | None:
        return self.look(seconds, filesystems=(filesystem(percent),)).get("disk")

    def restarted(self, *, boot: str = "this boot") -> World:
        """Return the same world in a new process that remembers what this one wrote."""
        changes = self.book.changes()
        again = World(self.book.rules, self.clock)
        again.book = AlertBook(self.book.rules, self.clock, boot=lambda: boot)
        again.reading, again.sequence = self.reading, self.sequence
        again.book.restore(Memory(changes.held, changes.ended))
        return again


# Duration


def test_an_alert_opens_when_its_duration_is_over_and_dates_from_the_beginning() -> None:
    world = World()
    for _ in range(5):
        assert world.look(59.9, cpu_percent=95.0) == {}
    alert = world.look(61.0)["cpu"]
    assert alert.since == START + timedelta(seconds=59.9)


def test_one_look_at_a_calm_figure_begins_the_duration_anew() -> None:
    world = World()
    world.look(0, cpu_percent=95.0)
    world.look(290)
    assert world.look(5, cpu_percent=20.0) == {}
    world.look(5, cpu_percent=95.0)
    assert world.look(299) == {}
    assert "cpu" in world.look(1)


def test_a_figure_that_sinks_into_the_band_before_its_time_begins_anew() -> None:
    world = World()
    world.look(0, cpu_percent=95.0)
    world.look(299, cpu_percent=68.0)
    assert world.look(2, cpu_percent=95.0) == {}


def test_looks_that_lie_far_apart_prove_nothing_about_the_time_between() -> None:
    world = World()
    world.look(0, cpu_percent=95.0)
    assert world.look(601) == {}
    assert world.look(299) == {}
    assert "cpu" in world.look(1)


@pytest.mark.parametrize("jump", [86_400.0, -86_400.0, 3_600.0])
def test_a_clock_that_jumps_opens_nothing_and_ends_nothing(jump: float, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    off = 0.0
    monkeypatch.setattr(world.clock, "now", lambda: START + timedelta(seconds=world.clock.elapsed + off))
    world.look(0, cpu_percent=95.0, filesystems=(filesystem(91),))
    off = jump
    assert set(world.look(10)) == {"disk"}
    assert set(world.look(289)) == {"disk"}
    off = 0.0
    assert set(world.look(1)) == {"cpu", "disk"}


def test_only_fresh_readings_prove_that_something_lasts() -> None:
    world = World()
    world.look(0, cpu_percent=95.0)
    world.freshness = Freshness.STALE
    for _ in range(10):
        assert world.look(60) == {}
    world.freshness = Freshness.LIVE
    assert "cpu" in world.look(0)  # seen before and after, ten minutes apart: it lasted


# Hysteresis


def test_an_alert_stays_between_threshold_and_end_and_none_begins_there() -> None:
    world = World()
    assert world.disk(89) is None
    opened = world.disk(91)
    assert opened is not None
    for percent in (89.9, 88.1, 90.5, 88.5):
        assert world.disk(percent) is not None
    assert world.disk(88) is None
    assert world.disk(89.9) is None


def test_the_severity_rises_at_once_falls_past_its_end_and_it_is_one_alert() -> None:
    world = World()
    seen = [world.disk(percent) for percent in (91, 98, 96.5, 95.9, 98, 89, 87)]
    assert [alert.severity.value if alert else None for alert in seen] == [
        "high", "critical", "critical", "high", "critical", "high", None,
    ]  # fmt: skip
    assert len({alert.since for alert in seen if alert}) == 1
    (over,) = world.book.recent
    assert (over.worst, over.rule) == (Severity.CRITICAL, "disk")


def test_a_state_ends_when_it_has_been_gone_for_long_enough() -> None:
    world = World(Rules({"unit_failed": (Override(clear_s=30.0),)}))
    assert "unit_failed" in world.look(0, failed_units=("a.service",))
    assert "unit_failed" in world.look(1, failed_units=())
    assert "unit_failed" in world.look(29)
    assert "unit_failed" in world.look(0.5, failed_units=("a.service",))  # back again: it counts anew
    assert "unit_failed" in world.look(1, failed_units=())
    assert "unit_failed" in world.look(29)
    assert world.look(1) == {}
    assert len(world.book.recent) == 1


# What is not known


def test_a_lost_link_keeps_what_held_as_unknown_and_a_fresh_reading_ends_it() -> None:
    world = World()
    world.disk(95)
    world.link = LinkStatus(LinkState.LOST, Problem("kvm-01 does not answer"), START)
    found = world.look(60)
    assert set(found) == {"disk", "link_lost"}
    assert found["disk"].unknown_since == START + timedelta(seconds=1)
    assert found["link_lost"].unknown_since is None
    world.link = LinkStatus(LinkState.UP)
    assert world.disk(95).unknown_since is None  # type: ignore[union-attr]
    assert world.disk(50) is None


def test_a_source_that_is_lost_keeps_its_alerts_and_gives_way_to_the_link() -> None:
    world = World()

    def engine(freshness: Freshness, *containers: object, problem: Problem | None = None) -> None:
        reading = docker(*containers)  # type: ignore[arg-type]
        world.sequence += 1
        status = SourceStatus("kvm-01", "docker", Kind.DOCKER, freshness, problem, reading, sequence=world.sequence)
        world.more = (status,)

    engine(Freshness.LIVE, container(looping=True))
    assert set(world.look()) == {"crash_loop"}
    engine(Freshness.LOST, container(looping=True), problem=Problem("engine stopped"))
    found = world.look(5)
    assert set(found) == {"crash_loop", "source_lost"}
    assert found["crash_loop"].unknown_since is not None
    world.link = LinkStatus(LinkState.LOST, Problem("gone"), START)
    assert set(world.look(5)) == {"crash_loop", "link_lost"}
    world.link = LinkStatus(LinkState.UP)
    engine(Freshness.OFF)
    assert world.look(5) == {}


def test_a_figure_that_is_missing_neither_ends_nor_proves_anything() -> None:
    world = World()
    world.look(0, cpu_percent=95.0)
    world.look(300)
    missing = world.look(10, cpu_percent=None)["cpu"]
    assert missing.unknown_since is not None
    assert world.look(10, cpu_percent=95.0)["cpu"].unknown_since is None


def test_a_part_that_could_not_be_read_ends_no_alert() -> None:
    world = World()
    world.look(0, failed_units=("a.service",))
    assert world.look(10, failed_units=None)["unit_failed"].unknown_since is not None
    assert world.look(10, failed_units=()) == {}


def test_what_nobody_looked_at_is_neither_told_nor_forgotten() -> None:
    world = World()
    world.disk(95)
    assert len(world.book.changes().held) == 1
    elsewhere = FleetView(world.clock.now(), (HostView("other", "local", LinkStatus(LinkState.UP)),))
    assert world.book.update(elsewhere) == ()
    assert world.book.changes().held == ()
    assert world.book.changes().gone == ()
    assert world.disk(95) is not None


# Over restarts


def test_a_duration_goes_on_in_the_next_process() -> None:
    world = World()
    for _ in range(5):
        assert world.look(60, cpu_percent=95.0) == {}
        world = world.restarted()
    assert world.look(60)["cpu"].since == START + timedelta(seconds=60)


def test_after_a_reboot_the_wall_clock_has_to_do() -> None:
    world = World()
    world.look(0, cpu_percent=95.0)
    world = world.restarted(boot="the next boot")
    assert "cpu" in world.look(300)


def test_an_open_alert_is_unknown_until_its_source_is_read_again() -> None:
    world = World()
    world.disk(95)
    world = world.restarted()
    world.freshness, world.reading = Freshness.LOST, None
    assert world.look(5)["disk"].unknown_since == START + timedelta(seconds=1)
    world.freshness = Freshness.LIVE
    assert world.disk(95).since == START + timedelta(seconds=1)  # type: ignore[union-attr]


def test_in_the_band_a_remembered_alert_stays_open() -> None:
    world = World()
    world.disk(95)
    world = world.restarted()
    assert world.disk(89) is not None


def test_a_rule_that_is_switched_off_meanwhile_ends() -> None:
    world = World()
    world.disk(95)
    held = world.book.changes().held
    world = World(Rules({"disk": (Override(enabled=False),)}), world.clock)
    world.book.restore(Memory(held))
    assert world.disk(95) is None


# What operators say


def acknowledged(severity: Severity) -> Acknowledgement:
    return Acknowledgement("ops", START + timedelta(seconds=5), "on it", severity)


def test_an_acknowledged_alert_speaks_up_again_when_it_gets_worse() -> None:
    world = World()
    world.disk(91)
    key = ("disk", Target("kvm-01", "system", "/"))
    world.book.mark(Marks({key: acknowledged(Severity.HIGH)}))
    seen = world.disk(92)
    assert seen is not None
    assert seen.acknowledged is not None
    worse = world.disk(98)
    assert worse is not None
    assert worse.acknowledged is None
    assert world.book.changes().voided == (key,)
    assert world.disk(91).acknowledged is None  # type: ignore[union-attr]


def test_an_acknowledgement_ends_with_its_alert() -> None:
    world = World()
    world.disk(91)
    key = ("disk", Target("kvm-01", "system", "/"))
    marks = Marks({key: acknowledged(Severity.HIGH)})
    world.book.mark(marks)
    world.disk(50, seconds=10)
    world.book.mark(marks)  # read again before the end was written
    assert world.disk(91).acknowledged is None  # type: ignore[union-attr]


def test_a_silence_keeps_what_it_covers_quiet_until_its_end() -> None:
    world = World()
    silence = Silence("sil_1", "disk", "kvm-*/system/*", "ops", START, START + timedelta(hours=1), "moving")
    world.book.mark(Marks({}, (silence, dataclasses.replace(silence, id="sil_2", rule="cpu"))))
    assert world.disk(95).silence == silence  # type: ignore[union-attr]
    assert world.disk(95, seconds=3_601).silence is None  # type: ignore[union-attr]
    ended = dataclasses.replace(silence, ended_at=START, until=START + timedelta(days=9))
    world.book.mark(Marks({}, (ended,)))
    assert world.disk(95).silence is None  # type: ignore[union-attr]


def test_the_trail_of_values_is_short_and_bounded() -> None:
    world = World()
    for number in range(1_000):
        world.look(15, cpu_percent=80.0 + number % 10)
    trail = world.book.trail(("cpu", HOST))
    assert len(trail) == 120
    assert trail[-1][1] == 89.0
