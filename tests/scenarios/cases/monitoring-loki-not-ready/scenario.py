"""Loki runs, and says that it is not ready: its ingester waits for the ring."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.loki.not_ready = "Ingester not ready: waiting for 15s after being ready"


async def heal(lab: Lab) -> None:
    lab.loki.not_ready = ""
