"""Reads what the server answers. Its structured answers are marked experimental: whatever does not fit is left out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from debugtui.config.redaction import redact
from debugtui.model.chrome import ConsoleMessage, Node
from debugtui.model.text import clean, line
from debugtui.sources.chrome.addresses import shown

MOST_NODES, MOST_MESSAGES = 500, 100
_TEXT, _STACK = 1000, 4000
_KINDS = {"error": "error", "assert": "error", "warn": "warning", "warning": "warning", "issue": "issue"}
_WORST_FIRST = ("exception", "rejection", "error", "warning", "issue")

#: What an unhandled rejection is called in the list; its reason is missing there.
_REJECTION = "Uncaught (in promise)"

# "at render (app.js:4:15)", "at app.js:4:15", "at render (http://host/app.js:4:15)"
_PLACE = re.compile(r"\(?(?P<source>[^\s()]+):(?P<line>\d{1,7}):(?P<column>\d{1,7})\)?\s*$")


class Entry(NamedTuple):
    """One request of the list: its address as it is, secrets included. `pending`: neither answered nor failed."""

    method: str
    url: str
    status: int | None
    failure: str
    pending: bool


def items(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the tables of a list; an absent or odd list has none."""
    found = data.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(item: Mapping[str, Any], key: str) -> str:
    """Return a text, or "" for anything else."""
    found = item.get(key)
    return found if isinstance(found, str) else ""


def number(item: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number that is not negative, or None."""
    found = item.get(key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found) or found < 0:
        return None
    return float(found)


def pairs(item: Mapping[str, Any], key: str) -> list[tuple[float, float]]:
    """Return a list of pairs of numbers."""
    found = item.get(key)
    rows = found if isinstance(found, list) else []
    return [
        (float(row[0]), float(row[1]))
        for row in rows
        if isinstance(row, list) and len(row) == 2 and all(isinstance(one, int | float) for one in row)
    ]


def entries(data: Mapping[str, Any]) -> list[Entry]:
    """Return the requests of `list_network_requests`, in their order, without what never left the browser (`data:`)."""
    found = []
    for item in items(data, "networkRequests"):
        url, status = text(item, "url"), text(item, "status")
        if url and not url.startswith(("data:", "blob:", "chrome-error:", "chrome-extension:")):
            code = int(status) if status.isascii() and status.isdecimal() and len(status) == 3 else None
            failure = "" if code or status in ("", "pending") else line(status, 200)
            found.append(Entry(line(text(item, "method"), 20) or "GET", url, code, failure, status == "pending"))
    return found


def script(answer: str) -> Mapping[str, Any]:
    """Return the object that a script returned: JSON between fences in `evaluate_script`'s text; else an empty one."""
    _, fence, rest = answer.partition("```json")
    inner, fence_end, _ = rest.rpartition("```")
    if not fence or not fence_end:
        return {}
    try:
        found = json.loads(inner)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def tree(data: Mapping[str, Any]) -> tuple[Node, ...]:
    """Return the accessibility tree of `take_snapshot`, flat, in reading order."""
    root = data.get("snapshot")
    ahead: list[tuple[int, Any]] = [(0, root)]
    found: list[Node] = []
    while ahead and len(found) < MOST_NODES:
        depth, node = ahead.pop()
        if isinstance(node, dict):
            found.append(Node(depth, line(text(node, "role"), 50), line(redact(text(node, "name")), 200)))
            ahead += [(depth + 1, child) for child in reversed(items(node, "children"))]
    return tuple(found)


def console(data: Mapping[str, Any], seen: Mapping[str, Any]) -> tuple[ConsoleMessage, ...]:
    """Return the console, worst first.

    Args:
        data: of `list_console_messages`, with stacks.
        seen: what the listening script noted: where an exception came from in full, and the reasons of rejections.

    What the console says of failed requests is left out: the list of requests says it better.
    """
    errors = {text(item, "text"): item for item in reversed(items(seen, "errors"))}
    reasons = [_rejection(item) for item in items(seen, "rejections")]
    found: list[ConsoleMessage] = []
    unnamed = 0
    for item in items(data, "consoleMessages"):
        said = text(item, "text") or text(item, "title")
        kind = _KINDS.get(text(item, "type"))
        if kind is None or said.startswith("Failed to load resource:"):
            continue
        count = int(number(item, "count") or 1)
        if said.strip() == _REJECTION:
            unnamed += count
            if unnamed <= len(reasons):
                continue
            count = min(count, unnamed - len(reasons))
        found.append(_message(kind, said, item, errors.get(said, {}), count))
    found += reasons
    found.sort(key=lambda message: _WORST_FIRST.index(message.kind))
    return tuple(found[:MOST_MESSAGES])


def _message(kind: str, said: str, item: Mapping[str, Any], noted: Mapping[str, Any], count: int) -> ConsoleMessage:
    if kind == "error" and said.startswith("Uncaught"):
        kind = "rejection" if said.startswith(_REJECTION) else "exception"
        said = said.removeprefix(_REJECTION).removeprefix("Uncaught").strip() or "a promise was rejected"
    stack = text(item, "stackTrace") or text(noted, "stack")
    source, row, column = _place(stack)
    if text(noted, "source"):
        source, row, column = text(noted, "source"), _whole(noted, "line"), _whole(noted, "column")
    return _made(kind, said, (source, row, column), stack, count)


def _rejection(item: Mapping[str, Any]) -> ConsoleMessage:
    stack = text(item, "stack")
    said = text(item, "text") or "a promise was rejected"
    return _made("rejection", said, _place(stack), stack, 1)


def _made(kind: str, said: str, place: tuple[str, int | None, int | None], stack: str, count: int) -> ConsoleMessage:
    safe = line(redact(said), _TEXT)
    return ConsoleMessage(
        kind, safe, shown(place[0]) if place[0] else "", place[1], place[2], clean(redact(stack), _STACK), count
    )


def _whole(item: Mapping[str, Any], key: str) -> int | None:
    found = number(item, key)
    return int(found) if found else None


def _place(stack: str) -> tuple[str, int | None, int | None]:
    """Return file, line and column of the topmost frame that names them."""
    for frame in _frames(stack):
        match = _PLACE.search(frame)
        if match is not None:
            return match["source"], int(match["line"]), int(match["column"])
    return "", None, None


def _frames(stack: str) -> Iterator[str]:
    return (frame.strip() for frame in stack.splitlines()[:50] if frame.strip().startswith("at "))
