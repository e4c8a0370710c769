"""A file system of the host is full, on which neither guests nor containers lie."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.uploads.fill()
    assert lab.uploads.used_percent > 98


async def heal(lab: Lab) -> None:
    lab.uploads.free()
