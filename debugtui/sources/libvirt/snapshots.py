"""A domain's snapshots; like the reader, in the worker's thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import libvirt

from debugtui.model.libvirt import VmSnapshot
from debugtui.model.text import line
from debugtui.sources.libvirt.domain_xml import parse
from debugtui.sources.libvirt.problems import NO_SNAPSHOT

#: Most snapshots of one domain that are taken.
MOST = 500


def snapshots_of(domain: Any) -> tuple[VmSnapshot, ...]:
    """Return the snapshots of a domain, oldest first."""
    current = domain.snapshotCurrent(0).getName() if domain.hasCurrentSnapshot(0) else None
    found = []
    for name, xml in _described(domain.listAllSnapshots(0)[:MOST]):
        found.append(replace(_snapshot(xml), name=line(name, 200), current=name == current))
    return tuple(sorted(found, key=lambda one: one.created_at.timestamp() if one.created_at else 0.0))


def _described(snapshots: Iterable[Any]) -> Iterator[tuple[str, str]]:
    for snapshot in snapshots:
        try:
            yield snapshot.getName(), snapshot.getXMLDesc(0)
        except libvirt.libvirtError as error:
            if error.get_error_code() != NO_SNAPSHOT:  # deleted meanwhile
                raise


def _snapshot(xml: str) -> VmSnapshot:
    root = parse(xml)
    if root is None:
        return VmSnapshot("", None, "unknown", current=False)
    created = root.findtext("creationTime", "")
    at = datetime.fromtimestamp(int(created), UTC) if created.isascii() and created.isdecimal() and len(created) < 12 else None
    return VmSnapshot("", at, line(root.findtext("state", ""), 32), False, line(root.findtext("description", ""), 300))
