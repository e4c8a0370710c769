"""What a domain's XML tells beyond its figures. The XML may be hostile: it is bounded, and expat expands no bombs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from debugtui.model.text import line

#: Largest XML that is looked into, in characters.
SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """Facts by device name: disk format and path, the network of a card; and where the serial console is logged."""

    title: str = ""
    disks: dict[str, tuple[str, str]] = field(default_factory=dict)
    cards: dict[str, tuple[str, str]] = field(default_factory=dict)
    macs: tuple[tuple[str, str, str], ...] = ()
    console_log: str = ""


def facts_of(xml: str) -> DomainFacts:
    """Return the facts of a domain's XML; none where it cannot be parsed or is too large."""
    if len(xml) > SIZE:
        return DomainFacts()
    try:
        root = ET.fromstring(xml)  # noqa: S314 - see above
    except ET.ParseError:
        return DomainFacts()
    disks: dict[str, tuple[str, str]] = {}
    for disk in root.iterfind("./devices/disk"):
        device = line(_attribute(disk, "target", "dev"), 64)
        driver = line(_attribute(disk, "driver", "type"), 32)
        disks[device] = (driver, line(_disk_path(disk), 500))
    cards: dict[str, tuple[str, str]] = {}
    macs = []
    for card in root.iterfind("./devices/interface"):
        device, mac = line(_attribute(card, "target", "dev"), 64), line(_attribute(card, "mac", "address"), 32)
        network = line(_card_source(card), 100)
        cards[device] = (mac, network)
        macs.append((device, mac, network))
    return DomainFacts(
        title=line(root.findtext("title", ""), 200),
        disks=disks,
        cards=cards,
        macs=tuple(macs),
        console_log=_console_log(root),
    )


def _attribute(element: ET.Element, child: str, name: str) -> str:
    found = element.find(child)
    return found.get(name, "") if found is not None else ""


def _disk_path(disk: ET.Element) -> str:
    source = disk.find("source")
    if source is None:
        return ""
    for name in ("file", "dev", "dir", "name", "volume"):
        if source.get(name):
            pool = source.get("pool")
            return f"{pool}/{source.get(name)}" if pool else source.get(name, "")
    return ""


def _card_source(card: ET.Element) -> str:
    source = card.find("source")
    if source is None:
        return card.get("type", "")
    return next((source.get(name, "") for name in ("network", "bridge", "dev") if source.get(name)), card.get("type", ""))


def _console_log(root: ET.Element) -> str:
    for path in ("./devices/serial", "./devices/console"):
        for device in root.iterfind(path):
            log = _attribute(device, "log", "file")
            if log:
                return log
            if device.get("type") == "file":
                return _attribute(device, "source", "path")
    return ""
