"""The model that the shop uses was taken out of service."""

from __future__ import annotations

from tests.scenarios.lab.lab import MODEL, Lab


async def break_(lab: Lab) -> None:
    lab.groq.models.remove(MODEL)
    assert await lab.groq_status("chat/completions") == 404


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
