"""A release went out without its script: the page asks for it and gets 404."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.site.release("2024-11-22", script="")
    assert lab.site.status("/app.js", tls=True) == 404


async def heal(lab: Lab) -> None:
    lab.site.take_back("2024-11-22")
