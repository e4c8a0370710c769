"""Whether a definition that libvirt keeps holds what a file asked for. libvirt adds defaults, sorts, and changes units."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator

from debugtui.remediation.catalogue.libvirt.memory_guard import size_of
from debugtui.sources.libvirt.domain_xml import parse

#: Sizes, which libvirt rewrites in KiB.
_SIZES = ("memory", "currentMemory", "maxMemory")
#: What libvirt does not add by itself: taken out of the file, it has to be gone.
_PLAIN = ("title", "description", "bootmenu", "shareable", "readonly")


def missing(old: str, new: str, kept: str) -> list[str]:
    """Return what `new` changes against `old` and `kept` does not show, one line each.

    Facts are compared: an element's text, or an attribute, with the elements it stands in. What the file does not name,
    libvirt may add; what it takes out has to be gone.
    """
    before, wanted, now = (_facts(xml) for xml in (old, new, kept))
    if before is None or wanted is None or now is None:
        return ["a definition could not be read"]
    lacks = [fact for fact, count in (wanted - before).items() if now[fact] < min(count + before[fact], wanted[fact])]
    gone = [path for path in _removed(before, wanted) if any(_path(fact) == path for fact in now)]
    return sorted([*map(_words, lacks), *(f"{path} is still there" for path in gone)])


def _removed(before: Counter[str], wanted: Counter[str]) -> set[str]:
    """Paths of texts that the file has no more, in an element that it still has."""
    had, has = {_path(fact) for fact in before}, {_path(fact) for fact in wanted}
    return {path for path in had - has if path.rpartition("/")[2] in _PLAIN}


def _facts(xml: str) -> Counter[str] | None:
    root = parse(xml)
    return None if root is None else Counter(_walk(root, root.tag))


def _walk(element: ET.Element, path: str) -> Iterator[str]:
    if element.tag in _SIZES:
        yield f"{path}={size_of(element.text or '', element.get('unit', 'KiB'))} bytes"
    else:
        text = (element.text or "").strip()
        yield f"{path}={text}"
        for name, value in element.attrib.items():
            yield f"{path}/@{name}={_alias(path, name, value)}"
    for child in element:
        yield from _walk(child, f"{path}/{child.tag}")


def _alias(path: str, name: str, value: str) -> str:
    """A machine's short name stands for its newest version: `q35` becomes `pc-q35-7.2`."""
    if path.endswith("/os/type") and name == "machine":
        parts = value.split("-")
        return parts[1] if parts[0] == "pc" and len(parts) > 2 else value
    return value


def _path(fact: str) -> str:
    return fact.partition("=")[0]


def _words(fact: str) -> str:
    path, _, value = fact.partition("=")
    return f"{path} = {value}" if value else path
