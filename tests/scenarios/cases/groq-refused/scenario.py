"""Nobody listens at the address of the Groq API."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    await lab.groq.stop()
    assert await lab.groq_status("models") == 0


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
