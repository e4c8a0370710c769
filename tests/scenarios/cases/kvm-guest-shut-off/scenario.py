"""A guest that is set to start with its host was switched off."""

from __future__ import annotations

from tests.scenarios.lab.lab import BATCH, Lab

SHUT_OFF = 5


async def break_(lab: Lab) -> None:
    lab.guests.destroy(BATCH)
    lab.guests.wait_state(BATCH, SHUT_OFF)


async def heal(lab: Lab) -> None:
    lab.guests.back(BATCH)
