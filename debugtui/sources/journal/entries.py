"""One line of the journal, as `journalctl --output=json` writes it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from debugtui.model.text import decode, line

#: Longest message that is kept.
MESSAGE = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes:
        cursor: names it, and no other line of any journal.
        at: when it was written (UTC, by the host's clock).
        monotonic_s: the same since the boot; None where it is not said.
        message: what it says.
        priority: 0 (emerg) to 7 (debug); None where it is not said.
        message_id: of the kind of message; empty for most.
        about: the unit that systemd speaks of.
        unit: the unit of the process that wrote it; the program's name where there is none, `kernel` for the kernel.
        kernel: whether it came from the kernel.
        init: whether it came from process 1.
    """

    cursor: str
    at: datetime
    monotonic_s: float | None
    message: str
    priority: int | None
    message_id: str
    about: str
    unit: str
    kernel: bool
    init: bool


def entries(text: str) -> Iterator[Entry]:
    """Yield the lines of an answer; one that is cut, or is no line of a journal, is left out."""
    for row in text.splitlines():
        try:
            fields = json.loads(row)
            if isinstance(fields, dict):
                yield _entry(fields)
        except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
            continue


def _entry(fields: Mapping[str, Any]) -> Entry:
    monotonic, priority = value(fields, "__MONOTONIC_TIMESTAMP"), value(fields, "PRIORITY")
    kernel = value(fields, "_TRANSPORT") == "kernel"
    return Entry(
        cursor=value(fields, "__CURSOR"),
        at=datetime.fromtimestamp(int(fields["__REALTIME_TIMESTAMP"]) / 1e6, UTC),
        monotonic_s=int(monotonic) / 1e6 if monotonic.isdigit() else None,
        message=value(fields, "MESSAGE", MESSAGE),
        priority=int(priority) if priority in "01234567" and priority else None,
        message_id=value(fields, "MESSAGE_ID"),
        about=value(fields, "UNIT"),
        unit="kernel" if kernel else _unit(fields),
        kernel=kernel,
        init=value(fields, "_PID") == "1",
    )


def _unit(fields: Mapping[str, Any]) -> str:
    container = value(fields, "CONTAINER_NAME")
    if container:  # Docker's own log driver writes the containers' lines in its own name
        return f"container {container}"
    # systemd's own complaints are those of the unit that it speaks of.
    about = value(fields, "UNIT") if value(fields, "_PID") == "1" else ""
    return about or value(fields, "_SYSTEMD_UNIT") or value(fields, "SYSLOG_IDENTIFIER") or value(fields, "_COMM") or "?"


def value(fields: Mapping[str, Any], name: str, limit: int = 300) -> str:
    """Return a field, safe to show on one line: bytes come as a list of numbers, a field that stands twice as a list of texts.

    A field that is too long for journalctl comes as null.
    """
    found = fields.get(name)
    if found is None:
        return "" if name not in fields else "(too long to be shown)" if name == "MESSAGE" else ""
    if isinstance(found, list) and found and all(isinstance(number, int) and 0 <= number < 256 for number in found):
        return line(decode(bytes(found)), limit)
    if isinstance(found, list):
        found = found[0] if found else ""
    return line(found, limit) if isinstance(found, str) else ""
