"""The Groq API answers 503 to every call."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.groq.fail("503")
    assert await lab.groq_status("models") == 503


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
