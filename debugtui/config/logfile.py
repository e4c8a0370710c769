"""DebugTUI's own log: a small rotating file, readable by its owner only, redacted at the sink."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from debugtui.config.paths import state_dir
from debugtui.config.redaction import redact

SIZE = 1_000_000
KEPT = 3


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and removes every secret from the result."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted text of a record."""
        return redact(super().format(record))


def log_file() -> Path:
    """Return where the log is."""
    return state_dir() / "debugtui.log"


def log_to_file(file: Path | None = None, level: int = logging.INFO) -> None:
    """Send this program's log to a file, its own where none is given; on the terminal it would break the screen."""
    handler = RotatingFileHandler(file or log_file(), maxBytes=SIZE, backupCount=KEPT, encoding="utf-8", delay=True)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
