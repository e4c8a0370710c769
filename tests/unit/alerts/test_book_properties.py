"""Whatever happens, in whatever order: no alert before its time, none that flaps, one of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.alerts.book import AlertBook
from debugtui.alerts.entry import GAP
from debugtui.alerts.settings import Rules
from debugtui.config.alert_rules import shipped
from debugtui.model.alert_memory import Held, Key, Memory
from debugtui.model.alerts import Alert
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from tests.unit.fakes import START, FakeClock, filesystem, system_reading

CPU = shipped()["cpu"]
THRESHOLD, CLEAR, FOR = CPU.levels[0].threshold, CPU.levels[0].clear, CPU.for_s
DISK = {level.severity.value: level for level in shipped()["disk"].levels}


@dataclass(frozen=True)
class Step:
    """One look: how much later, the CPU (None: missing), the disk, what is seen, what else happens before it."""

    after: float
    cpu: float | None
    disk: float
    seen: str
    jump: float
    restart: bool


STEPS = st.lists(
    st.builds(
        Step,
        after=st.sampled_from([0.5, 1.0, 15.0, 60.0, 100.0, 299.0, 300.0, 599.0, 601.0]),
        cpu=st.sampled_from([None, 10.0, CLEAR, CLEAR + 0.1, THRESHOLD, THRESHOLD + 0.1, 99.0, 99.0, 99.0]),
        disk=st.sampled_from([50.0, 88.0, 88.1, 90.0, 90.1, 95.9, 96.0, 96.1, 97.0, 97.1, 100.0]),
        seen=st.sampled_from(["live", "live", "live", "live", "stale", "lost", "link", "absent"]),
        jump=st.sampled_from([0.0, 0.0, 0.0, 90_000.0, -90_000.0]),
        restart=st.booleans(),
    ),
    max_size=40,
)


class Run:
    """Plays steps, over restarts and clock jumps, and keeps what a person would know of the CPU."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.wall = 0.0
        self.clock.now = lambda: START + timedelta(seconds=self.clock.elapsed + self.wall)  # type: ignore[method-assign]
        self.book = self._new()
        self.sequence = 0
        self.written: dict[Key, Held] = {}
        self.looks: list[tuple[float, float | None]] = []  # (time, CPU) of the fresh readings

    def _new(self) -> AlertBook:
        return AlertBook(Rules(), self.clock, boot=lambda: "boot")

    def play(self, step: Step) -> list[Alert]:
        if step.restart:
            changes = self.book.changes()
            self.written.update({held.key: held for held in changes.held})
            for key in changes.gone:
                self.written.pop(key, None)
            self.book = self._new()
            self.book.restore(Memory(tuple(self.written.values()), changes.ended))
        self.wall += step.jump
        self.clock.move(step.after)
        self.sequence += 1
        if step.seen == "live":
            self.looks.append((self.clock.elapsed, step.cpu))
        return list(self.book.update(self._view(step)))

    def _view(self, step: Step) -> FleetView:
        if step.seen == "absent":
            return FleetView(self.clock.now(), ())
        freshness = {"stale": Freshness.STALE, "lost": Freshness.LOST}.get(step.seen, Freshness.LIVE)
        # A stale reading is the one before; that it shows the newest figures here makes it harder, not easier.
        reading = system_reading(cpu_percent=step.cpu, filesystems=(filesystem(step.disk),))
        link = LinkStatus(LinkState.LOST if step.seen == "link" else LinkState.UP)
        source = SourceStatus("kvm-01", "system", Kind.SYSTEM, freshness, reading=reading, sequence=self.sequence)
        return FleetView(self.clock.now(), (HostView("kvm-01", "local", link, (source,)),), self.sequence)

    def proven(self) -> float:
        """Return for how long the CPU is proven to be above its threshold now."""
        newest = begin = None
        for at, cpu in reversed(self.looks):
            if cpu is None:
                continue
            if cpu <= THRESHOLD or (begin is not None and begin - at > GAP):
                break
            newest, begin = newest if newest is not None else at, at
        return newest - begin if newest is not None and begin is not None else 0.0


@settings(max_examples=300)
@given(STEPS)
def test_a_duration_is_never_cut_short_and_never_overlooked(steps: list[Step]) -> None:
    run, was_open = Run(), False
    for step in steps:
        alerts = {alert.rule: alert for alert in run.play(step)}
        is_open = "cpu" in alerts
        if step.seen == "absent":
            continue
        if is_open and not was_open:
            assert run.proven() >= FOR
        if step.seen == "live" and step.cpu is not None and run.proven() >= FOR:
            assert is_open
        was_open = is_open


@settings(max_examples=300)
@given(STEPS)
def test_an_alert_ends_only_when_a_fresh_figure_is_past_its_end(steps: list[Step]) -> None:
    run, was_open = Run(), False
    for step in steps:
        is_open = any(alert.rule == "cpu" for alert in run.play(step))
        if step.seen == "absent":
            assert not is_open
            continue
        if was_open and not is_open:
            assert step.seen == "live"
            assert step.cpu is not None
            assert step.cpu <= CLEAR
        if is_open and step.seen == "live" and step.cpu is not None:
            assert step.cpu > CLEAR
        was_open = is_open


@settings(max_examples=300)
@given(STEPS)
def test_there_is_one_alert_of_each_rule_and_target_and_its_severity_follows_the_figure(steps: list[Step]) -> None:
    run, severity = Run(), None
    for step in steps:
        found = run.play(step)
        assert len({(alert.rule, alert.target) for alert in found}) == len(found)
        disk = next((alert for alert in found if alert.rule == "disk"), None)
        if step.seen == "absent":
            continue
        if disk is not None and step.seen == "live":
            critical, high = DISK["critical"], DISK["high"]
            assert disk.severity.value in ("critical", "high")
            if step.disk > critical.threshold:
                assert disk.severity.value == "critical"
            if step.disk <= critical.clear:
                assert disk.severity.value == "high"
            if severity in (None, "high") and step.disk <= critical.threshold:
                assert disk.severity.value == "high"
            assert step.disk > high.clear
        if disk is not None and step.seen != "live" and severity is not None and disk.unknown_since is not None:
            assert disk.severity.value == severity  # nothing new is known
        severity = disk.severity.value if disk is not None else None


@settings(max_examples=300)
@given(STEPS)
def test_what_is_lost_is_unknown_and_what_is_read_is_not(steps: list[Step]) -> None:
    run = Run()
    for step in steps:
        for alert in run.play(step):
            if alert.rule == "disk":
                assert (alert.unknown_since is not None) == (step.seen in ("lost", "link"))
