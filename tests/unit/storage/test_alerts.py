"""The memory of alerts: small, shared, bounded, and never the reason that something does not start."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from debugtui.model.alert_memory import Changes, Ended, Held, Marks, Moment
from debugtui.model.alerts import Acknowledgement, Severity, Silence
from debugtui.model.target import Target
from debugtui.storage.alerts import AlertStore
from debugtui.storage.problems import StorageError
from tests.unit.fakes import START

DISK = ("disk", Target("kvm-01", "system", "/"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.db"


def held(key: tuple[str, Target] = DISK, seconds: float = 0.0, **changes: object) -> Held:
    at = START + timedelta(seconds=seconds)
    values: dict = {
        "rule": key[0],
        "target": key[1],
        "origin": ("kvm-01", "system", "system"),
        "severity": Severity.HIGH,
        "worst": Severity.CRITICAL,
        "message": "/ 91 % of space used",
        "value": 91.0,
        "threshold": 90.0,
        "since": START,
        "held_s": 12.5,
        "seen": Moment(at, 100.0 + seconds, "boot"),
        "opened_at": at,
        "trail": ((START.timestamp(), 91.0),),
    }
    return Held(**{**values, **changes})


def ended(start: float, end: float, key: tuple[str, Target] = DISK) -> Ended:
    opened, over = START + timedelta(seconds=start), START + timedelta(seconds=end)
    return Ended(key[0], key[1], Severity.HIGH, "gone", opened, opened, over)


def saved(path: Path, *changes: Changes, seconds: float = 0.0) -> AlertStore:
    store = AlertStore(path)
    for change in changes:
        store.save(change, START + timedelta(seconds=seconds))
    return store


def test_what_was_written_is_read_again_as_it_was(path: Path) -> None:
    one = held(gone_s=3.0, gone_at=Moment(START, 7.0, "boot"))
    pending = held(("cpu", Target("kvm-01", "system")), opened_at=None, value=None)
    groq = held(("groq_timeout", Target("groq", "groq", "coach")))
    saved(path, Changes((one, pending, groq), ended=(ended(0, 5),))).close()
    memory = AlertStore(path).load()
    assert set(memory.held) == {one, pending, groq}
    assert memory.ended == (ended(0, 5),)
    assert memory.said == ()
    assert path.stat().st_mode & 0o777 == 0o600


def test_two_processes_write_what_each_has_seen_and_take_away_only_that(path: Path) -> None:
    screen, cron = AlertStore(path), AlertStore(path)
    other = ("cpu", Target("kvm-02", "system"))
    screen.save(Changes((held(seconds=60),)), START)
    cron.save(Changes((held(seconds=30), held(other))), START)
    screen.save(Changes((held(seconds=90, opened_at=START + timedelta(seconds=60)),)), START)
    found = {one.key: one for one in cron.load().held}
    assert set(found) == {DISK, other}
    assert found[DISK].opened_at == START + timedelta(seconds=30)  # who saw it first is right
    screen.save(Changes(gone=(DISK,)), START)
    assert {one.key for one in cron.load().held} == {other}


def test_the_same_end_seen_twice_is_one_alert(path: Path) -> None:
    store = saved(path, Changes(ended=(ended(0, 60),)), Changes(ended=(ended(30, 90),)), Changes(ended=(ended(100, 110),)))
    assert [(one.opened_at, one.ended_at) for one in store.load().ended] == [
        (START, START + timedelta(seconds=90)),
        (START + timedelta(seconds=100), START + timedelta(seconds=110)),
    ]


def test_what_is_old_goes(path: Path) -> None:
    store = saved(path, Changes((held(),), ended=(ended(0, 60),)))
    store.save(Changes(), START + timedelta(hours=25))
    assert (len(store.load().held), store.load().ended) == (1, ())
    store.save(Changes(), START + timedelta(days=8))
    assert store.load().held == ()


def test_it_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.storage.alerts.MOST", 10)
    many = tuple(held(("cpu", Target(f"h{number}", "system")), seconds=number) for number in range(30))
    found = saved(path, Changes(many)).load().held
    assert {one.target.host for one in found} == {f"h{number}" for number in range(20, 30)}


def test_a_damaged_file_is_put_aside_and_said(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)
    memory = AlertStore(path).load()
    assert memory.held == ()
    assert "was damaged, and was put aside as alerts.db.damaged: alerts begin anew" in memory.said[0]
    assert path.with_name("alerts.db.damaged").read_bytes().startswith(b"this is no database")
    assert AlertStore(path).load().said == ()


def test_a_file_that_is_damaged_inside_is_put_aside_as_well(path: Path) -> None:
    many = tuple(held(("cpu", Target(f"h{number}", "system")), message="x" * 500) for number in range(300))
    saved(path, Changes(many)).close()
    data = bytearray(path.read_bytes())
    data[8_192:60_000] = b"\xff" * (60_000 - 8_192)
    path.write_bytes(data)
    assert "was damaged" in AlertStore(path).load().said[0]


def test_a_line_that_makes_no_sense_is_left_out_and_said(path: Path) -> None:
    saved(path, Changes((held(), held(("cpu", Target("kvm-01", "system")))))).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE held SET severity = 'awful' WHERE rule = 'cpu'")
    db.close()
    memory = AlertStore(path).load()
    assert [one.rule for one in memory.held] == ["disk"]
    assert "1 lines of" in memory.said[0]


def test_a_newer_file_is_left_alone(path: Path) -> None:
    saved(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StorageError, match="another version"):
        AlertStore(path)
    assert path.exists()


def test_a_place_that_cannot_be_written_is_a_problem_in_words(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="memory of alerts"):
        AlertStore(tmp_path / "missing" / "alerts.db")


def test_secrets_are_not_remembered(path: Path) -> None:
    leak = "postgresql://ops:hunter2secret@db/coach does not answer"
    store = saved(path, Changes((held(message=leak),)))
    store.acknowledge(DISK, Acknowledgement("ops", START, leak, Severity.HIGH))
    store.close()
    assert b"hunter2secret" not in path.read_bytes()


# What operators say


def silence(**changes: object) -> Silence:
    values: dict = {
        "id": "sil_1",
        "rule": "*",
        "target": "kvm-01/*",
        "who": "ops",
        "at": START,
        "until": START + timedelta(hours=2),
        "reason": "moving disks",
    }
    return Silence(**{**values, **changes})


def test_an_acknowledgement_lasts_as_long_as_its_alert(path: Path) -> None:
    store = saved(path, Changes((held(),)))
    said = Acknowledgement("ops", START + timedelta(seconds=10), "on it", Severity.HIGH)
    store.acknowledge(DISK, said)
    assert store.marks() == Marks({DISK: said})
    store.save(Changes(ended=(ended(0, 5),)), START)  # an earlier one that ended
    assert store.marks().acknowledged == {DISK: said}
    store.save(Changes(gone=(DISK,), ended=(ended(6, 60),)), START)
    assert store.marks().acknowledged == {}


def test_an_alert_that_got_worse_is_not_acknowledged_any_more(path: Path) -> None:
    store = saved(path, Changes((held(),)))
    store.acknowledge(DISK, Acknowledgement("ops", START, "on it", Severity.HIGH))
    store.save(Changes((held(),), voided=(DISK,)), START)
    assert store.marks().acknowledged == {}


def test_a_silence_is_ended_once(path: Path) -> None:
    store = AlertStore(path)
    store.silence(silence())
    at = START + timedelta(minutes=5)
    store.end_silence("sil_1", "eve", at)
    (ended_one,) = store.marks().silences
    assert (ended_one.ended_at, ended_one.ended_by, ended_one.active(at)) == (at, "eve", False)
    for number, when in (("sil_1", at), ("sil_2", at)):
        with pytest.raises(StorageError, match="no silence"):
            store.end_silence(number, "eve", when)


def test_what_cannot_be_audited_is_not_written(path: Path) -> None:
    store = AlertStore(path)

    def refuse() -> None:
        raise RuntimeError("the audit log is broken")

    for say in (
        lambda: store.silence(silence(), also=refuse),
        lambda: store.acknowledge(DISK, Acknowledgement("ops", START, "x", Severity.HIGH), also=refuse),
    ):
        with pytest.raises(RuntimeError):
            say()
    assert store.marks() == Marks({})
