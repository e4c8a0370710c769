"""What is remembered of alerts: what holds since when, what has ended, what operators acknowledged and silenced.

A small SQLite file that may be lost: one that is damaged is put aside, and a new one begun. Several processes may use it (a
screen, and `check` from cron); each writes what it has seen itself, and takes away only what it has seen to be over. Every
method blocks: call them in a thread.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from debugtui.config.redaction import redact
from debugtui.model.alert_memory import Changes, Ended, Held, Key, Marks, Memory
from debugtui.model.alerts import Acknowledgement, Silence
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.storage.alert_rows import (
    acknowledgement_row,
    ended_row,
    held_row,
    key_text,
    moment_text,
    silence_row,
    sound,
    time_text,
)
from debugtui.storage.problems import StorageError

NAME = "alerts.db"
#: Grows when a table changes.
SCHEMA = 1
#: Seconds that a write waits for another process.
BUSY = 5.0
#: How long what is over, and what nobody looks at any more, is kept; and most rows of each kind.
KEEP_ENDED, KEEP_UNSEEN, KEEP_SILENCES = timedelta(days=1), timedelta(days=7), timedelta(days=30)
MOST = 5_000
_TEXT = 1_000

_TABLES = """
CREATE TABLE held (
    rule TEXT NOT NULL, target TEXT NOT NULL, origin TEXT NOT NULL, severity TEXT NOT NULL, worst TEXT NOT NULL,
    message TEXT NOT NULL, value REAL, threshold REAL, since TEXT NOT NULL, held_s REAL NOT NULL, seen TEXT NOT NULL,
    seen_at TEXT NOT NULL, opened_at TEXT, gone_s REAL, gone TEXT, trail TEXT NOT NULL, PRIMARY KEY (rule, target)
) STRICT;
CREATE TABLE ended (
    rule TEXT NOT NULL, target TEXT NOT NULL, worst TEXT NOT NULL, message TEXT NOT NULL, since TEXT NOT NULL,
    opened_at TEXT NOT NULL, ended_at TEXT NOT NULL, trail TEXT NOT NULL
) STRICT;
CREATE INDEX ended_by_key ON ended (rule, target, ended_at);
CREATE TABLE acknowledged (
    rule TEXT NOT NULL, target TEXT NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL, note TEXT NOT NULL, severity TEXT NOT NULL,
    PRIMARY KEY (rule, target)
) STRICT;
CREATE TABLE silences (
    id TEXT PRIMARY KEY, rule TEXT NOT NULL, target TEXT NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL, until TEXT NOT NULL,
    reason TEXT NOT NULL, ended_at TEXT, ended_by TEXT NOT NULL
) STRICT;
"""


class AlertStore:
    """One file of alerts.

    Attributes:
        said: why it had to begin anew; empty where it did not.
    """

    def __init__(self, path: Path) -> None:
        """Open it, or make it where absent; one that is damaged is put aside as `alerts.db.damaged`.

        Raises:
            StorageError: it cannot be opened, or another version of DebugTUI wrote it.
        """
        self._path = path
        self._lock = threading.Lock()
        self.said = ""
        try:
            self._db = self._open()
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise self._problem(error) from error
            self._put_aside(error)
            with self._problems():
                self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise self._problem(error) from error
        db = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        # What is lost with the machine's power is a minute of what `check` finds again; nothing breaks.
        db.execute("PRAGMA synchronous = NORMAL")
        fault = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if fault != "ok":
            raise sqlite3.DatabaseError(f"malformed: {fault}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise StorageError(
                Problem(f"{self._path} was written by another version of DebugTUI", "move it away, or use that version")
            )
        if version == 0:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:  # another process may have been quicker
                for statement in _TABLES.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA}")
            db.execute("COMMIT")

    def _put_aside(self, error: sqlite3.Error) -> None:
        aside = self._path.with_name(f"{self._path.name}.damaged")
        try:
            self._path.replace(aside)
            for rest in ("-journal", "-wal", "-shm"):
                self._path.with_name(f"{self._path.name}{rest}").unlink(missing_ok=True)
        except OSError as reason:
            raise self._problem(reason) from error
        self.said = f"{self._path} was damaged, and was put aside as {aside.name}: alerts begin anew"

    def _problem(self, error: sqlite3.Error | OSError) -> StorageError:
        says = line(str(error.strerror if isinstance(error, OSError) else error), 300)
        hint = "another process holds it; try again" if "locked" in says else ""
        return StorageError(Problem(f"the memory of alerts {self._path}: {says}", hint))

    @contextmanager
    def _problems(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._problem(error) from error

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

    # Reading

    def load(self) -> Memory:
        """Return everything that is remembered; rows that cannot be read are left out, and said.

        Raises:
            StorageError: it cannot be read.
        """
        with self._lock, self._problems():
            held = self._db.execute("SELECT * FROM held").fetchall()
            ended = self._db.execute("SELECT * FROM ended ORDER BY ended_at").fetchall()
        bad: list[str] = []
        memory = Memory(tuple(sound(held, held_row, bad)), tuple(sound(ended, ended_row, bad)), self.marks())
        said = [self.said] if self.said else []
        if bad:
            said.append(f"{len(bad)} lines of {self._path} cannot be read, and are left out")
        return Memory(memory.held, memory.ended, memory.marks, tuple(said))

    def marks(self) -> Marks:
        """Return what operators said: acknowledgements, and silences that still hold or ended a short while ago.

        Raises:
            StorageError: it cannot be read.
        """
        with self._lock, self._problems():
            acknowledged = self._db.execute("SELECT * FROM acknowledged").fetchall()
            silences = self._db.execute("SELECT * FROM silences ORDER BY at").fetchall()
        return Marks(dict(sound(acknowledged, acknowledgement_row, [])), tuple(sound(silences, silence_row, [])))

    # Writing

    def save(self, changes: Changes, now: datetime) -> None:
        """Write down what one run has seen, and leave out what is too old.

        Raises:
            StorageError: it could not be written.
        """
        with self._writing():
            for key in changes.gone:
                self._db.execute("DELETE FROM held WHERE rule = ? AND target = ?", key_text(key))
            for over in changes.ended:
                self._end(over)
            for key in changes.voided:
                self._db.execute("DELETE FROM acknowledged WHERE rule = ? AND target = ?", key_text(key))
            for held in changes.held:
                self._hold(held)
            self._prune(now)

    def _hold(self, held: Held) -> None:
        """Write what holds; where another process saw it open earlier, its beginning stays."""
        values = (
            *key_text(held.key),
            json.dumps(held.origin),
            held.severity.value,
            held.worst.value,
            redact(line(held.message, _TEXT)),
            held.value,
            held.threshold,
            time_text(held.since),
            held.held_s,
            moment_text(held.seen),
            time_text(held.seen.wall),
            time_text(held.opened_at) if held.opened_at else None,
            held.gone_s,
            moment_text(held.gone_at) if held.gone_at else None,
            json.dumps(held.trail),
        )
        self._db.execute(
            f"INSERT INTO held VALUES ({', '.join('?' * len(values))}) ON CONFLICT (rule, target) DO UPDATE SET "  # noqa: S608 - marks
            "origin = excluded.origin, severity = excluded.severity, worst = excluded.worst, message = excluded.message, "
            "value = excluded.value, threshold = excluded.threshold, since = excluded.since, "
            "held_s = excluded.held_s, seen = excluded.seen, seen_at = excluded.seen_at, "
            "opened_at = CASE WHEN excluded.opened_at IS NULL THEN NULL ELSE min(coalesce(opened_at, excluded.opened_at), "
            "excluded.opened_at) END, gone_s = excluded.gone_s, gone = excluded.gone, trail = excluded.trail",
            values,
        )

    def _end(self, over: Ended) -> None:
        """Write that an alert is over: one that another process saw as well, at the same time, is the same alert."""
        where = "rule = ? AND target = ? AND opened_at <= ? AND ended_at >= ?"
        same = (*key_text((over.rule, over.target)), time_text(over.ended_at), time_text(over.opened_at))
        known = self._db.execute(f"SELECT rowid FROM ended WHERE {where}", same).fetchone()  # noqa: S608 - our own words
        if known is None:
            message, trail = redact(line(over.message, _TEXT)), json.dumps(over.trail)
            times = (time_text(over.since), time_text(over.opened_at), time_text(over.ended_at))
            row = (*key_text((over.rule, over.target)), over.worst.value, message, *times, trail)
            self._db.execute("INSERT INTO ended VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        else:
            span = (time_text(over.opened_at), time_text(over.ended_at), known["rowid"])
            self._db.execute(
                "UPDATE ended SET opened_at = min(opened_at, ?), ended_at = max(ended_at, ?) WHERE rowid = ?", span
            )
        until = (*key_text((over.rule, over.target)), time_text(over.ended_at))
        self._db.execute("DELETE FROM acknowledged WHERE rule = ? AND target = ? AND at <= ?", until)

    def _prune(self, now: datetime) -> None:
        for table, column, keep in (("ended", "ended_at", KEEP_ENDED), ("held", "seen_at", KEEP_UNSEEN)):
            self._db.execute(f"DELETE FROM {table} WHERE {column} < ?", (time_text(now - keep),))  # noqa: S608 - our own words
            self._db.execute(
                f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY {column} DESC LIMIT -1 OFFSET ?)",  # noqa: S608
                (MOST,),
            )
        before = time_text(now - KEEP_SILENCES)
        self._db.execute("DELETE FROM silences WHERE until < ? OR ended_at < ?", (before, before))
        # An acknowledgement belongs to an alert; one whose alert is remembered by nobody is nothing.
        self._db.execute(
            "DELETE FROM acknowledged WHERE at < ? AND NOT EXISTS (SELECT 1 FROM held WHERE held.rule = acknowledged.rule "
            "AND held.target = acknowledged.target)",
            (time_text(now - KEEP_UNSEEN),),
        )

    def acknowledge(self, key: Key, said: Acknowledgement, *, also: Callable[[], object] = lambda: None) -> None:
        """Write down that somebody has seen an alert.

        Args:
            key: the alert.
            said: who, when, what.
            also: done before it counts; where that fails, nothing is written (the audit log).

        Raises:
            StorageError: it could not be written.
        """
        with self._writing():
            row = (*key_text(key), line(said.who, 200), time_text(said.at), redact(line(said.note, _TEXT)), said.severity.value)
            self._db.execute("INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?, ?, ?, ?)", row)
            also()

    def silence(self, silence: Silence, *, also: Callable[[], object] = lambda: None) -> None:
        """Write down a silence; `also` as in `acknowledge`.

        Raises:
            StorageError: it could not be written.
        """
        with self._writing():
            row = (silence.id, line(silence.rule, _TEXT), line(silence.target, _TEXT), line(silence.who, 200))
            rest = (time_text(silence.at), time_text(silence.until), redact(line(silence.reason, _TEXT)), None, "")
            self._db.execute("INSERT INTO silences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, *rest))
            also()

    def end_silence(self, number: str, who: str, at: datetime, *, also: Callable[[], object] = lambda: None) -> None:
        """End a silence before its time; `also` as in `acknowledge`.

        Raises:
            StorageError: there is none of that number that still holds, or it could not be written.
        """
        with self._writing():
            done = self._db.execute(
                "UPDATE silences SET ended_at = ?, ended_by = ? WHERE id = ? AND ended_at IS NULL AND until > ?",
                (time_text(at), line(who, 200), number, time_text(at)),
            )
            if not done.rowcount:
                raise StorageError(Problem(f"there is no silence {line(number, 100)} that still holds"))
            also()


def _damaged(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    words = str(error)
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "malformed" in words or "not a database" in words
