"""libvirtd was killed: the guests run on, and nobody can manage them."""

from __future__ import annotations

from tests.scenarios.lab.lab import INTRANET, Lab
from tests.scenarios.lab.programs import status_of


async def break_(lab: Lab) -> None:
    lab.guests.kill_daemon()
    assert status_of(lab.guests.guests[INTRANET].url) == 200


async def heal(lab: Lab) -> None:
    lab.guests.start_daemon()
