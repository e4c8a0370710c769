"""The certificate was renewed on the disk, and nginx still serves the old one, which ends in two days."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.site.certificate(days=2)
    lab.site.reload()
    lab.site.certificate(days=90)
    assert lab.site.status("/", tls=True) == 200


async def heal(lab: Lab) -> None:
    lab.site.certificate(days=80)
    lab.site.reload()
