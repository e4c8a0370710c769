"""Streams of the Groq API stop in the middle."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.groq.fail("stall", delay=30)
    assert await lab.groq_status("models") == 200


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
