"""Two versions of a text as one, with what goes and what comes: below each other, or side by side where there is room."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Literal

from textual.content import Content
from textual.highlight import highlight

from debugtui.model.text import clean
from debugtui.widgets.cells import fit, safe

#: Most lines of a version that are compared; lines around a change that stay.
MOST_LINES, AROUND = 4_000, 3
#: Cells that side by side needs.
WIDE = 116
#: Longest line that is coloured.
_COLOURED = 500
_LEXERS = {"sql": "sql", "xml": "xml", "yaml": "yaml", "json": "json", "ini": "ini"}

Kind = Literal["same", "gone", "new", "gap"]
_SIGNS: dict[Kind, str] = {"same": "  ", "gone": "- ", "new": "+ ", "gap": "  "}
_STYLES: dict[Kind, str] = {"same": "", "gone": "$text-error", "new": "$text-success", "gap": "$text-muted"}
#: A changed line: its kind, and the text before and after; None where a side has nothing.
Pair = tuple[Kind, str | None, str | None]


def pairs(before: str, after: str) -> list[Pair]:
    """Return what differs, with a few lines around it; a gap stands for lines that stay. Blocks: call it in a thread."""
    was, now = _lines(before), _lines(after)
    if was == now:
        return [("same", line, line) for line in was[:AROUND]]
    found: list[Pair] = []
    for number, group in enumerate(difflib.SequenceMatcher(None, was, now, autojunk=False).get_grouped_opcodes(AROUND)):
        if number or group[0][1] > 0:
            found.append(("gap", "⋯", "⋯"))
        for tag, first, last, start, end in group:
            found += _of(tag, was[first:last], now[start:end])
    for lines in (was, now):
        if len(lines) == MOST_LINES:
            found.append(("gap", f"only the first {MOST_LINES} lines are compared", None))
            break
    return found


def _of(tag: str, was: Sequence[str], now: Sequence[str]) -> Iterator[Pair]:
    if tag == "equal":
        yield from (("same", line, line) for line in was)
        return
    for at in range(max(len(was), len(now))):
        old, new = was[at] if at < len(was) else None, now[at] if at < len(now) else None
        yield ("gone" if new is None else "new", old, new)


def _lines(text: str) -> list[str]:
    return clean(text).expandtabs(4).splitlines()[:MOST_LINES]


def unified(found: Sequence[Pair], language: str) -> Content:
    """Return the difference below each other, as a patch has it."""
    lines: list[Content] = []
    gone: list[Content] = []
    new: list[Content] = []

    def flush() -> None:
        lines.extend((*gone, *new))
        gone.clear()
        new.clear()

    for kind, old, now in found:
        if kind in ("same", "gap"):
            flush()
            lines.append(_line(kind, old or "", language))
            continue
        if old is not None:
            gone.append(_line("gone", old, language))
        if now is not None:
            new.append(_line("new", now, language))
    flush()
    return Content("\n").join(lines)


def side_by_side(found: Sequence[Pair], width: int) -> Content:
    """Return the difference in two columns; `width` in cells."""
    half = max(20, (width - 3) // 2)
    lines = []
    for kind, old, new in found:
        left: Kind = "gone" if kind in ("gone", "new") and old is not None else kind if old is not None else "gap"
        right: Kind = "new" if kind in ("gone", "new") and new is not None else kind if new is not None else "gap"
        lines.append(
            Content.assemble(
                (fit(_SIGNS[left] + safe(old or ""), half), _STYLES[left]),
                (" │ ", "$text-muted"),
                (fit(_SIGNS[right] + safe(new or ""), half), _STYLES[right]),
            )
        )
    return Content("\n").join(lines)


def _line(kind: Kind, text: str, language: str) -> Content:
    text = safe(text)
    sign = Content.styled(_SIGNS[kind], _STYLES[kind])
    lexer = _LEXERS.get(language)
    # What changes has the colour of the change; only what stays is coloured by its language.
    if kind == "same" and lexer is not None and len(text) <= _COLOURED and text:
        return sign + highlight(text, language=lexer)
    return sign + Content.styled(text, _STYLES[kind])
