"""The sshd of the second host is down: whatever is watched through it cannot be seen."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.second_sshd.stop()


async def heal(lab: Lab) -> None:
    lab.second_sshd.start()
