"""Prometheus was given a wrong port of the API: the target is down, the API is well."""

from __future__ import annotations

from tests.scenarios.lab.containers import API
from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import lasting_port, until


async def break_(lab: Lab) -> None:
    lab.monitoring.write(api_port=lasting_port())
    lab.monitoring.reload()
    until(lambda: lab.monitoring.target("shop-api") == "down", 15, "the target to be down")
    assert lab.containers.serves(API)


async def heal(lab: Lab) -> None:
    lab.monitoring.write()
    lab.monitoring.reload()
