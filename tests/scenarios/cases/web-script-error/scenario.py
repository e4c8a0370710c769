"""A release brought a script that throws: the page stays empty, every server is well."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab

SCRIPT = "const cart = undefined;\ndocument.getElementById('orders').textContent = cart.items.length;\n"


async def break_(lab: Lab) -> None:
    lab.site.release("2024-11-21", script=SCRIPT)
    assert lab.site.status("/app.js", tls=True) == 200


async def heal(lab: Lab) -> None:
    lab.site.take_back("2024-11-21")
