"""How far behind the terminal is: on a slow link the queue of frames is what the operator waits for."""

from __future__ import annotations

from typing import Any

from textual.app import App


def backlog(app: App[Any]) -> int:
    """Return how many writes wait for the terminal; 0 where the driver does not tell (a private hook of the pinned Textual)."""
    writer = getattr(app._driver, "_writer_thread", None)  # noqa: SLF001
    queue = getattr(writer, "_queue", None)
    return int(queue.qsize()) if queue is not None else 0
