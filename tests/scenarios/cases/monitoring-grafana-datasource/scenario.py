"""Grafana was given a wrong address of Prometheus: its dashboards are empty, Prometheus is well."""

from __future__ import annotations

from dataclasses import replace

from tests.scenarios.lab.lab import Lab
from tests.scenarios.lab.programs import status_of

REFUSED = 'Get "http://127.0.0.1:1/api/v1/query": dial tcp 127.0.0.1:1: connect: connection refused'


async def break_(lab: Lab) -> None:
    prometheus, loki = lab.datasources()
    lab.grafana.sources = [replace(prometheus, url="http://127.0.0.1:1", fails=REFUSED), loki]
    assert status_of(f"{lab.monitoring.url}/-/ready") == 200


async def heal(lab: Lab) -> None:
    lab.grafana.sources = lab.datasources()
