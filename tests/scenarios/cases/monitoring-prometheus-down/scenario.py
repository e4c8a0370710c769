"""Prometheus was stopped: what it watches is well, and unseen."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import status_of


async def break_(lab: Lab) -> None:
    lab.monitoring.prometheus.stop()
    assert status_of(f"{lab.monitoring.url}/-/ready") == 0


async def heal(lab: Lab) -> None:
    lab.monitoring.prometheus.start()
