"""Text that came from outside, made safe to show.

Names, logs, SQL and pages come from machines that may be under attack. Bytes become `str` once, here: well-formed terminal
control sequences are removed, and every other character that a terminal or a reader's eye could be tricked with is replaced
by a visible form. Nothing is lost silently: a text that was cut says so.
"""

from __future__ import annotations

import re

#: Longest line kept from outside, in characters. A longer line is cut and says by how much.
LINE_LIMIT = 4_096

#: Longest whole text (a document such as XML or an inspect answer) kept from outside, in characters.
TEXT_LIMIT = 2_000_000

# ECMA-48 sequences: OSC, DCS, SOS, PM and APC run to ST or BEL; CSI to its final byte; the rest are two characters long.
_SEQUENCE = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]+[0-~]"
)

# What may not reach a terminal: C0 (but tab and newline), DEL, C1, bidi controls, zero-width and other invisible format
# characters, line and paragraph separators, tag characters, and lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode "control pictures" block
    if code == 0x7F:
        return "\u2421"
    return f"<{code:04X}>"


def decode(data: bytes) -> str:
    """Decode UTF-8; bytes that are not UTF-8 become U+FFFD, one each."""
    return data.decode("utf-8", errors="replace")


def clean(value: str | bytes, limit: int = TEXT_LIMIT) -> str:
    """Return `value` safe to show, newlines and tabs kept, at most about `limit` characters long."""
    text = decode(value) if isinstance(value, bytes) else value
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    if not text.isascii() or not text.isprintable():
        text = _UNSAFE.sub(_visible, _SEQUENCE.sub("", text).replace("\r\n", "\n"))
    return f"{text}… (+{cut} characters)" if cut > 0 else text


def line(value: str | bytes, limit: int = LINE_LIMIT) -> str:
    """Return `value` safe to show on one line: newlines and tabs become visible or spaces."""
    text = clean(value, limit)
    if "\n" in text or "\t" in text:
        text = text.rstrip("\n").replace("\n", "\u240a").replace("\t", " ")
    return text
