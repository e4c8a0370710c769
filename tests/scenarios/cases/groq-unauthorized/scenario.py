"""The Groq API refuses the key: it was revoked."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.groq.keys = {"gsk_the_new_one"}
    assert await lab.groq_status("models") == 401


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
