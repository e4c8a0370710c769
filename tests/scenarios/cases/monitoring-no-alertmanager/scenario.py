"""Prometheus was given a configuration without an Alertmanager: its alerts reach nobody."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import until


async def break_(lab: Lab) -> None:
    lab.monitoring.write(alerting=False)
    lab.monitoring.reload()
    until(lambda: lab.monitoring.alertmanagers() == 0, 15, "Prometheus to forget its Alertmanager")


async def heal(lab: Lab) -> None:
    lab.monitoring.write()
    lab.monitoring.reload()
