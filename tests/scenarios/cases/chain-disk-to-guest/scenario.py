"""The store is full: the guest whose disk lies on it is paused, and the intranet that it serves answers no more."""

from __future__ import annotations

from tests.scenarios.lab.lab import INTRANET, Lab
from tests.scenarios.lab.programs import status_of

PAUSED = 3


async def break_(lab: Lab) -> None:
    lab.fill_store()
    lab.guests.wait_state(INTRANET, PAUSED)
    assert status_of(lab.guests.guests[INTRANET].url, 1) == 0


async def heal(lab: Lab) -> None:
    lab.store.free()
    lab.guests.back(INTRANET)
