"""A guest is paused, because the store that its disk lies on has no space left."""

from __future__ import annotations

from tests.scenarios.lab.lab import MAIL, Lab

PAUSED, IO_ERROR = 3, 5


async def break_(lab: Lab) -> None:
    lab.guests.fill_own_store()
    lab.guests.wait_state(MAIL, PAUSED)
    assert lab.guests.state(MAIL) == (PAUSED, IO_ERROR)


async def heal(lab: Lab) -> None:
    lab.guests.free_own_store()
    lab.guests.back(MAIL)
