"""The keeper of alerts: the book and its memory, over runs, beside other processes, and without a memory."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from debugtui.alerts import keeper as keeper_module
from debugtui.alerts.keeper import AlertKeeper
from debugtui.model.alerts import Alert, Severity
from debugtui.model.target import Target
from debugtui.storage.audit import AuditLog
from debugtui.storage.problems import StorageError
from tests.unit.alerts.test_book import World
from tests.unit.fakes import FakeClock, filesystem, system_reading

DISK = Target("kvm-01", "system", "/")


class Process:
    """One run: a keeper on a world; several may share a directory and a clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.world = World(clock=clock)
        self.keeper = AlertKeeper(clock=clock)

    async def begin(self, folder: Path) -> Process:
        await self.keeper.open(folder)
        return self

    def look(self, percent: float = 91.0, cpu: float = 20.0) -> dict[str, Alert]:
        self.world.reading = system_reading(cpu_percent=cpu, filesystems=(filesystem(percent),))
        return {alert.rule: alert for alert in self.keeper.judge(self.world.view())}


def events(folder: Path) -> list[tuple[str, dict[str, str]]]:
    return [(entry.event, json.loads(entry.fields)) for entry in AuditLog(folder / "audit.jsonl").entries()]


async def test_a_run_goes_on_where_the_one_before_ended(tmp_path: Path) -> None:
    clock = FakeClock()
    for minute in range(6):
        process = await Process(clock).begin(tmp_path)
        assert ("cpu" in process.look(cpu=95.0)) == (minute == 5)
        await process.keeper.close()
        clock.move(60)


async def test_what_an_operator_says_is_written_audited_and_seen_by_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "LOOK_EVERY", 0.0)
    clock = FakeClock()
    screen, other = await Process(clock).begin(tmp_path), await Process(clock).begin(tmp_path)
    screen.look()
    other.look()
    clock.move(1)
    await screen.keeper.acknowledge("disk", DISK, Severity.HIGH, "ops", "making room")
    made = await screen.keeper.silence("cpu", "kvm-01/*", timedelta(hours=1), "ops", "load test")
    await other.keeper.flush()
    seen = other.look()["disk"].acknowledged
    assert seen is not None
    assert (seen.who, seen.note) == ("ops", "making room")
    assert [one.id for one in other.keeper.book.silences] == [made.id]
    await other.keeper.end_silence(made.id, "eve")
    assert not other.keeper.book.silences[0].active(clock.now())
    assert [event for event, _ in events(tmp_path)] == ["alert-acknowledged", "alert-silenced", "alert-unsilenced"]
    assert events(tmp_path)[0][1] == {
        "rule": "disk", "target": "kvm-01/system//", "by": "ops", "note": "making room", "severity": "high",
    }  # fmt: skip
    assert AuditLog(tmp_path / "audit.jsonl").verify().broken is None
    for one in (screen, other):
        await one.keeper.close()


async def test_an_acknowledgement_survives_a_restart_and_ends_with_its_alert(tmp_path: Path) -> None:
    clock = FakeClock()
    first = await Process(clock).begin(tmp_path)
    first.look()
    clock.move(1)
    await first.keeper.acknowledge("disk", DISK, Severity.HIGH, "ops", "making room")
    await first.keeper.close()
    second = await Process(clock).begin(tmp_path)
    assert second.look()["disk"].acknowledged is not None
    clock.move(1)
    assert second.look(50) == {}
    clock.move(1)
    await second.keeper.flush()
    assert second.look()["disk"].acknowledged is None
    await second.keeper.close()
    third = await Process(clock).begin(tmp_path)
    assert third.look()["disk"].acknowledged is None
    assert [over.rule for over in third.keeper.book.recent] == ["disk"]
    await third.keeper.close()


async def test_a_broken_audit_log_refuses_what_it_cannot_record(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("no entry\n", encoding="utf-8")
    process = await Process(FakeClock()).begin(tmp_path)
    process.look()
    with pytest.raises(StorageError, match="audit log"):
        await process.keeper.silence("disk", "*", timedelta(hours=1), "ops", "x")
    assert process.look()["disk"].silence is None
    await process.keeper.close()


@pytest.mark.parametrize("lasts", [timedelta(), timedelta(seconds=-5), timedelta(days=31)])
async def test_a_silence_has_an_end(lasts: timedelta, tmp_path: Path) -> None:
    process = await Process(FakeClock()).begin(tmp_path)
    with pytest.raises(StorageError, match="at most 30 days"):
        await process.keeper.silence("disk", "*", lasts, "ops", "x")
    await process.keeper.close()


async def test_without_a_memory_alerts_go_on_and_that_is_said(tmp_path: Path) -> None:
    process = await Process(FakeClock()).begin(tmp_path / "missing")
    assert not process.keeper.remembers
    assert "alerts are not remembered" in process.keeper.problems[0]
    assert "disk" in process.look()
    await process.keeper.flush(now=True)
    with pytest.raises(StorageError, match="no memory"):
        await process.keeper.acknowledge("disk", DISK, Severity.HIGH, "ops", "x")
    await process.keeper.close()


async def test_a_memory_that_fails_later_is_given_up_and_said(tmp_path: Path) -> None:
    process = await Process(FakeClock()).begin(tmp_path)
    process.look()
    store = process.keeper._store
    assert store is not None
    store._db.execute("DROP TABLE held")
    await process.keeper.flush(now=True)
    assert not process.keeper.remembers
    assert "no such table" in process.keeper.problems[0]
    assert "disk" in process.look()
    await process.keeper.close()


async def test_a_damaged_memory_is_begun_anew_and_said(tmp_path: Path) -> None:
    (tmp_path / "alerts.db").write_bytes(b"x" * 5_000)
    process = await Process(FakeClock()).begin(tmp_path)
    assert "alerts begin anew" in process.keeper.problems[0]
    assert process.keeper.remembers
    await process.keeper.close()
