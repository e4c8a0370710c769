"""What the probes may spend: tokens are set aside in a file before a completion is sent, and settled when its cost is known.

Whatever happens in between (a crash, a lost answer, a second DebugTUI with the same file), the file never says less than was
spent.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

#: Tokens set aside for the first completion of a model, before its cost is known: the longest frame that a model of Groq's puts
#: around a message of one word takes about 75 tokens.
FIRST_RESERVE = 80
#: Set aside afterwards: so many times the most that a completion of the model has cost. Its frame may change overnight.
SAFETY = 2
#: Seconds to wait for another program that holds the file.
LOCK_LIMIT = 2.0
_BIGGEST_FILE = 1_000_000


class BudgetError(Exception):
    """The file cannot be read, written or understood. Its text says which."""


class SpentError(Exception):
    """There is not enough left of today's budget for another completion."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a day has cost: tokens in and out, of which some may only be set aside."""

    day: str
    tokens_in: int = 0
    tokens_out: int = 0
    largest: int = 0

    @property
    def tokens(self) -> int:
        """Both together."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True)
class Reserve:
    """Tokens that were set aside, and for which day."""

    day: str
    tokens: int


class Budget:
    """The budget of one use of the API. Its methods read and write a file: call them in a thread."""

    def __init__(self, path: Path, name: str, model: str, limit: int) -> None:
        """Keep the account of `name` in `path`; at most `limit` tokens a day (UTC)."""
        self._path, self._limit = path, limit
        self._name = f"{name}/{model}"
        self._use = name

    def spent(self, now: datetime) -> Spent:
        """Return what today has cost so far.

        Raises:
            BudgetError: see there.
        """
        with _errors():
            return self._of(self._load(), now)

    def reserve(self, now: datetime) -> tuple[Reserve, Spent]:
        """Set aside what the next completion may cost at most.

        Raises:
            SpentError: there is not enough left; nothing was set aside.
            BudgetError: nothing may be sent.
        """
        with _errors(), self._locked():
            uses = self._load()
            spent = self._of(uses, now)
            worst = SAFETY * spent.largest or FIRST_RESERVE
            if spent.tokens + worst > self._limit:
                said = f"{spent.tokens:,} of {self._limit:,} tokens of today (UTC)"
                raise SpentError(f"{said}, and one more completion may take {worst:,}")
            after = Spent(spent.day, spent.tokens_in + worst - 1, spent.tokens_out + 1, spent.largest)
            self._store(uses, after)
            return Reserve(spent.day, worst), after

    def settle(self, reserve: Reserve, used: tuple[int, int], now: datetime) -> Spent:
        """Put what a completion really cost, tokens in and out, in the place of what was set aside for it.

        Raises:
            BudgetError: what was set aside stays spent.
        """
        with _errors(), self._locked():
            uses = self._load()
            spent = self._of(uses, now)
            if spent.day != reserve.day:
                return spent  # yesterday's account is closed
            tokens_in = max(0, spent.tokens_in - (reserve.tokens - 1) + used[0])
            tokens_out = max(0, spent.tokens_out - 1 + used[1])
            after = Spent(spent.day, tokens_in, tokens_out, max(spent.largest, sum(used)))
            self._store(uses, after)
            return after

    def _of(self, uses: dict[str, Any], now: datetime) -> Spent:
        """Return the account of today; a day that lies ahead stays: a clock that was put back makes no new budget."""
        today = now.date().isoformat()
        own = uses.get(self._use, {})
        largest = own.get("largest", {})
        if not isinstance(largest, dict):
            raise ValueError("it holds another shape")
        most = _number(largest, self._name)
        day = own.get("day", "")
        if not isinstance(day, str):
            raise ValueError("it holds another shape")
        if day < today:
            return Spent(today, largest=most)
        return Spent(day, _number(own, "tokens_in"), _number(own, "tokens_out"), most)

    def _load(self) -> dict[str, Any]:
        try:
            with self._path.open("rb") as file:
                data = file.read(_BIGGEST_FILE + 1)
        except FileNotFoundError:
            return {}
        if len(data) > _BIGGEST_FILE:
            raise ValueError("it is too big")
        found = json.loads(data)
        uses = found.get("uses") if isinstance(found, dict) and found.get("version") == 1 else None
        if not isinstance(uses, dict) or not all(isinstance(one, dict) for one in uses.values()):
            raise ValueError("it holds another shape")
        return uses

    def _store(self, uses: dict[str, Any], spent: Spent) -> None:
        own = uses.get(self._use, {})
        largest = {**own.get("largest", {}), self._name: spent.largest}
        uses[self._use] = {
            "day": spent.day,
            "tokens_in": spent.tokens_in,
            "tokens_out": spent.tokens_out,
            "largest": largest,
        }
        text = json.dumps({"version": 1, "uses": uses}, indent=1)
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the file beside it that says that somebody writes; other DebugTUIs wait."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            until = time.monotonic() + LOCK_LIMIT
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise TimeoutError("another program holds it") from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(handle)


def _number(holder: dict[str, Any], name: str) -> int:
    value = holder.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is no number")
    return value


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """Turn what files raise into what it means here."""
    try:
        yield
    except OSError as error:
        raise BudgetError(error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise BudgetError(f"it cannot be understood: {type(error).__name__}") from error
