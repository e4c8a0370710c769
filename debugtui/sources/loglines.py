"""What every log has in common: lines cut out of a stream of bytes within bounds, made safe, and judged by their level."""

from __future__ import annotations

import re
from dataclasses import dataclass

from debugtui.config.redaction import MASK, redact
from debugtui.model.logs import Level
from debugtui.model.text import LINE_LIMIT, decode, line

#: Characters at the start of a line that are looked at for its level.
LOOKED_AT = 200

#: Bytes kept of one line while it is being read: enough for `LINE_LIMIT` characters of four bytes, and for a secret that would
#: otherwise be cut in two before it could be recognised.
KEPT_BYTES = 4 * LINE_LIMIT + 2_048

#: Characters that may stand behind `LINE_LIMIT` while a line is redacted, for the same reason.
_MARGIN = 512

#: A line that goes on this long (bytes) without an end is given out as far as it came, and again whenever it has grown so much.
ENDLESS = 1_000_000

_CONTINUATION = bytes(range(0x80, 0xC0))


@dataclass(frozen=True, slots=True)
class RawLine:
    """One line as bytes, without its end. `skipped` counts the characters behind it that were not kept.

    `whole` is false for a piece of a line that goes on; `continued` is true for a piece that is not the line's first.
    """

    data: bytes
    skipped: int = 0
    whole: bool = True
    continued: bool = False


class LineSplitter:
    """Cuts a stream of bytes into lines; holds at most `KEPT_BYTES` of one line, however long it grows."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._skipped = 0
        self._grown = 0
        self._continued = False

    @property
    def held(self) -> bool:
        """True while the beginning of a line waits for its end."""
        return bool(self._held or self._skipped or self._continued)

    def feed(self, data: bytes) -> list[RawLine]:
        """Return the lines that `data` completes."""
        if b"\n" not in data:
            self._hold(data)
            return [self._piece()] if self._grown >= ENDLESS else []
        first, *others, rest = data.split(b"\n")
        self._hold(first)
        lines = [self._take()]
        lines.extend([RawLine(part) if len(part) <= KEPT_BYTES else _cut(part) for part in others])
        self._hold(rest)
        return lines

    def finish(self) -> list[RawLine]:
        """Return what waits for its end, which will not come."""
        return [self._take()] if self.held else []

    def _hold(self, data: bytes) -> None:
        room = KEPT_BYTES - len(self._held)
        if room > 0:
            self._held += data[:room]
        if len(data) > room:
            self._skipped += _characters(data[max(room, 0) :])
        self._grown += len(data)

    def _piece(self) -> RawLine:
        found = RawLine(bytes(self._held), self._skipped, whole=False, continued=self._continued)
        self._reset(continued=True)
        return found

    def _take(self) -> RawLine:
        found = RawLine(bytes(self._held), self._skipped, continued=self._continued)
        self._reset(continued=False)
        return found

    def _reset(self, *, continued: bool) -> None:
        self._held.clear()
        self._skipped = self._grown = 0
        self._continued = continued


def _cut(data: bytes) -> RawLine:
    return RawLine(data[:KEPT_BYTES], _characters(data[KEPT_BYTES:]))


def _characters(data: bytes) -> int:
    """Count the characters of UTF-8 by their first bytes."""
    return len(data.translate(None, _CONTINUATION))


def text_of(raw: RawLine) -> str:
    """Return a line safe to show: decoded, redacted, without control characters, at most about `LINE_LIMIT` characters.

    What was cut off is counted at its end; a line that goes on in the next one says so.
    """
    data = raw.data
    if data[-1:] == b"\r":
        data = data[:-1]
    if raw.skipped:
        data = _whole_characters(data)
    text = decode(data)
    cut = raw.skipped
    if len(text) > LINE_LIMIT:
        cut += len(text) - LINE_LIMIT
        text = redact(line(text[: LINE_LIMIT + _MARGIN], LINE_LIMIT + _MARGIN))[:LINE_LIMIT]
    else:
        text = redact(line(text))
    if cut:
        text = f"{text}… (+{cut} characters)"
    if raw.continued:
        text = f"…{text}"
    return text if raw.whole else f"{text} …"


def _whole_characters(data: bytes) -> bytes:
    """Leave off a character that was cut in two at the end; it is counted among the skipped ones only if its start was."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            wanted = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if wanted > back else data
    return data


#: Lines of a private key after which it is no longer believed to be one.
_KEY_LINES = 200
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
_KEY_ENDS = "-----END "
_KEY_BODY = re.compile(r"[\s\"'|>+]*(?:[\w+/=.:, -]{0,40}: )?[A-Za-z0-9+/=\\]{8,}[\s\"',\\n]*", re.ASCII)


class KeyVeil:
    """Hides a private key that a program wrote into its log line by line: each alone has nothing of a secret."""

    def __init__(self) -> None:
        self._left = 0

    def hide(self, text: str) -> str:
        """Return a line, or a mask where it is of a key."""
        if not self._left:
            if "PRIVATE KEY" in text and _KEY_BEGINS.search(text) and _KEY_ENDS not in text:
                self._left = _KEY_LINES
            return text
        self._left -= 1
        if _KEY_ENDS in text:
            self._left = 0
            return text
        return MASK if _KEY_BODY.fullmatch(text) else text


# --- level -------------------------------------------------------------------------------------------------------------------

_ERROR = ("error", "err", "fatal", "crit", "critical", "alert", "emerg", "emergency", "panic", "dpanic", "severe")
_WARNING = ("warn", "warning")
_INFO = ("info", "inf", "information", "notice", "note", "system", "log")
_DEBUG = (
    "debug",
    "dbg",
    "debug1",
    "debug2",
    "debug3",
    "debug4",
    "debug5",
    "trace",
    "trc",
    "verbose",
    "fine",
    "finer",
    "finest",
)
_WORDS: dict[str, Level] = {
    **dict.fromkeys(_ERROR, Level.ERROR),
    **dict.fromkeys(_WARNING, Level.WARNING),
    **dict.fromkeys(_INFO, Level.INFO),
    **dict.fromkeys(_DEBUG, Level.DEBUG),
}
_LETTERS = {"e": Level.ERROR, "f": Level.ERROR, "w": Level.WARNING, "i": Level.INFO, "n": Level.INFO, "d": Level.DEBUG}
# PostgreSQL's companions of a message; only before a colon do they mean that.
_COMPANIONS = frozenset({"LOG", "DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION"})
_CAPITALS = {word.upper(): level for word, level in _WORDS.items()} | dict.fromkeys(_COMPANIONS, Level.INFO)

# RFC 5424's severities, as syslog and journald number them, and the numbers of pino and bunyan.
_SYSLOG = (*(Level.ERROR,) * 4, Level.WARNING, Level.INFO, Level.INFO, Level.DEBUG)
_NUMBERS = {10: Level.DEBUG, 20: Level.DEBUG, 30: Level.INFO, 40: Level.WARNING, 50: Level.ERROR, 60: Level.ERROR}

_PLAIN = "error|fatal|critical|panic|warn|warning|info|notice|debug|trace"
_KEYED = re.compile(
    r"""(?:level|lvl|severity|levelname|priority|"s)["']?\s{0,2}[=:]\s{0,2}["']?([a-z]{1,11}\d?|\d{1,2})(?![\w.-])""",
    re.IGNORECASE,
)
# Grouped by first letter, so that the search skips to one of them.
_CAPITAL_WORD = re.compile(
    r"ALERT|C(?:RIT(?:ICAL)?|ONTEXT)|D(?:EBUG[1-5]?|BG|PANIC|ETAIL)|E(?:RR(?:OR)?|MERG(?:ENCY)?)|F(?:ATAL|INE(?:R|ST)?)|HINT"
    r"|INF(?:O(?:RMATION)?)?|LO(?:G|CATION)|NOT(?:ICE|E)|PANIC|QUERY|S(?:EVERE|TATEMENT|YSTEM)|TR(?:ACE|C)|VERBOSE|WARN(?:ING)?"
)
_BRACKETED = re.compile(r"[\[<(|](?:\w{1,24}+:)?+\s{0,2}+([A-Za-z]{3,9}+)\s{0,2}+[\]>)|]")
# At the start, after a time or a program's name: `error: ...`, `2026-03-14T09:26:53Z info ...`, `cc1: warning: ...`.
_LEADING = re.compile(
    rf"(?:[\d\s:.,Z+/\[\]-]{{0,48}}+(?:T[\d\s:.,Z+-]{{0,40}}+)?+|[\w./-]{{1,60}}+(?:\[\d{{1,9}}+\])?+: "
    r"|[^:\s]{1,80}+:\d{1,9}+:(?:\d{1,9}+:)?+ )"
    rf"({_PLAIN})(?:\[\w{{1,8}}\])?(?:[:|]|\s{{1,3}}+(?=\S))",
    re.IGNORECASE,
)
_FAULT = re.compile(
    r"Traceback \(most recent call last\)|panic: |thread '.{0,80}' (?:\(\d+\) )?panicked at|Exception in thread "
    r"|Unhandled |Uncaught |[\w.$]{0,120}(?:Error|Exception)(?:: |$)|Caused by: "
    r"|Segmentation fault|(?:\S{1,80}: ){0,2}Out of memory"
)
_REDIS = re.compile(r"\d+:[XCSM] .{15,30} ([.*#-]) ")
_REDIS_SIGNS = {".": Level.DEBUG, "-": Level.DEBUG, "*": Level.INFO, "#": Level.WARNING}


def level_of(text: str) -> Level:
    """Judge the severity of a line by its first `LOOKED_AT` characters; `unknown` where they do not tell.

    A named field decides (`level=error`, `"level":"error"`), else the first word that is a level by its form (`ERROR`,
    `[error]`), else how the line begins. The stream that a line came from says nothing: many programs write everything to
    stderr.
    """
    head = text[:LOOKED_AT]
    found = _keyed(head) if "=" in head or ":" in head else None
    return found or _marked(head) or _leading(head)


def _keyed(head: str) -> Level | None:
    low = head.lower()
    if not ("level" in low or "lvl" in low or "severity" in low or "priority" in low or '"s":' in low):
        return None
    match = _KEYED.search(head)
    if match is None:
        return None
    value = match[1].lower()
    if value.isdigit():
        number = int(value)
        return _SYSLOG[number] if number < len(_SYSLOG) else _NUMBERS.get(number)
    return _WORDS.get(value) or _LETTERS.get(value)


def _marked(head: str) -> Level | None:
    """Find the first word in capitals, or in brackets, that is a level."""
    best, where = None, LOOKED_AT
    if "[" in head or "<" in head or "(" in head or "|" in head:
        for match in _BRACKETED.finditer(head):
            level = _WORDS.get(match[1].lower())
            if level is not None:
                best, where = level, match.start()
                break
    for match in _CAPITAL_WORD.finditer(head, 0, where):
        word = match[0]
        if word in _CAPITALS and _stands_alone(head, match.start(), match.end(), word):
            return _CAPITALS[word]
    return best


def _stands_alone(head: str, start: int, end: int, word: str) -> bool:
    before, after = head[start - 1 : start], head[end : end + 1]
    if before.isalnum() or after.isalnum() or before in ("_", "/", ".", "-", "$"):
        return False
    if word in _COMPANIONS:
        return after == ":"
    return not after or after not in "_=.-"


def _leading(head: str) -> Level:
    """Judge by how the line begins."""
    match = _LEADING.match(head)
    if match is not None:
        return _WORDS[match[1].lower()]
    if _FAULT.match(head):
        return Level.ERROR
    first = head[:1]
    if first in "IWEF" and head[1:5].isdigit() and head[5:6] == " ":  # klog, glog: E0314 09:26:53.000000
        return _LETTERS[first.lower()]
    if first == "<":
        number = head[1 : head.find(">", 1, 6)] if ">" in head[:6] else ""
        return _SYSLOG[int(number) & 7] if number.isascii() and number.isdigit() else Level.UNKNOWN
    if first.isdigit() and (sign := _REDIS.match(head)):
        return _REDIS_SIGNS[sign[1]]
    return Level.UNKNOWN
