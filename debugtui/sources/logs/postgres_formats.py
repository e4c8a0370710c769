"""What PostgreSQL writes into its log, in its three formats: a message stays one line, with its statement and details."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo

from debugtui.config.redaction import redact
from debugtui.model.logs import Level, LogLine
from debugtui.model.text import decode, line
from debugtui.sources.loglines import RawLine
from debugtui.sources.logs.reader import LineReader
from debugtui.sources.logs.stamps import Stamps

#: Lines and characters of one message.
MOST_LINES, MOST = 400, 16_000

_LEVELS = {
    **dict.fromkeys(("DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5"), Level.DEBUG),
    **dict.fromkeys(("LOG", "INFO", "NOTICE", "JOURNAL", "HINWEIS"), Level.INFO),
    **dict.fromkeys(("WARNING", "WARNUNG", "ATTENTION"), Level.WARNING),
    **dict.fromkeys(("ERROR", "FATAL", "PANIC", "ERREUR", "FEHLER", "PANIK"), Level.ERROR),
}  # fmt: skip
#: What belongs to the message before it.
_COMPANIONS = frozenset({"DETAIL", "HINT", "STATEMENT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE"})
# Two spaces follow a severity, and nothing else that a prefix holds.
_SEVERITY = re.compile(r"(?:^|[\s:\]>|,;)@/-])([A-Z]{3,10}[1-5]?) ?:  ", re.ASCII)
_LOOKED_AT = 300

_CSV_BEGINS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^,\"]{1,40},", re.ASCII)
# Places in a line of csvlog.
_TIME, _USER, _DATABASE, _PID = 0, 1, 2, 3
_LEVEL, _STATE, _MESSAGE, _DETAIL, _HINT, _CONTEXT, _QUERY = 11, 12, 13, 14, 15, 18, 19


class PostgresReader(LineReader):
    """Lines of the plain format: what belongs to a message is joined to it, or has its time and level."""

    def __init__(self, stamps: Stamps) -> None:
        """Read times with `stamps`."""
        super().__init__(stamps)
        self._level: Level | None = None
        self._held: list[str] = []
        self._characters = 0
        self._message = LogLine("")

    def take(self, raws: Sequence[RawLine]) -> list[LogLine]:
        """Return the messages that are whole; the last one may still be continued."""
        found: list[LogLine] = []
        for made in super().take(raws):
            self._join(made, found)
        return found

    def finish(self) -> list[LogLine]:
        """Return the last message."""
        found = super().finish()
        self._give(found)
        return found

    def _join(self, made: LogLine, found: list[LogLine]) -> None:
        if self._held and made.text.startswith(" ") and self._characters < MOST and len(self._held) < MOST_LINES:
            self._held.append(made.text.strip())  # a tab begins it, which is a space by now
            self._characters += len(made.text)
            return
        self._give(found)
        self._held, self._characters, self._message = [made.text], len(made.text), made

    def _give(self, found: list[LogLine]) -> None:
        if self._held:
            text = self._held[0] if len(self._held) == 1 else redact(line("␊ ".join(self._held)))
            found.append(self._message._replace(text=text))
            self._held = []

    def time(self, text: str) -> datetime | None:
        """Return the time of the prefix, where it has one."""
        return None if text[:1] == " " else self.stamps.find(text)

    def level(self, text: str) -> Level | None:
        """Return the severity; that of the message before it for what belongs to it."""
        if text[:1] == " ":
            return self._level
        match = _SEVERITY.search(text, 0, _LOOKED_AT)
        if match is None or match[1] not in _COMPANIONS:
            self._level = _LEVELS.get(match[1], Level.UNKNOWN) if match is not None else Level.UNKNOWN
        return self._level


class CsvReader(LineReader):
    """Lines of csvlog: a quoted field may go on over several."""

    def __init__(self, stamps: Stamps) -> None:
        """Read times with `stamps`."""
        super().__init__(stamps)
        self._held: list[str] = []
        self._quotes = self._characters = 0

    def take(self, raws: Sequence[RawLine]) -> list[LogLine]:
        """Return the messages that are whole."""
        found: list[LogLine] = []
        for raw in raws:
            self._add(decode(raw.data).rstrip("\r"), found)
        return found

    def finish(self) -> list[LogLine]:
        """Return also what is not whole."""
        found = super().finish()
        if self._held:
            self._give(found)
        return found

    def _add(self, text: str, found: list[LogLine]) -> None:
        if not self._held and not _CSV_BEGINS.match(text):
            self._plain(text, found)  # the rest of a message whose beginning was not read, or none at all
            return
        self._held.append(text)
        self._quotes += text.count('"')
        self._characters += len(text)
        if self._quotes % 2 == 0 or self._characters > MOST or len(self._held) > MOST_LINES:
            self._give(found)

    def _give(self, found: list[LogLine]) -> None:
        whole = self._quotes % 2 == 0
        text, self._held = "\n".join(self._held), []
        self._quotes = self._characters = 0
        fields = next(csv.reader([text[: 4 * MOST]], strict=False), []) if whole else []
        if len(fields) <= _MESSAGE:
            self._plain(text, found)
            return
        self.last = self.stamps.find(fields[_TIME]) or self.last
        more = {name: fields[place] for name, place in _MORE if place < len(fields)}
        message = _Message(
            fields[_USER], fields[_DATABASE], fields[_PID], fields[_LEVEL], fields[_STATE], fields[_MESSAGE], more
        )
        found.append(LogLine(self.veil.hide(message.text()), self.last, "", _LEVELS.get(fields[_LEVEL], Level.UNKNOWN)))

    def _plain(self, text: str, found: list[LogLine]) -> None:
        self.last = (self.stamps.find(text) if _CSV_BEGINS.match(text) else None) or self.last
        found.append(LogLine(self.veil.hide(redact(line(text))), self.last, "", Level.UNKNOWN))

    def first_time(self, data: bytes) -> datetime | None:
        """Return the first time of a message that begins in a piece."""
        for row in data.split(b"\n")[1:-1]:
            text = decode(row[:200])
            if _CSV_BEGINS.match(text) and (at := self.stamps.find(text)) is not None:
                return at
        return None


class JsonReader(LineReader):
    """Lines of jsonlog: each is a message."""

    def line(self, text: str, raw: RawLine) -> LogLine:
        """Return one message; a line that is no JSON is shown as it is."""
        try:
            entry = json.loads(raw.data)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict) or "error_severity" not in entry:
            return super().line(text, raw)
        self.last = self.stamps.find(_word(entry, "timestamp")) or self.last
        more = {name: _word(entry, key) for name, key in _JSON_MORE}
        message = _Message(
            _word(entry, "user"), _word(entry, "dbname"), _word(entry, "pid"), _word(entry, "error_severity"),
            _word(entry, "state_code"), _word(entry, "message"), more,
        )  # fmt: skip
        level = _LEVELS.get(_word(entry, "error_severity"), Level.UNKNOWN)
        return LogLine(self.veil.hide(message.text()), self.last, "", level)

    def time(self, text: str) -> datetime | None:
        """Return the time of a line that is not whole JSON."""
        return self.stamps.find_in_json(text)


_MORE = (("DETAIL", _DETAIL), ("HINT", _HINT), ("CONTEXT", _CONTEXT), ("STATEMENT", _QUERY))
_JSON_MORE = (("DETAIL", "detail"), ("HINT", "hint"), ("CONTEXT", "context"), ("STATEMENT", "statement"))


class _Message:
    """The parts of one message."""

    def __init__(
        self, user: str, database: str, pid: str, severity: str, state: str, message: str, more: Mapping[str, str]
    ) -> None:
        self._who = f"{user}@{database} " if user or database else ""
        self._pid = f"[{pid}] " if pid else ""
        code = f" ({state})" if state not in ("", "00000") else ""
        self._words = [f"{severity}: {message}{code}", *(f"{name}: {text}" for name, text in more.items() if text)]

    def text(self) -> str:
        """Return the message as one line, safe and redacted."""
        return redact(line(f"{self._pid}{self._who}{'  '.join(self._words)}"))


def _word(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def reader_of(log_format: str, zone: tzinfo) -> LineReader:
    """Return a reader of a format: `stderr`, `csvlog`, `jsonlog`."""
    stamps = Stamps(zone)
    if log_format == "csvlog":
        return CsvReader(stamps)
    return JsonReader(stamps) if log_format == "jsonlog" else PostgresReader(stamps)


def format_of(path: str) -> str:
    """Return the format that a file's name tells."""
    return "csvlog" if path.endswith(".csv") else "jsonlog" if path.endswith(".json") else "stderr"
