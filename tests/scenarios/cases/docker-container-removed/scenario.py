"""Somebody ended and removed the container of the thumbnails; nginx reaches nobody."""

from __future__ import annotations

from tests.scenarios.lab.containers import THUMBS
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.remove_quietly(THUMBS)
    assert lab.site.status("/thumbs/1.txt") == 502


async def heal(lab: Lab) -> None:
    lab.containers.put(THUMBS)
