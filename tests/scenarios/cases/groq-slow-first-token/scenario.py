"""The Groq API takes three seconds to the first token."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.groq.fail("slow_first_token", delay=3)
    assert await lab.groq_status("models") == 200


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
