"""A file system of the host has space, but no inode left: thousands of session files lie on it."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.uploads.fill_inodes()
    assert lab.uploads.inodes_percent > 98
    assert lab.uploads.used_percent < 50


async def heal(lab: Lab) -> None:
    lab.uploads.free()
