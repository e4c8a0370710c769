"""The journal of executions: what an execution is about to do is on disk before it does it.

SQLite with full synchronisation: when a method returns, its entry survives a power cut. Several processes may use one journal;
that one of them begins an execution on a target while another has not ended there is refused in one transaction. Every method
blocks: call them in a thread.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from debugtui.config.redaction import redact
from debugtui.model.approval_json import approval_from_json, approval_to_json
from debugtui.model.canonical import canonical
from debugtui.model.execution import ENDS, Approval, Execution, JournalEntry, State
from debugtui.model.jsonable import jsonable
from debugtui.model.plan import Plan, plan_from_json
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.storage.problems import OpenExecutionError, StorageError

#: Grows when a table changes.
SCHEMA = 1
#: Seconds that a write waits for another process.
BUSY = 5.0
#: Most characters of an entry's detail.
DETAIL_LIMIT = 200_000

_TABLES = """
CREATE TABLE IF NOT EXISTS executions (
    id TEXT PRIMARY KEY, plan_id TEXT NOT NULL, digest TEXT NOT NULL, remediation TEXT NOT NULL,
    host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, operator TEXT NOT NULL,
    plan TEXT NOT NULL, approval TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    execution TEXT NOT NULL REFERENCES executions (id), sequence INTEGER NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL,
    step INTEGER, detail TEXT NOT NULL, PRIMARY KEY (execution, sequence)
) STRICT;
"""
_NEWEST = """
SELECT x.*, f.at AS started_at, n.at AS changed_at, n.state, n.detail
FROM executions x
JOIN entries f ON f.execution = x.id AND f.sequence = 1
JOIN entries n ON n.execution = x.id AND n.sequence = (SELECT max(sequence) FROM entries e WHERE e.execution = x.id)
"""


class Journal:
    """One journal file."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it where absent.

        Raises:
            StorageError: it cannot be opened, or is no journal of this version.
        """
        self._path = path
        self._lock = threading.Lock()
        with self._problems():
            path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            with self._problems():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise StorageError(
                Problem(f"{self._path} was written by another version of DebugTUI", "move it away, or use that version")
            )
        if version == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT")

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StorageError(Problem(f"the journal {self._path}: {line(str(error), 300)}", _hint(error))) from error
        except OSError as error:
            raise StorageError(Problem(f"the journal {self._path}: {error.strerror}")) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, self._problems():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    # --- holding

    @contextmanager
    def hold(self, execution: str) -> Iterator[None]:
        """Hold an execution for this process until the block ends; a process that dies holds nothing any more.

        Raises:
            OpenExecutionError: another process executes it right now.
            StorageError: the lock file cannot be made.
        """
        path = self._path.with_name(f"{execution}.lock")
        with self._problems():
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OpenExecutionError(Problem(f"{execution} is being executed by another process")) from None
            yield
            path.unlink(missing_ok=True)
        finally:
            os.close(handle)

    # --- writing

    def begin(self, execution: str, plan: Plan, approval: Approval, at: datetime) -> None:
        """Write that an execution is planned and approved.

        Raises:
            OpenExecutionError: another one on the same target has not ended.
            StorageError: it could not be written.
        """
        target = plan.target
        with self._writing():
            self._once(plan.id)
            for other in self._open(target):
                raise OpenExecutionError(
                    Problem(f"{other.id} on {target} is {other.state.value}", "close it after looking at the target")
                )
            about = (execution, plan.id, plan.digest, plan.remediation, target.host, target.kind, target.name)
            whole = (approval.person.login, canonical(plan.to_json()), canonical(approval_to_json(approval)))
            self._db.execute("INSERT INTO executions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*about, *whole))
            self._insert(execution, 1, State.PLANNED, at, None, {"says": plan.problem})
            self._insert(execution, 2, State.APPROVED, at, None, {"says": f"approved by {approval.person.login}"})

    def _once(self, plan: str) -> None:
        """Refuse a plan that was executed before; one that was refused, or changed nothing, may be tried again."""
        rows = self._db.execute(f"{_NEWEST} WHERE x.plan_id = ?", (plan,)).fetchall()
        for row in rows:
            if row["state"] not in (State.REFUSED.value, State.FAILED.value):
                raise OpenExecutionError(
                    Problem(f"this plan was executed already: {row['id']} is {row['state']}", "make a new plan")
                )

    def append(
        self,
        execution: str,
        state: State,
        at: datetime,
        *,
        step: int | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> JournalEntry:
        """Write an entry; it is on disk when this returns.

        Args:
            execution: its id.
            state: which state begins.
            at: when (UTC).
            step: number of the step, from 1.
            detail: plain JSON values; `says` is shown in lists.

        Raises:
            StorageError: it could not be written, or there is no such execution.
        """
        with self._writing():
            newest = self._db.execute("SELECT max(sequence) FROM entries WHERE execution = ?", (execution,)).fetchone()[0]
            if newest is None:
                raise StorageError(Problem(f"there is no execution {line(execution, 100)}"))
            return self._insert(execution, newest + 1, state, at, step, detail or {})

    def _insert(
        self, execution: str, sequence: int, state: State, at: datetime, step: int | None, detail: Mapping[str, object]
    ) -> JournalEntry:
        text = _safe(detail)
        self._db.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", (execution, sequence, state.value, jsonable(at), step, text)
        )
        return JournalEntry(execution, sequence, state, at, step, text)

    # --- reading

    def execution(self, number: str) -> Execution | None:
        """Return one execution with all its entries; None where there is none."""
        with self._lock, self._problems():
            row = self._db.execute(f"{_NEWEST} WHERE x.id = ?", (number,)).fetchone()
            if row is None:
                return None
            entries = self._db.execute("SELECT * FROM entries WHERE execution = ? ORDER BY sequence", (number,)).fetchall()
        return _execution(row, tuple(_entry(entry) for entry in entries))

    def executions(self, limit: int = 200) -> tuple[Execution, ...]:
        """Return the newest executions, newest first, without their entries."""
        with self._lock, self._problems():
            rows = self._db.execute(f"{_NEWEST} ORDER BY started_at DESC, x.id DESC LIMIT ?", (limit,)).fetchall()
        return tuple(_execution(row) for row in rows)

    def unfinished(self) -> tuple[Execution, ...]:
        """Return every execution that has not ended, oldest first."""
        with self._lock, self._problems():
            rows = self._db.execute(f"{_NEWEST} WHERE n.state NOT IN ({_marks()}) ORDER BY started_at", _ended()).fetchall()
        return tuple(_execution(row) for row in rows)

    def open_on(self, target: Target) -> tuple[Execution, ...]:
        """Return the executions on a target that have not ended."""
        with self._lock, self._problems():
            return tuple(self._open(target))

    def _open(self, target: Target) -> Iterator[Execution]:
        where = f"WHERE x.host = ? AND x.kind = ? AND x.name = ? AND n.state NOT IN ({_marks()})"
        rows = self._db.execute(f"{_NEWEST} {where}", (target.host, target.kind, target.name, *_ended())).fetchall()
        return (_execution(row) for row in rows)

    def plan_of(self, number: str) -> Plan:
        """Return the plan of an execution.

        Raises:
            StorageError: there is none of that number.
            PlanFormatError: it was changed on disk.
        """
        return plan_from_json(json.loads(self._field(number, "plan")))

    def approval_of(self, number: str) -> Approval:
        """Return the approval of an execution; raises as `plan_of`."""
        return approval_from_json(json.loads(self._field(number, "approval")))

    def _field(self, number: str, column: str) -> str:
        with self._lock, self._problems():
            row = self._db.execute("SELECT plan, approval FROM executions WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise StorageError(Problem(f"there is no execution {line(number, 100)}"))
        return str(row[column])


def _marks() -> str:
    return ", ".join("?" for _ in ENDS)


def _ended() -> tuple[str, ...]:
    return tuple(sorted(state.value for state in ENDS))


def _safe(detail: Mapping[str, object]) -> str:
    """Return the detail as canonical JSON, its texts redacted and bounded."""
    return canonical(_clean(dict(detail)))


def _clean(value: object) -> object:
    if isinstance(value, str):
        text = redact(value)
        return text if len(text) <= DETAIL_LIMIT else f"{text[:DETAIL_LIMIT]}… (+{len(text) - DETAIL_LIMIT} characters)"
    if isinstance(value, Mapping):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return jsonable(value)


def _entry(row: sqlite3.Row) -> JournalEntry:
    return JournalEntry(
        row["execution"], row["sequence"], State(row["state"]), datetime.fromisoformat(row["at"]), row["step"], row["detail"]
    )


def _execution(row: sqlite3.Row, entries: tuple[JournalEntry, ...] = ()) -> Execution:
    return Execution(
        id=row["id"],
        plan=row["plan_id"],
        digest=row["digest"],
        remediation=row["remediation"],
        target=Target(row["host"], row["kind"], row["name"]),
        state=State(row["state"]),
        started_at=datetime.fromisoformat(row["started_at"]).astimezone(UTC),
        changed_at=datetime.fromisoformat(row["changed_at"]).astimezone(UTC),
        operator=row["operator"],
        says=str(json.loads(row["detail"]).get("says", "")),
        entries=entries,
    )


def _hint(error: sqlite3.Error) -> str:
    words = str(error)
    if "full" in words:
        return "the disk is full: nothing is sent without a journal"
    if "locked" in words:
        return "another process holds it; try again"
    if "malformed" in words or "not a database" in words:
        return "it is damaged or something else: move it away, and look at the targets of its last executions"
    return ""
