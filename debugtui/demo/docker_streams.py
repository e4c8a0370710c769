"""Log and event streams of the simulated engine: what is kept, then what comes, until the reader leaves."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from debugtui.demo.docker_container import SimContainer
from debugtui.demo.docker_engine import SimEngine, json_line
from debugtui.demo.docker_story import Line
from debugtui.demo.docker_views import stamp


def truth(text: str | None) -> bool:
    """Read a flag of a query as the engine does."""
    return (text or "").lower() not in ("", "0", "false", "no", "none")


def moment(text: str | None) -> float | None:
    """Read `since` or `until`: seconds since the epoch or an RFC 3339 time; None where absent or zero.

    Raises:
        ValueError: it is neither.
    """
    if not text or text == "0":
        return None
    try:
        return float(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()


def frame(line: Line, *, timestamps: bool) -> bytes:
    """Return a line as the engine sends it where there is no terminal: stream, three zeros, length, text."""
    text = f"{stamp(line.at)} {line.text}\n" if timestamps else f"{line.text}\n"
    data = text.encode()
    return struct.pack(">BxxxL", line.stream, len(data)) + data


async def log_frames(engine: SimEngine, container: SimContainer, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Yield the log as the query asks: stdout, stderr, tail, since, until, timestamps, follow."""
    streams = {number for number, word in ((1, "stdout"), (2, "stderr")) if truth(query.get(word))}
    since, until = moment(query.get("since")), moment(query.get("until"))
    timestamps = truth(query.get("timestamps"))

    def wanted(line: Line) -> bool:
        return line.stream in streams and (since is None or line.at >= since) and (until is None or line.at <= until)

    seen = container.logged
    kept = [line for line in container.log if wanted(line)]
    tail = query.get("tail", "all")
    if tail.isdigit():
        kept = kept[-int(tail) :] if int(tail) else []
    yield b"".join(frame(line, timestamps=timestamps) for line in kept)
    while truth(query.get("follow")) and container.state != "exited":
        async with engine.changed:
            await engine.changed.wait()
        fresh = min(container.logged - seen, len(container.log))
        seen = container.logged
        if fresh:
            lines = list(container.log)[-fresh:]
            yield b"".join(frame(line, timestamps=timestamps) for line in lines if wanted(line))


def _matches(event: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    attributes = event["Actor"]["Attributes"]
    action = event["Action"].partition(":")[0]
    fits = {
        "type": [event["Type"]],
        "event": [event["Action"], action],
        "container": [event["Actor"]["ID"], attributes.get("name", "")] if event["Type"] == "container" else [],
        "image": [attributes.get("image", "")],
    }
    for key, values in filters.items():
        if key == "label":
            if not all(has_label(attributes, value) for value in values):
                return False
        elif not any(value in fits.get(key, []) for value in values):
            return False
    return True


def has_label(labels: Mapping[str, str], wanted: str) -> bool:
    """Return whether labels hold `key` or `key=value`."""
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def read_filters(text: str | None) -> dict[str, list[str]]:
    """Read the `filters` of a query: a JSON object of lists, or of objects whose keys count.

    Raises:
        ValueError: it is something else.
    """
    if not text:
        return {}
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("filters is no object")
    return {str(key): [str(word) for word in words] for key, words in value.items()}


async def event_lines(engine: SimEngine, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Yield events as the query asks: since, until, filters; without `until` for ever."""
    filters = read_filters(query.get("filters"))
    since, until = moment(query.get("since")), moment(query.get("until"))
    seen = 0 if since is not None else engine.told
    while True:
        for number, event in list(engine.events):
            at = event["timeNano"] / 1e9
            if number > seen and (since is None or at >= since) and (until is None or at <= until) and _matches(event, filters):
                yield json_line(event)
        seen = engine.told
        now = engine.clock()
        if until is not None and now >= until:
            return
        try:
            async with asyncio.timeout(None if until is None else until - now), engine.changed:
                await engine.changed.wait()
        except TimeoutError:
            continue
