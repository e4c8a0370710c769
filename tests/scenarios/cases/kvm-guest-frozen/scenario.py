"""A signal stopped the emulator of the guest that serves the intranet: it runs by all accounts, and libvirt waits for it."""

from __future__ import annotations

import os
import signal

from tests.scenarios.lab.lab import INTRANET, Lab
from tests.scenarios.lab.programs import status_of


async def break_(lab: Lab) -> dict[str, object]:
    pid = lab.guests.guest_pid(INTRANET)
    os.kill(pid, signal.SIGSTOP)
    assert status_of(lab.guests.guests[INTRANET].url, 1) == 0
    return {"emulator": pid}


async def heal(lab: Lab) -> None:
    os.kill(lab.guests.guest_pid(INTRANET), signal.SIGCONT)
    lab.guests.back(INTRANET)
