"""Somebody mistyped an address: nginx answered 404 once, and logged it."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    assert lab.site.status("/ordres.html") == 404


async def heal(lab: Lab) -> None:
    lab.site.rotate()
