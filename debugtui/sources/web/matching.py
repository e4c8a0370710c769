"""What was expected of an answer, beside what came."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, Never

from debugtui.config.hosts import ExpectConfig
from debugtui.config.redaction import redact
from debugtui.model.text import line
from debugtui.model.web import Match
from debugtui.sources.web import json_path

#: Longest text of a match, in characters.
SHOWN = 120

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
#: Only plain encodings of text: some of Python's codecs are no encodings, and some take quadratic time.
_PLAIN = re.compile(
    r"utf-8(?:-sig)?|utf-16(?:-[bl]e)?|ascii|iso8859-\d+|cp125\d|koi8-[ru]|shift_jis|euc_jp|gb2312|gbk|gb18030|big5"
)


def matches(expect: ExpectConfig, status: int, headers: dict[str, str], body: bytes, *, cut: bool) -> tuple[Match, ...]:
    """Compare an answer with what was expected. `cut`: the body goes on behind `body`. Blocks for as long as JSON takes."""
    found = [Match("status", str(expect.status), str(status), status == expect.status)]
    if expect.body is not None or expect.json_path:
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            # It was asked not to; what is packed may unpack to any size.
            says = f"a body packed with {_short(coding)}, though none was asked for"
            found += [Match(what, wanted, says, False) for what, wanted in _wanted(expect)]
        else:
            found += _body(expect, _decode(headers.get("content-type", ""), body), cut=cut)
    return tuple(found)


def _wanted(expect: ExpectConfig) -> Iterator[tuple[str, str]]:
    if expect.body is not None:
        yield "body", _short(expect.body)
    for path, value in expect.json_path.items():
        yield f"json {_short(path)}", _short(value)


def _body(expect: ExpectConfig, text: str, *, cut: bool) -> Iterator[Match]:
    if expect.body is not None:
        there = expect.body in text
        size = f"{len(text)} characters" + (" (more came)" if cut else "")
        yield Match("body", _short(expect.body), "there" if there else f"not in its {size}", there)
    if not expect.json_path:
        return
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "its JSON is longer than what is read" if cut else f"no JSON: {_short(str(error) or type(error).__name__)}"
        for path, value in expect.json_path.items():
            yield Match(f"json {_short(path)}", _short(value), why, False)
        return
    for path, value in expect.json_path.items():
        yield _at(document, path, value)


def _at(document: Any, path: str, wanted: str) -> Match:
    what = f"json {_short(path)}"
    try:
        value = json_path.as_text(json_path.look_up(document, json_path.parse(path)))
    except json_path.MissingError as error:
        return Match(what, _short(wanted), _short(str(error)), False)
    except (ValueError, RecursionError) as error:
        return Match(what, _short(wanted), f"the path {_short(str(error))}", False)
    return Match(what, _short(wanted), _short(value), value == wanted)


def _decode(content_type: str, body: bytes) -> str:
    named = _CHARSET.search(content_type)
    name = "utf-8"
    if named:
        try:
            name = codecs.lookup(named[1]).name
        except LookupError:
            name = "utf-8"
    return body.decode(name if _PLAIN.fullmatch(name) else "utf-8", errors="replace")


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


def _short(text: str) -> str:
    """What may be shown of a text from outside: one line, no secrets."""
    return line(redact(line(text, 4 * SHOWN)), SHOWN)
