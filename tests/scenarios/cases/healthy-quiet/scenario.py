"""Nothing happens at all."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    await lab.assert_healthy()


async def heal(lab: Lab) -> None:
    await lab.assert_healthy()
