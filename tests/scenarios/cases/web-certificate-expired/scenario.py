"""The certificate that nginx serves ended two days ago, and nothing newer lies on the disk."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.site.certificate(days=-2)
    lab.site.reload()
    assert lab.site.status("/", tls=True) == 0
    assert lab.site.status("/") == 200


async def heal(lab: Lab) -> None:
    lab.site.certificate(days=80)
    lab.site.reload()
