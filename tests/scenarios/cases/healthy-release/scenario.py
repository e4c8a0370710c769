"""A good release went out, and nginx was reloaded with it."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.site.release("2024-11-23", title="Atelier, winter")
    lab.site.reload()
    assert lab.site.status("/", tls=True) == 200


async def heal(lab: Lab) -> None:
    lab.site.take_back("2024-11-23")
