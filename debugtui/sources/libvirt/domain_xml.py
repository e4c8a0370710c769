"""What XML from libvirt tells beyond the figures.

The XML may be hostile. libvirt's own never declares a document type, so one that does is refused: without it there are no
entities to expand, inside or outside.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

from debugtui.model.text import line

#: Largest XML that is looked into, in characters.
SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """Facts of a domain.

    Attributes:
        title: its title.
        disks: format and path by device.
        cards: device, MAC address and network of each card.
        console_log: where the serial console is logged, as the XML has it; empty where it is not.
        readable: the XML could be parsed; otherwise nothing above is known.
    """

    title: str = ""
    disks: dict[str, tuple[str, str]] = field(default_factory=dict)
    cards: tuple[tuple[str, str, str], ...] = ()
    console_log: str = ""
    readable: bool = True


def parse(xml: str) -> ET.Element | None:
    """Return the root element; None where the XML is too large, declares a document type, or is not well-formed."""
    if len(xml) > SIZE or "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        return None
    try:
        return ET.fromstring(xml)  # noqa: S314 - see above
    except ET.ParseError:
        return None


def facts_of(xml: str) -> DomainFacts:
    """Return the facts of a domain's XML."""
    root = parse(xml)
    if root is None:
        return DomainFacts(readable=False)
    disks: dict[str, tuple[str, str]] = {}
    for disk in root.iterfind("./devices/disk"):
        device = line(attribute(disk, "target", "dev"), 64)
        disks[device] = (line(attribute(disk, "driver", "type"), 32), line(_disk_path(disk), 500))
    cards = tuple(
        (
            line(attribute(card, "target", "dev"), 64),
            line(attribute(card, "mac", "address"), 32),
            line(_card_source(card), 100),
        )
        for card in root.iterfind("./devices/interface")
    )
    return DomainFacts(line(root.findtext("title", ""), 200), disks, cards, _console_log(root))


def attribute(element: ET.Element, child: str, name: str) -> str:
    """Return an attribute of the first such child; empty where there is none."""
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
            log = attribute(device, "log", "file")
            if log:
                return log
            if device.get("type") == "file":
                return attribute(device, "source", "path")
    return ""
