"""What the journal of a host says is wrong. Pure; by the host's own clock, which the reading carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from debugtui.alerts.finding import Finding
from debugtui.model.alerts import Severity
from debugtui.model.amounts import size_text
from debugtui.model.journal import FAILURES, JournalReading, KernelEvent, KernelFault, OomKill, UnitChange, UnitEvent
from debugtui.model.target import Target
from debugtui.model.text import line

#: Seconds for which what happened once is still news.
NEWS_S = 600.0
#: So many failures of one unit within that time are no accident.
FAILURES_LEAST = 3
#: A burst: so many error lines in five minutes, and so many times what was usual in the hour before. Where that hour is not
#: known, only a flood is one.
BURST_LEAST, BURST_TIMES, FLOOD = 20, 5.0, 500
#: Longest line in a message.
_LINE = 120

_Event = TypeVar("_Event", OomKill, KernelEvent, UnitEvent)


def findings(target: Target, reading: JournalReading) -> Iterator[Finding]:
    """Yield what is wrong. `target` is the journal's own, without a name."""
    now = reading.host_at
    yield from _kills(target, _news(reading.oom_kills, now))
    yield from _disks(target, _news(reading.faults, now))
    yield from _units(target, _news(reading.events, now))
    for unit in reading.units:
        usual = unit.before
        burst = unit.count >= FLOOD if usual is None else unit.count >= BURST_LEAST and unit.count > BURST_TIMES * usual
        if burst:
            than = "" if usual is None else f", {usual:.1f} were usual in the hour before"
            says = f"{unit.count} error lines of {unit.unit} in five minutes{than}: {_short(unit.newest)}"
            threshold = float(FLOOD) if usual is None else max(BURST_LEAST, BURST_TIMES * usual)
            yield Finding(Severity.MEDIUM, "log_errors", _about(target, unit.unit), says, float(unit.count), threshold)


def _news(events: Iterable[_Event], now: datetime) -> list[_Event]:
    return [event for event in events if now - event.at <= timedelta(seconds=NEWS_S)]


def _about(target: Target, name: str) -> Target:
    return Target(target.host, target.kind, name)


def _short(text: str) -> str:
    text = line(text)
    return text if len(text) <= _LINE else f"{text[: _LINE - 1]}…"


def _kills(target: Target, kills: list[OomKill]) -> Iterator[Finding]:
    by_victim: dict[str, list[OomKill]] = {}
    for kill in kills:
        by_victim.setdefault(kill.vm or kill.container or kill.process, []).append(kill)
    for victim, some in by_victim.items():
        newest = some[0]
        what = f"the VM {newest.vm}" if newest.vm else newest.process
        where = f" in the container {newest.container}" if newest.container else ""
        held = f" that held {size_text(newest.memory_bytes)}" if newest.memory_bytes else ""
        why = {True: "its group's memory limit was reached", False: "the host ran out of memory", None: "memory ran out"}
        often = f", {len(some)} times in ten minutes" if len(some) > 1 else ""
        says = f"the kernel killed {what} ({newest.pid}){where}{held}: {why[newest.limit]}{often}"
        severity = Severity.CRITICAL if newest.vm or newest.limit is False else Severity.HIGH
        yield Finding(severity, "oom_kill", _about(target, victim), says, float(len(some)), 0.0, since=some[-1].at)


def _disks(target: Target, faults: list[KernelEvent]) -> Iterator[Finding]:
    by_device: dict[str, list[KernelEvent]] = {}
    for event in faults:
        if event.fault in (KernelFault.IO, KernelFault.READ_ONLY):
            by_device.setdefault(event.about, []).append(event)
        elif event.fault is KernelFault.HARDWARE:
            by_device.setdefault("hardware", []).append(event)
    for device, some in by_device.items():
        lost = next((event for event in some if event.fault is KernelFault.READ_ONLY), None)
        count = f"{len(some)} times in ten minutes" if len(some) > 1 else "once"
        if lost is not None:
            says = f"the file system on {device} was made read-only after an error: {_short(lost.says)}"
        elif device == "hardware":
            says = f"the hardware reports an error, {count}: {_short(some[0].says)}"
        else:
            says = f"{device} fails, {count}: {_short(some[0].says)}"
        severity = Severity.CRITICAL if lost is not None else Severity.HIGH
        yield Finding(severity, "io_error", _about(target, device), says, float(len(some)), 0.0, since=some[-1].at)


def _units(target: Target, events: list[UnitEvent]) -> Iterator[Finding]:
    by_unit: dict[str, list[UnitEvent]] = {}
    for event in events:
        if event.change in FAILURES or event.change is UnitChange.RESTARTING:
            by_unit.setdefault(event.unit, []).append(event)
    for unit, some in by_unit.items():
        # One failure leaves several lines (exited, failed, restarting): the commonest of them is how often it failed.
        times = Counter(event.change for event in some).most_common(1)[0][1]
        if times >= FAILURES_LEAST:
            says = f"{unit} failed {times} times in ten minutes: {_short(some[0].says)}"
            yield Finding(
                Severity.HIGH, "unit_failing", _about(target, unit), says, float(times), float(FAILURES_LEAST), some[-1].at
            )
