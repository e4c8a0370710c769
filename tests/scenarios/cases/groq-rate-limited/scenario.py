"""The Groq API answers 429: the organisation sends more than its limit."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.groq.fail("429", retry_after=30, where="chat")
    assert await lab.groq_status("chat/completions") == 429


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
