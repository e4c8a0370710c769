"""What running runbooks left: kept so that an incident can be told afterwards. Every method blocks: call them in a thread."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from debugtui.config.redaction import redact
from debugtui.model.jsonable import jsonable
from debugtui.model.runbook import RunbookRun, run_from_json
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.storage.problems import StorageError

#: Grows when a table changes.
SCHEMA = 1
#: Seconds that a write waits for another process.
BUSY = 5.0
#: Runs that are kept, and for how long.
KEPT, KEPT_FOR = 500, timedelta(days=90)

_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, started_at TEXT NOT NULL, runbook TEXT NOT NULL, target TEXT NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS runs_by_time ON runs (started_at);
"""


class RunbookRuns:
    """One file of runs. Several processes may use it."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it where absent, readable by its owner only.

        Raises:
            StorageError: it cannot be opened, or is of another version.
        """
        self._path = path
        self._lock = threading.Lock()
        with self._problems():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            with self._problems():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
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
            raise StorageError(Problem(f"the runs of runbooks {self._path}: {line(str(error), 300)}")) from error
        except OSError as error:
            raise StorageError(Problem(f"the runs of runbooks {self._path}: {error.strerror}")) from error

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._db.close()

    def save(self, run: RunbookRun) -> None:
        """Keep a run, in the place of an earlier state of the same one; forget those that are too old, or too many.

        Raises:
            StorageError: it could not be written.
        """
        document = json.dumps(_redacted(jsonable(run)), ensure_ascii=False)
        oldest = _stamp(run.started_at - KEPT_FOR)
        with self._lock, self._problems():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "INSERT INTO runs VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                    (run.id, _stamp(run.started_at), run.runbook, str(run.target), document),
                )
                self._db.execute("DELETE FROM runs WHERE started_at < ?", (oldest,))
                self._db.execute(
                    "DELETE FROM runs WHERE id NOT IN (SELECT id FROM runs ORDER BY started_at DESC, id DESC LIMIT ?)", (KEPT,)
                )
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def newest(self, *, target: str = "", since: datetime | None = None, most: int = 100) -> tuple[RunbookRun, ...]:
        """Return runs, newest first.

        Args:
            target: only of this one; empty: of all.
            since: only those that began then or later.
            most: at most so many.

        Raises:
            StorageError: they cannot be read.
        """
        with self._lock, self._problems():
            rows = self._db.execute(
                "SELECT document FROM runs WHERE (? = '' OR target = ?) AND started_at >= ?"
                " ORDER BY started_at DESC, id DESC LIMIT ?",
                (target, target, _stamp(since) if since else "", most),
            ).fetchall()
        return tuple(self._read(row[0]) for row in rows)

    def get(self, number: str) -> RunbookRun | None:
        """Return one run; None where there is none of that number.

        Raises:
            StorageError: it cannot be read.
        """
        with self._lock, self._problems():
            row = self._db.execute("SELECT document FROM runs WHERE id = ?", (number,)).fetchone()
        return self._read(row[0]) if row is not None else None

    def _read(self, document: str) -> RunbookRun:
        try:
            return run_from_json(json.loads(document))
        except (ValueError, RecursionError) as error:
            raise StorageError(Problem(f"the runs of runbooks {self._path}: {line(str(error), 200)}")) from error


def _redacted(value: object) -> object:
    """Redact each text by itself: of a whole document a mask could take a part of its form."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redacted(one) for key, one in value.items()}
    return [_redacted(one) for one in value] if isinstance(value, list) else value


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
