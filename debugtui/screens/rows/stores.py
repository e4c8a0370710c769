"""Rows of what a host stores and tells: pools and networks of libvirt, the engine's disk use, images and events."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.model.docker import DockerEvent, DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.source import FleetView
from debugtui.screens.rows.common import seconds_since, tone_of_percent
from debugtui.widgets.format import age, percent, size
from debugtui.widgets.table_rows import Cell, Column, Row

STORES = (
    Column("name", "name", min_width=12),
    Column("kind", "kind", width=12),
    Column("state", "state", width=9),
    Column("used", "used", width=7, align="right"),
    Column("size", "size", width=7, align="right"),
    Column("note", "note", min_width=14, priority=1),
)
IMAGES = (
    Column("tag", "image", min_width=20),
    Column("size", "size", width=7, align="right"),
    Column("users", "used by", width=8, align="right"),
    Column("age", "age", width=7, align="right"),
)
EVENTS = (
    Column("age", "ago", width=7, align="right"),
    Column("type", "type", width=10),
    Column("action", "action", width=14),
    Column("name", "name", min_width=12),
    Column("detail", "detail", min_width=10),
)


def pool_rows(reading: LibvirtReading) -> list[Row]:
    """Return rows for libvirt's pools and networks."""
    rows = [Row("pools", (Cell("libvirt pools", "heading"),), heading=True)]
    for pool in reading.pools:
        share = 100 * pool.allocation_bytes / pool.capacity_bytes if pool.capacity_bytes else None
        state = Cell(pool.state, "" if pool.active else "warn")
        used = Cell(percent(share), tone_of_percent(share, 90, 97))
        rows.append(
            Row(f"pool/{pool.name}", (pool.name, pool.type, state, used, size(pool.capacity_bytes), Cell(pool.path, "dim")))
        )
    rows.append(Row("networks", (Cell("libvirt networks", "heading"),), heading=True))
    for network in reading.networks:
        state = Cell("active" if network.active else "inactive", "" if network.active else "warn")
        note = f"{network.bridge} {network.forward}" + (", autostart" if network.autostart else "")
        rows.append(Row(f"network/{network.name}", (network.name, "network", state, "", "", Cell(note, "dim"))))
    return rows


def volume_rows(reading: DockerReading) -> list[Row]:
    """Return rows for the engine's disk use, volumes and networks."""
    rows = [
        Row(
            "engine",
            (Cell(f"Docker {reading.version}, {reading.storage_driver}, {reading.root_dir}", "heading"),),
            heading=True,
        )
    ]
    use = reading.disk_use
    if use is not None:
        for name, value in (("layers", use.layers_bytes), ("containers", use.containers_bytes), ("volumes", use.volumes_bytes),
                            ("build cache", use.build_cache_bytes), ("reclaimable", use.reclaimable_bytes)):  # fmt: skip
            rows.append(Row(f"use/{name}", (name, "disk use", "", "", size(value), "")))
    for volume in reading.volumes:
        users = "unused" if volume.users == 0 else "" if volume.users is None else f"{volume.users} users"
        cells = (volume.name, f"volume {volume.driver}", "", "", size(volume.size_bytes), Cell(users, "dim"))
        rows.append(Row(f"volume/{volume.name}", cells))
    for network in reading.networks:
        note = "internal" if network.internal else network.scope
        rows.append(Row(f"dnet/{network.id}", (network.name, f"net {network.driver}", "", "", "", Cell(note, "dim"))))
    return rows


def image_rows(reading: DockerReading, view: FleetView) -> list[Row]:
    """Return a row for each image."""
    return [
        Row(
            image.id,
            (
                Cell(", ".join(image.tags) or f"<none> {image.id[:19]}", "dim" if image.dangling else ""),
                size(image.size_bytes),
                "-" if image.containers is None else str(image.containers),
                age(seconds_since(image.created_at, view.taken_at)),
            ),
            sort=(", ".join(image.tags), image.size_bytes, image.containers, seconds_since(image.created_at, view.taken_at)),
        )
        for image in reading.images
    ]


def event_rows(events: Sequence[DockerEvent], view: FleetView) -> list[Row]:
    """Return a row for each engine event, newest first."""
    rows = []
    for index, event in enumerate(sorted(events, key=lambda event: event.at, reverse=True)):
        bad = event.action in ("die", "oom", "kill")
        cells = (
            age(seconds_since(event.at, view.taken_at)), event.type, Cell(event.action, "warn" if bad else ""), event.name,
            Cell(event.detail, "dim"),
        )  # fmt: skip
        rows.append(Row(f"{event.at.timestamp()}/{index}", cells))
    return rows
