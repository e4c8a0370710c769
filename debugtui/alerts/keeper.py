"""What a run needs of alerts: the book, its memory on the disk, and what operators say. One for each run, screen or command."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from debugtui.alerts.book import AlertBook
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Acknowledgement, Alert, Severity, Silence
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.source import FleetView, Problem
from debugtui.model.target import Target
from debugtui.storage.problems import StorageError

if TYPE_CHECKING:
    from debugtui.storage.alerts import AlertStore
    from debugtui.storage.audit import AuditLog

#: Seconds between two writings while nothing begins or ends, and between two looks at what others said.
WRITE_EVERY, LOOK_EVERY = 15.0, 3.0
#: A silence lasts so long at most; what is to be quiet for longer is a rule to be changed.
LONGEST_SILENCE = timedelta(days=30)

Answer = TypeVar("Answer")


class AlertKeeper:
    """The book and its memory. Where the memory fails, alerts go on without it, and `problems` says so."""

    def __init__(self, rules: Rules = DEFAULT, clock: Clock | None = None) -> None:
        """Prepare; nothing is opened yet."""
        self.clock = clock or SystemClock()
        self.book = AlertBook(rules, self.clock)
        self.problems: list[str] = []
        self._store: AlertStore | None = None
        self._audit: AuditLog | None = None
        self._one = asyncio.Lock()
        self._written = self._looked = float("-inf")

    async def open(self, folder: Path) -> None:
        """Open the memory in a directory, and take in what is remembered; a problem is kept in `problems`."""

        def work() -> tuple[AlertStore, AuditLog]:
            from debugtui.storage.alerts import NAME, AlertStore
            from debugtui.storage.audit import AuditLog

            return AlertStore(folder / NAME), AuditLog(folder / "audit.jsonl")

        try:
            store, self._audit = await asyncio.to_thread(work)
            self._store = store
            memory = await asyncio.to_thread(store.load)
        except StorageError as error:
            await self._without(error)
            return
        self.problems += memory.said
        self.book.restore(memory)

    async def _without(self, error: StorageError) -> None:
        store, self._store = self._store, None
        if store is not None:
            await asyncio.to_thread(store.close)
        self.problems.append(f"alerts are not remembered: {error.problem}")

    @property
    def remembers(self) -> bool:
        """Whether there is a memory."""
        return self._store is not None

    def judge(self, view: FleetView) -> tuple[Alert, ...]:
        """Judge a view; see `AlertBook.update`."""
        return self.book.update(view)

    async def flush(self, *, now: bool = False) -> None:
        """Write down what is new, and take in what other processes wrote; seldom, unless something began or ended."""
        store = self._store
        if store is None or self._one.locked():
            return
        async with self._one:
            at = time.monotonic()
            try:
                if now or self.book.urgent or at - self._written >= WRITE_EVERY:
                    await self._write(store)
                    self._written = at
                if now or at - self._looked >= LOOK_EVERY:
                    self.book.mark(await asyncio.to_thread(store.marks))
                    self._looked = at
            except StorageError as error:
                await self._without(error)

    async def _write(self, store: AlertStore) -> None:
        changes = self.book.changes()
        try:
            await asyncio.to_thread(store.save, changes, self.clock.now())
        except BaseException:
            self.book.unwritten(changes)
            raise

    async def close(self) -> None:
        """Write down what is new, and close the memory. Safe to call twice."""
        async with self._one:
            store, self._store = self._store, None
            if store is None:
                return
            try:
                await self._write(store)
            except StorageError as error:
                self.problems.append(f"alerts are not remembered: {error.problem}")
            finally:
                await asyncio.to_thread(store.close)

    # What operators say

    async def acknowledge(self, rule: str, target: Target, severity: Severity, who: str, note: str) -> Acknowledgement:
        """Write down, and into the audit log, that somebody has seen an alert.

        Raises:
            StorageError: it could not be written.
        """
        said = Acknowledgement(who, self.clock.now(), note, severity)
        await self._say(lambda store, audit: acknowledge(store, audit, rule, target, said))
        return said

    async def silence(self, rule: str, target: str, lasts: timedelta, who: str, reason: str) -> Silence:
        """Write down, and into the audit log, that alerts are to be quiet for a while.

        Raises:
            StorageError: it could not be written, or lasts too long.
        """
        silence = make_silence(rule, target, lasts, who, reason, self.clock.now())
        await self._say(lambda store, audit: add_silence(store, audit, silence))
        return silence

    async def end_silence(self, number: str, who: str) -> None:
        """Write down, and into the audit log, that a silence is over.

        Raises:
            StorageError: there is none, or it could not be written.
        """
        now = self.clock.now()
        await self._say(lambda store, audit: end_silence(store, audit, number, who, now))

    async def _say(self, work: Callable[[AlertStore, AuditLog], Answer]) -> Answer:
        store, audit = self._store, self._audit
        if store is None or audit is None:
            raise StorageError(Problem("nothing can be written down: there is no memory of alerts", "see the log"))
        async with self._one:
            # What began or ended before is written first, so that what is said now belongs to the alert that is seen now.
            await self._write(store)
            answer = await asyncio.to_thread(work, store, audit)
            self.book.mark(await asyncio.to_thread(store.marks))
        return answer


def make_silence(rule: str, target: str, lasts: timedelta, who: str, reason: str, now: datetime) -> Silence:
    """Return a silence that begins now.

    Raises:
        StorageError: it would not end, or only after very long.
    """
    if not timedelta() < lasts <= LONGEST_SILENCE:
        raise StorageError(
            Problem(
                f"a silence lasts at most {LONGEST_SILENCE.days} days, and longer than nothing",
                "what is to be quiet for longer: [alerts.rules.NAME] enabled = false",
            )
        )
    return Silence(f"sil_{secrets.token_hex(4)}", rule, target, who, now, now + lasts, reason)


def acknowledge(store: AlertStore, audit: AuditLog, rule: str, target: Target, said: Acknowledgement) -> None:
    """Write an acknowledgement into memory and audit log: into both or none."""
    fields = {"rule": rule, "target": str(target), "by": said.who, "note": said.note, "severity": said.severity.value}
    store.acknowledge((rule, target), said, also=lambda: audit.append("alert-acknowledged", fields, at=said.at))


def add_silence(store: AlertStore, audit: AuditLog, silence: Silence) -> None:
    """Write a silence into memory and audit log: into both or none."""
    fields = {
        "silence": silence.id,
        "rule": silence.rule,
        "target": silence.target,
        "by": silence.who,
        "until": silence.until.isoformat(),
        "reason": silence.reason,
    }
    store.silence(silence, also=lambda: audit.append("alert-silenced", fields, at=silence.at))


def end_silence(store: AlertStore, audit: AuditLog, number: str, who: str, now: datetime) -> None:
    """Write the early end of a silence into memory and audit log: into both or none."""
    fields = {"silence": number, "by": who}
    store.end_silence(number, who, now, also=lambda: audit.append("alert-unsilenced", fields, at=now))
