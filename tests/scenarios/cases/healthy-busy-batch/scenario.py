"""A batch computes in a container of its own, and a report reads a table for some seconds."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.containers.run("shop-batch-1", "sh", "-c", "while :; do :; done", options=("--cpus", "0.6"))
    await lab.database.working("shop-report", "SELECT count(*), pg_sleep(30) FROM orders")
    lab.containers.wait_for("shop-batch-1", 'eq .State.Status "running"')


async def heal(lab: Lab) -> None:
    lab.containers.remove_quietly("shop-batch-1")
    await lab.database.release()
