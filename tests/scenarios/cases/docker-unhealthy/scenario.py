"""A container runs and answers, but its health check fails: a file that a restart makes anew is gone."""

from __future__ import annotations

from tests.scenarios.lab.containers import THUMBS
from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.docker("exec", THUMBS, "busybox", "rm", "/www/ok")
    lab.containers.wait_for(THUMBS, 'eq .State.Health.Status "unhealthy"')


async def heal(lab: Lab) -> None:
    lab.containers.put(THUMBS)
