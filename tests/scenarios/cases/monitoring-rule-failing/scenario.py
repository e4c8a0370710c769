"""A rule of Prometheus cannot be evaluated: two series match where one may."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import until

# Each side has several series for one job: Prometheus refuses to match many to many.
MANY_TO_MANY = "scrape_duration_seconds * on() up"


async def break_(lab: Lab) -> None:
    lab.monitoring.write(load=MANY_TO_MANY)
    lab.monitoring.reload()
    until(lambda: "err" in lab.monitoring.rule_health(), 15, "the rule to fail")


async def heal(lab: Lab) -> None:
    lab.monitoring.write()
    lab.monitoring.reload()
