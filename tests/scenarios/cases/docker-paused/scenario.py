"""Somebody paused the API: its port takes connections, and nobody answers."""

from __future__ import annotations

from tests.scenarios.lab.containers import API
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.docker("pause", API)
    assert lab.containers.inspect(API)["State"]["Paused"]


async def heal(lab: Lab) -> None:
    lab.containers.docker("unpause", API)
    lab.containers.wait_serving()
