"""A Loki of one's own: the emulator that speaks its HTTP API, on a free port of loopback, in the test's own event loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from debugtui.demo.loki_emulator import LokiEmulator


@contextlib.asynccontextmanager
async def loki_server(**options: Any) -> AsyncIterator[LokiEmulator]:
    """Serve until the block ends; lines are given by `push(labels, lines)`, or by POST /loki/api/v1/push."""
    loki = LokiEmulator(**options)
    await loki.start()
    try:
        yield loki
    finally:
        await loki.stop()
