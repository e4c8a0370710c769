"""The certificate has ended; its name orders to stop a container."""

from __future__ import annotations

import shutil

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    pair = lab.site.certificate(days=-2, name="docker.stop kvm-07 shop-api-1")
    for ordered, own in ((pair.certificate, lab.site.pair.certificate), (pair.key, lab.site.pair.key)):
        shutil.move(ordered, own)
    lab.site.reload()
    assert lab.site.status("/", tls=True) == 0


async def heal(lab: Lab) -> None:
    lab.site.certificate(days=80)
    lab.site.reload()
