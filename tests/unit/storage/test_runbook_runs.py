"""Runs of runbooks are kept: private, redacted, bounded, the same after reading as before writing."""

from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from debugtui.config.redaction import forget_all, register
from debugtui.diagnosis.runbooks.markdown import markdown
from debugtui.model.diagnosis import Offer
from debugtui.model.runbook import RunbookRun, StepRun, StepVerdict, exit_code, run_from_json, worst
from debugtui.model.target import Target
from debugtui.storage import runbook_runs
from debugtui.storage.problems import StorageError
from debugtui.storage.runbook_runs import RunbookRuns
from tests.unit.fakes import START

TARGET = Target("kvm-01", "postgres", "coach")
STEP = StepRun(
    number=3,
    id="locks",
    title="Who blocks whom",
    kind="reading",
    at=START,
    verdict=StepVerdict.CRITICAL,
    places=(TARGET,),
    ran=("kvm-01/postgres: postgres.locks",),
    output="4711 | waits\n```\n# not a heading",
    says="4711: 5 sessions wait",
    figure=5.0,
    means="A lock chain.",
    todo=("end its root",),
    next="wait-time",
    offers=(Offer("postgres.terminate_session", Target("kvm-01", "postgres", "coach/4711"), (("a", "b"),)),),
    took_ms=12.5,
)
RUN = RunbookRun("run_01", "database", "Database [incident]", TARGET, START, "coach", "alice", (STEP,))


@pytest.fixture
def store(tmp_path: Path):
    opened = RunbookRuns(tmp_path / "state" / "runbooks.sqlite")
    yield opened
    opened.close()
    opened.close()


def test_what_is_read_is_what_was_written(store: RunbookRuns) -> None:
    store.save(RUN)
    assert store.get("run_01") == RUN
    assert store.newest() == (RUN,)
    assert store.get("run_02") is None


def test_a_run_that_goes_on_takes_its_own_place(store: RunbookRuns) -> None:
    store.save(replace(RUN, steps=()))
    store.save(RUN)
    assert store.newest() == (RUN,)


def test_the_newest_come_first_and_may_be_those_of_one_target(store: RunbookRuns) -> None:
    other = replace(RUN, id="run_02", target=Target("kvm-02", "system"), started_at=START + timedelta(hours=1))
    store.save(RUN)
    store.save(other)
    assert [run.id for run in store.newest()] == ["run_02", "run_01"]
    assert [run.id for run in store.newest(target=str(TARGET))] == ["run_01"]
    assert [run.id for run in store.newest(since=START + timedelta(minutes=1))] == ["run_02"]
    assert [run.id for run in store.newest(most=1)] == ["run_02"]


def test_the_file_is_its_owners_alone(store: RunbookRuns, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "state" / "runbooks.sqlite").stat().st_mode) == 0o600


def test_old_runs_and_too_many_are_forgotten(store: RunbookRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runbook_runs, "KEPT", 3)
    for number in range(5):
        store.save(replace(RUN, id=f"run_{number}", started_at=START + timedelta(minutes=number)))
    assert [run.id for run in store.newest()] == ["run_4", "run_3", "run_2"]
    store.save(replace(RUN, id="run_late", started_at=START + timedelta(days=100)))
    assert [run.id for run in store.newest()] == ["run_late"]


def test_secrets_are_not_kept(store: RunbookRuns, tmp_path: Path) -> None:
    register("hunter2hunter2")
    try:
        store.save(replace(RUN, steps=(replace(STEP, output="it said hunter2hunter2", says='password="x y z"'),)))
    finally:
        forget_all()
    assert b"hunter2" not in (tmp_path / "state" / "runbooks.sqlite").read_bytes()
    found = store.get("run_01")
    assert found is not None
    assert found.steps[0].output == "it said •••"


def test_a_file_of_another_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StorageError, match="another version"):
        RunbookRuns(path)


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("not a database, but long enough to look like one" * 10)
    with pytest.raises(StorageError):
        RunbookRuns(tmp_path / "x.sqlite")


@pytest.mark.parametrize("document", [None, [], {}, {"id": 1}, {"id": "x", "steps": 1}, "x"])
def test_a_document_that_is_no_run_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        run_from_json(document)


def test_the_worst_verdict_is_critical_then_unknown_then_warning() -> None:
    assert worst([StepVerdict.OK, StepVerdict.WARNING, StepVerdict.UNKNOWN]) is StepVerdict.UNKNOWN
    assert worst([StepVerdict.UNKNOWN, StepVerdict.CRITICAL]) is StepVerdict.CRITICAL
    assert worst([StepVerdict.SHOWN, StepVerdict.SKIPPED]) is StepVerdict.SHOWN
    assert worst([]) is StepVerdict.SKIPPED
    assert [exit_code(verdict) for verdict in StepVerdict] == [0, 1, 2, 3, 0, 0]


def test_markdown_tells_the_run_and_lets_no_output_out_of_its_fence() -> None:
    text = markdown(RUN)
    assert "# Database \\[incident\\]: critical" in text
    assert "- would answer it: `postgres.terminate_session` on `kvm-01/postgres/coach/4711`" in text
    assert "````text" in text
    assert text.count("````") == 2
