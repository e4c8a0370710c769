"""A guest was switched off; and, for another reason, the Groq API refuses the key."""

from __future__ import annotations

from tests.scenarios.lab.lab import BATCH, Lab

SHUT_OFF = 5


async def break_(lab: Lab) -> None:
    lab.guests.destroy(BATCH)
    lab.guests.wait_state(BATCH, SHUT_OFF)
    lab.groq.keys = {"gsk_the_new_one"}
    assert await lab.groq_status("models") == 401


async def heal(lab: Lab) -> None:
    await lab.heal_groq()
    lab.guests.back(BATCH)
