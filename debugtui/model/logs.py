"""Log lines as a viewer takes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Level(StrEnum):
    """Severity of one log line, judged from its text; `unknown` where it does not tell."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, cleaned (model.text.line) and redacted. `stream` is `stdout`, `stderr` or empty; `at` is UTC."""

    text: str
    at: datetime | None = None
    stream: str = ""
