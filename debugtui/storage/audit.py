"""The audit log: one JSON line for each event, each with the hash of the line before, so that a change of the past shows.

What it proves: no line that stands before the newest one was edited, removed, added or moved since it was written, by anybody
who did not write all later lines anew. `audit.head`, beside it, holds the newest hash, so that lines cut off at the end show as
well. Whoever may write both files can forge both: for more, ship the lines, or the head, to another machine.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from debugtui.config.redaction import redact
from debugtui.model.canonical import canonical, digest
from debugtui.model.jsonable import jsonable
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.storage.problems import StorageError

#: The hash that the first entry names as the one before.
GENESIS = "sha256:" + "0" * 64
#: Longest line, in bytes.
LINE_LIMIT = 1_000_000
_TEXT_LIMIT = 20_000
_HEAD_LIMIT = 4_096


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. `fields` is canonical JSON of what the event is about."""

    sequence: int
    at: datetime
    event: str
    fields: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a verification found.

    Attributes:
        entries: how many lines are sound, from the first on.
        head: hash of the last sound one.
        broken: number of the first broken line, from 1; None: none is.
        why: what is wrong with it.
    """

    entries: int
    head: str
    broken: int | None = None
    why: str = ""


class AuditLog:
    """One audit log. Several processes may append to it. Every method blocks: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head_path = path.with_suffix(".head")

    def append(self, event: str, fields: Mapping[str, object], *, at: datetime | None = None) -> AuditEntry:
        """Write one entry; it is on disk when this returns.

        Args:
            event: `approved`, `sent`, `verified`...
            fields: plain JSON values; texts are redacted.
            at: when (UTC); now where None.

        Raises:
            StorageError: it could not be written, or the log is broken: nothing is added to a broken chain.
        """
        with self._open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = self._last(file)
            body: dict[str, object] = {
                "sequence": last[0] + 1,
                "at": jsonable(at or datetime.now(UTC)),
                "event": event,
                "machine": socket.gethostname(),
                "fields": _clean(dict(fields)),
                "previous": last[1],
            }
            entry_hash = digest(body)
            data = canonical({**body, "hash": entry_hash}).encode("utf-8", "surrogatepass") + b"\n"
            if len(data) > LINE_LIMIT:
                raise StorageError(Problem(f"the audit entry {event} is larger than {LINE_LIMIT // 1_000_000} MB"))
            self._add(file, data)
            self._write_head(last[0] + 1, entry_hash)
        entry = _read(data)
        assert isinstance(entry, AuditEntry)  # noqa: S101 - written a moment ago
        return entry

    def _add(self, file: BinaryIO, data: bytes) -> None:
        size = file.seek(0, os.SEEK_END)
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)  # half a line would break the chain for ever
            raise

    def _write_head(self, sequence: int, entry_hash: str) -> None:
        temporary = self.head_path.with_suffix(".head.new")
        with temporary.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(canonical({"sequence": sequence, "hash": entry_hash}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.head_path)

    def _last(self, file: BinaryIO) -> tuple[int, str]:
        """Return sequence and hash of the newest entry; the chain before it is not walked."""
        size = file.seek(0, os.SEEK_END)
        head = self._head()
        if size == 0:
            if head is not None and head[0] > 0:
                raise StorageError(Problem(f"{self.path} is empty, but had {head[0]} entries", "debugtui audit-log verify"))
            return 0, GENESIS
        file.seek(max(0, size - LINE_LIMIT))
        lines = file.read().split(b"\n")
        newest = _read(lines[-2]) if len(lines) > 1 and not lines[-1] else "the last line is cut off"
        if isinstance(newest, str):
            raise StorageError(Problem(f"the audit log {self.path} is broken: {newest}", "debugtui audit-log verify"))
        return newest.sequence, newest.hash

    def _head(self) -> tuple[int, str] | None:
        """Return what the head file says; None where there is none that can be read."""
        try:
            with self.head_path.open("rb") as file:
                value = json.loads(file.read(_HEAD_LIMIT))
            return int(value["sequence"]), str(value["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def head(self) -> str:
        """Hash of the newest entry, as the head file has it; empty where there is none."""
        found = self._head()
        return found[1] if found else ""

    def entries(self) -> Iterator[AuditEntry]:
        """Yield the entries, oldest first, up to the first one that cannot be read."""
        with self._open("rb") as file:
            for data in _lines(file):
                entry = _read(data)
                if isinstance(entry, str):
                    return
                yield entry

    def verify(self) -> AuditReport:
        """Walk the whole chain, in bounded memory; name the first broken line.

        Raises:
            StorageError: it cannot be read.
        """
        previous, count = GENESIS, 0
        if not self.path.exists():
            head = self._head()
            if head is not None and head[0] > 0:
                return AuditReport(0, GENESIS, 1, f"the log is gone; it had {head[0]} entries")
            return AuditReport(0, GENESIS)
        with self._open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            for number, data in enumerate(_lines(file), 1):
                entry = _read(data)
                if isinstance(entry, str):
                    return AuditReport(count, previous, number, entry)
                if entry.sequence != number:
                    return AuditReport(
                        count, previous, number, f"it is numbered {entry.sequence}: one is missing, added or moved"
                    )
                if entry.previous != previous:
                    return AuditReport(
                        count, previous, number, "it does not follow the line before: one was changed or removed"
                    )
                previous, count = entry.hash, number
            head = self._head()
        return self._against_head(head, count, previous)

    def _against_head(self, head: tuple[int, str] | None, count: int, previous: str) -> AuditReport:
        if head is None:
            return AuditReport(
                count, previous, count + 1, f"{self.head_path.name} is missing: lines may have been cut off at the end"
            )
        if head[0] == count and head[1] == previous:
            return AuditReport(count, previous)
        if head[0] == count - 1:
            # Killed between the line and the head: the line is whole, and follows the one that the head names.
            return AuditReport(count, previous)
        if head[0] > count:
            return AuditReport(count, previous, count + 1, f"{head[0] - count} lines are missing at the end")
        return AuditReport(
            count, previous, min(count, head[0] + 1), "it is not the line that was written: the head names another"
        )

    @contextmanager
    def _open(self, mode: str) -> Iterator[BinaryIO]:
        try:
            if "a" in mode and not self.path.exists():
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
            with self.path.open(mode) as file:
                yield file  # type: ignore[misc] # opened in binary mode
        except OSError as error:
            hint = "nothing is sent without an audit log" if "a" in mode else ""
            raise StorageError(Problem(f"the audit log {self.path}: {error.strerror}", hint)) from error


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines without their ends; one that is too long, or has no end, is yielded so that it does not parse."""
    while data := file.readline(LINE_LIMIT + 1):
        yield data[:-1] if data.endswith(b"\n") else data + b"\x00"


def _read(data: bytes) -> AuditEntry | str:
    """Return the entry of a line, or what is wrong with it."""
    try:
        text = data.removesuffix(b"\n").decode("utf-8", "surrogatepass")
        value = json.loads(text)
        body = {key: value[key] for key in ("sequence", "at", "event", "machine", "fields", "previous")}
        if canonical({**body, "hash": value["hash"]}) != text:
            return "it was changed: it is not written as it was"
        if digest(body) != value["hash"]:
            return "it was changed: it does not have the hash that it names"
        return AuditEntry(
            value["sequence"],
            datetime.fromisoformat(value["at"]),
            value["event"],
            canonical(value["fields"]),
            value["previous"],
            value["hash"],
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it is no entry of an audit log, or cut off"


def _clean(value: object) -> object:
    if isinstance(value, str):
        return line(redact(value), _TEXT_LIMIT)
    if isinstance(value, Mapping):
        return {line(str(key), 200): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return jsonable(value)
