"""An operator stopped a container that nobody starts again, and a one-off job ended well."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.run("shop-debug-1", "sleep", "1000")
    lab.containers.docker("stop", "-t", "1", "shop-debug-1")
    lab.containers.run("shop-migrate-1", "true")
    lab.containers.wait_for("shop-migrate-1", 'eq .State.Status "exited"')


async def heal(lab: Lab) -> None:
    lab.containers.remove_quietly("shop-debug-1", "shop-migrate-1")
