"""nginx was stopped; the containers behind it are well."""

from __future__ import annotations

from tests.scenarios.lab.containers import API
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.site.stop()
    assert lab.site.status("/") == 0
    assert lab.containers.serves(API)


async def heal(lab: Lab) -> None:
    lab.site.start()
