"""A Grafana of one's own: the emulator that speaks its HTTP API, on a free port of loopback, in the test's own event loop."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from debugtui.demo.grafana_emulator import EmulatedSource, GrafanaEmulator

TOKEN = "glsa_of_the_emulator"


@contextlib.asynccontextmanager
async def grafana_server(*sources: EmulatedSource, **options: Any) -> AsyncIterator[GrafanaEmulator]:
    """Serve until the block ends."""
    grafana = GrafanaEmulator(sources, **options)
    await grafana.start()
    try:
        yield grafana
    finally:
        await grafana.stop()
