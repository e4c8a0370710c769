"""Finds the reading of a database on the screen, for offers."""

from __future__ import annotations

from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView
from debugtui.model.target import Target


def reading_of(view: FleetView, target: Target) -> tuple[Target, PostgresReading, str] | None:
    """Return a target's database, its reading, and what stands behind the database's name; None: there is no reading."""
    if target.kind != "postgres":
        return None
    name, _, rest = target.name.partition("/")
    for host in view.hosts:
        if host.name != target.host:
            continue
        for status in host.sources:
            if status.name == name and isinstance(status.reading, PostgresReading):
                return Target(target.host, "postgres", name), status.reading, rest
    return None
