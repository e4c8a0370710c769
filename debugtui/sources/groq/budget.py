"""The tokens that our own probes spend in a day (UTC), kept in a file so that no restart forgets them."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import datetime
from pathlib import Path


class BudgetError(Exception):
    """The file cannot be read or written: nothing may be spent."""


class Budget:
    """Spends at most `limit` tokens a day; what may be spent at worst is written down before it is sent."""

    def __init__(self, file: Path | None, limit: int) -> None:
        self._file, self._limit = file, limit
        self._memory: dict[str, int] = {}

    def spent(self, now: datetime) -> int:
        """Return the tokens of this day.

        Raises:
            BudgetError: they are not known.
        """
        return self._read().get(f"{now:%Y-%m-%d}", 0)

    def reserve(self, worst: int, now: datetime) -> bool:
        """Reserve what a call may cost at worst; False: the day's budget does not allow it.

        Raises:
            BudgetError: it cannot be written down.
        """
        spent = self.spent(now)
        if spent + worst > self._limit:
            return False
        self._write({f"{now:%Y-%m-%d}": spent + worst})
        return True

    def settle(self, worst: int, really: int, now: datetime) -> None:
        """Put what a call really cost in the place of what was reserved.

        Raises:
            BudgetError: it cannot be written down.
        """
        self._write({f"{now:%Y-%m-%d}": max(0, self.spent(now) - worst + really)})

    def _read(self) -> dict[str, int]:
        if self._file is None:
            return dict(self._memory)
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BudgetError(f"{self._file} cannot be read: {type(error).__name__}") from None
        if not isinstance(found, dict) or not all(isinstance(value, int) and value >= 0 for value in found.values()):
            raise BudgetError(f"{self._file} holds something else")
        return found

    def _write(self, days: dict[str, int]) -> None:
        if self._file is None:
            self._memory = days
            return
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=self._file.parent, prefix=".budget-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(days, file)
            Path(draft).replace(self._file)
        except OSError as error:
            raise BudgetError(f"{self._file} cannot be written: {error.strerror}") from None
