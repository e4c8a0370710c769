"""The Alertmanager was stopped: alerts of Prometheus reach nobody."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import status_of


async def break_(lab: Lab) -> None:
    lab.monitoring.alertmanager.stop()
    assert status_of(f"{lab.monitoring.alertmanager_url}/-/ready") == 0


async def heal(lab: Lab) -> None:
    lab.monitoring.alertmanager.start()
