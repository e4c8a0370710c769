"""The journal: what is written stays written, and one target has one execution."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from debugtui.config.redaction import register
from debugtui.model.execution import ENDS, State
from debugtui.model.plan import PlanFormatError
from debugtui.model.target import Target
from debugtui.remediation.approvals import make_approval
from debugtui.storage.journal import DETAIL_LIMIT, SCHEMA, Journal
from debugtui.storage.problems import OpenExecutionError, StorageError
from tests.unit.fakes import START
from tests.unit.remediation.plans import ALICE, plan

PLAN = plan()
APPROVAL = make_approval(PLAN, ALICE, START, confirmed="4711")
NEXT = plan(id="pln_01JQ0000000000000000000001")
NEXT_APPROVAL = make_approval(NEXT, ALICE, START, confirmed="4711")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.db")
    yield journal
    journal.close()


def test_an_execution_begins_planned_and_approved(journal: Journal) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    execution = journal.execution("exe_1")
    assert execution is not None
    assert [entry.state for entry in execution.entries] == [State.PLANNED, State.APPROVED]
    assert (execution.plan, execution.digest, execution.remediation) == (PLAN.id, PLAN.digest, PLAN.remediation)
    assert (execution.target, execution.operator) == (PLAN.target, "alice")
    assert journal.plan_of("exe_1") == PLAN
    assert journal.approval_of("exe_1") == APPROVAL


def test_entries_follow_each_other_with_what_they_say(journal: Journal) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal.append("exe_1", State.SENT, START, step=1, detail={"says": "sent", "nested": [{"at": START}]})
    execution = journal.execution("exe_1")
    assert execution is not None
    assert (execution.state, execution.says) == (State.SENT, "sent")
    newest = execution.entries[-1]
    assert (newest.sequence, newest.step) == (3, 1)
    assert newest.detail == '{"nested":[{"at":"2026-03-14T09:26:53.000Z"}],"says":"sent"}'


def test_one_target_has_one_execution_that_has_not_ended(journal: Journal) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    with pytest.raises(OpenExecutionError, match="exe_1 on kvm-01"):
        journal.begin("exe_2", NEXT, NEXT_APPROVAL, START)
    assert journal.execution("exe_2") is None
    other = plan(id="pln_01JQ0000000000000000000002", target=Target("kvm-01", "postgres", "coach/4712"))
    journal.begin("exe_3", other, make_approval(other, ALICE, START, confirmed="4712"), START)
    assert [one.id for one in journal.open_on(PLAN.target)] == ["exe_1"]
    assert [one.id for one in journal.unfinished()] == ["exe_1", "exe_3"]


@pytest.mark.parametrize("state", sorted(ENDS))
def test_what_has_ended_makes_room(journal: Journal, state: State) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal.append("exe_1", state, START)
    journal.begin("exe_2", NEXT, NEXT_APPROVAL, START)
    assert [one.id for one in journal.unfinished()] == ["exe_2"]
    assert [one.id for one in journal.executions()] == ["exe_2", "exe_1"]
    assert [one.id for one in journal.executions(limit=1)] == ["exe_2"]


@pytest.mark.parametrize("state", sorted(ENDS))
def test_a_plan_is_executed_once_unless_it_changed_nothing(journal: Journal, state: State) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal.append("exe_1", state, START)
    if state in (State.REFUSED, State.FAILED):
        journal.begin("exe_2", PLAN, APPROVAL, START)
        return
    with pytest.raises(OpenExecutionError, match=f"executed already: exe_1 is {state.value}"):
        journal.begin("exe_2", PLAN, APPROVAL, START)
    assert journal.execution("exe_2") is None


def test_unknown_is_no_end(journal: Journal) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal.append("exe_1", State.UNKNOWN, START)
    assert not journal.unfinished()[0].ended


def test_what_is_not_there_is_said(journal: Journal) -> None:
    assert journal.execution("exe_9") is None
    for ask in (journal.plan_of, journal.approval_of):
        with pytest.raises(StorageError, match="no execution exe_9"):
            ask("exe_9")
    with pytest.raises(StorageError, match="no execution exe_9"):
        journal.append("exe_9", State.SENT, START)


def test_secrets_and_floods_do_not_reach_the_disk(journal: Journal, tmp_path: Path) -> None:
    register("swordfish-77")
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal.append("exe_1", State.ACKED, START, detail={"says": "x swordfish-77", "out": "y" * (DETAIL_LIMIT + 5), "n": ("z",)})
    execution = journal.execution("exe_1")
    assert execution is not None
    assert b"swordfish-77" not in (tmp_path / "journal.db").read_bytes()
    assert "(+5 characters)" in execution.entries[-1].detail


def test_it_is_private_and_really_synchronised(journal: Journal, tmp_path: Path) -> None:
    assert (tmp_path / "journal.db").stat().st_mode & 0o777 == 0o600
    assert journal._db.execute("PRAGMA synchronous").fetchone()[0] == 2


def test_several_may_use_it_at_a_time(journal: Journal, tmp_path: Path) -> None:
    other = Journal(tmp_path / "journal.db")
    journal.begin("exe_1", PLAN, APPROVAL, START)
    with pytest.raises(OpenExecutionError):
        other.begin("exe_2", PLAN, APPROVAL, START)
    other.append("exe_1", State.LOCKED, START)
    assert [one.state for one in journal.unfinished()] == [State.LOCKED]
    other.close()


def test_an_execution_is_held_by_one_process(journal: Journal, tmp_path: Path) -> None:
    other = Journal(tmp_path / "journal.db")
    with journal.hold("exe_1"), pytest.raises(OpenExecutionError, match="another process"), other.hold("exe_1"):
        pytest.fail("held twice")
    with other.hold("exe_1"):
        assert (tmp_path / "exe_1.lock").exists()
    assert not (tmp_path / "exe_1.lock").exists()
    other.close()


def test_a_file_of_another_version_or_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()
    with pytest.raises(StorageError, match="another version"):
        Journal(path)
    path.write_bytes(b"this is no database at all, whatever its name says" * 20)
    with pytest.raises(StorageError, match="move it away"):
        Journal(path)
    with pytest.raises(StorageError, match="No such file"):
        Journal(tmp_path / "none" / "journal.db")


def test_a_full_disk_is_said_in_words(journal: Journal) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal._db.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StorageError, match="nothing is sent without a journal"):
        journal.append("exe_1", State.ACKED, START, detail={"says": "x" * 150_000})
    assert journal.execution("exe_1") is not None


def test_another_who_holds_it_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.storage.journal.BUSY", 0.05)
    journal = Journal(tmp_path / "journal.db")
    holder = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="another process holds it"):
        journal.begin("exe_1", PLAN, APPROVAL, START)
    holder.execute("ROLLBACK")
    holder.close()
    journal.close()


def test_a_table_that_is_gone_is_said_in_sqlite_s_words(journal: Journal) -> None:
    journal._db.executescript("PRAGMA foreign_keys = OFF; DROP TABLE entries")
    with pytest.raises(StorageError, match="no such table"):
        journal.unfinished()


def test_a_plan_that_was_changed_on_disk_is_not_taken(journal: Journal) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    journal._db.execute("UPDATE executions SET plan = replace(plan, '4711', '4712')")
    with pytest.raises(PlanFormatError):
        journal.plan_of("exe_1")


_WRITER = """
import os, sys
from pathlib import Path
from debugtui.model.execution import State
from debugtui.storage.journal import Journal
from tests.unit.fakes import START
journal = Journal(Path(sys.argv[1]))
journal.append("exe_1", State.SENT, START, step=int(sys.argv[2]))
os.kill(os.getpid(), 9)
"""


def test_what_was_written_survives_being_killed_right_after(journal: Journal, tmp_path: Path) -> None:
    journal.begin("exe_1", PLAN, APPROVAL, START)
    for number in range(1, 6):
        argv = [sys.executable, "-c", _WRITER, str(tmp_path / "journal.db"), str(number)]
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}, timeout=30, check=False)
        assert done.returncode == -signal.SIGKILL
        execution = journal.execution("exe_1")
        assert execution is not None
        assert execution.entries[-1].step == number
