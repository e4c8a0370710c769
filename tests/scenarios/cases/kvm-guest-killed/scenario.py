"""A guest's emulator was killed; the guest is set to start with its host, and is off."""

from __future__ import annotations

from tests.scenarios.lab.lab import BATCH, Lab

CRASHED = 3


async def break_(lab: Lab) -> None:
    lab.guests.kill(BATCH)
    assert lab.guests.state(BATCH)[1] == CRASHED


async def heal(lab: Lab) -> None:
    lab.guests.back(BATCH)
