"""What an answer is expected to be, and whether it is. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from debugtui.config.hosts import ExpectConfig
from debugtui.config.redaction import redact
from debugtui.model.text import clean, line
from debugtui.model.web import Match

_SHOWN = 120
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d{1,6})\]", re.ASCII)


class NoSuchValueError(LookupError):
    """A JSON path leads nowhere; the message says how far it led."""


def at_path(document: object, path: str) -> object:
    """Return the value at a path such as `checks.db` or `items[0].id`.

    Raises:
        NoSuchValueError: there is none.
        ValueError: this is no path.
    """
    value, at = document, 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise ValueError(f"{line(path, 80)!r} is no path: write checks.db or items[0].id")
        value = _below(value, step, path[: step.end()])
        at = step.end()
    return value


def _below(value: object, step: re.Match[str], so_far: str) -> object:
    name, index = step.group(1), step.group(2)
    if name is not None and isinstance(value, Mapping) and name in value:
        return value[name]
    if index is not None and isinstance(value, list) and int(index) < len(value):
        return value[int(index)]
    raise NoSuchValueError(f"nothing at {line(so_far, 80)}")


def as_text(value: object) -> str:
    """Return a JSON value as the text that it is compared with: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def matches(expect: ExpectConfig, status: int, body: bytes, *, cut: bool) -> Iterator[Match]:
    """Yield what was expected and what was found.

    Args:
        expect: the configuration.
        status: of the answer.
        body: of it, as far as it was read.
        cut: the body is longer than what was read.
    """
    yield Match("status", str(expect.status), str(status), status == expect.status)
    text = body.decode("utf-8", errors="replace")
    if expect.body is not None:
        found = expect.body in text
        beginning = redact(line(clean(text, 400), _SHOWN)) or "nothing"
        yield Match("body", line(expect.body, _SHOWN), line(expect.body, _SHOWN) if found else beginning, found)
    yield from _json(expect.json_path, text, cut)


def _json(wanted: Mapping[str, str], text: str, cut: bool) -> Iterator[Match]:
    if not wanted:
        return
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        says = "longer than 1 MB" if cut else "no JSON"
        yield from (Match(f"json {path}", line(value, _SHOWN), says, False) for path, value in wanted.items())
        return
    for path, value in wanted.items():
        try:
            found = as_text(at_path(document, path))
        except (NoSuchValueError, ValueError) as error:
            yield Match(f"json {path}", line(value, _SHOWN), str(error), False)
        else:
            yield Match(f"json {path}", line(value, _SHOWN), redact(line(found, _SHOWN)), found == value)
