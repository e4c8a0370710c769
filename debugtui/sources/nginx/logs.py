"""What the logs of an nginx say: formats as regular expressions, lines of the last minutes as figures. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from debugtui.config.redaction import redact
from debugtui.model.nginx import AccessFigures, ErrorGroup
from debugtui.model.text import clean, line

#: How far back the figures look.
WINDOW = timedelta(minutes=5)
#: Longest line that is looked at; the rest of a longer one is cut off.
LONGEST = 4_000

LEVELS = ("emerg", "alert", "crit", "error", "warn")

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))", re.ASCII)
_ERROR = re.compile(r"(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(\w+)\] \d+#\d+: (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of an access log. `seconds`: the request's time; None where the format has none."""

    at: datetime | None
    status: int
    method: str
    path: str
    seconds: float | None
    text: str


def pattern_of(log_format: str) -> re.Pattern[str]:
    """Return the expression that reads lines of a log format; each variable is a group of its name, the first time."""
    parts: list[str] = []
    seen: set[str] = set()
    at = 0
    for match in _VARIABLE.finditer(log_format):
        parts.append(re.escape(log_format[at : match.start()]))
        name = match.group(1) or match.group(2)
        parts.append(f"(?P<{name}>.*?)" if name not in seen and not name[0].isdigit() else ".*?")
        seen.add(name)
        at = match.end()
    return re.compile("".join(parts) + re.escape(log_format[at:]) + r"\s*", re.DOTALL)


def hits(text: str, log_format: str) -> Iterator[Hit]:
    """Yield the lines of an access log that its format reads."""
    pattern = pattern_of(log_format)
    for row in text.splitlines():
        match = pattern.fullmatch(row[:LONGEST])
        if match is not None:
            values = match.groupdict()
            status = values.get("status") or ""
            if status.isascii() and status.isdigit():
                method, path = _request(values)
                yield Hit(_time(values), int(status), method, path, _seconds(values.get("request_time")), row[:LONGEST])


def _request(values: Mapping[str, str | None]) -> tuple[str, str]:
    words = (values.get("request") or "").split(" ")
    method = values.get("request_method") or (words[0] if len(words) > 1 else "")
    path = values.get("request_uri") or values.get("uri") or (words[1] if len(words) > 1 else "")
    return line(method or "", 20), line((path or "").partition("?")[0], 300)


def _time(values: Mapping[str, str | None]) -> datetime | None:
    try:
        if text := values.get("time_iso8601"):
            return datetime.fromisoformat(text).astimezone(UTC)
        if text := values.get("time_local"):
            return datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        if text := values.get("msec"):
            return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _seconds(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def access_figures(found: Sequence[Hit], now: datetime) -> AccessFigures:
    """Return the figures of the last minutes.

    Requests a second are counted over what the text covers of the window: a bounded tail of a busy log covers less.
    """
    recent = [hit for hit in found if hit.at is None or hit.at >= now - WINDOW]
    times = [hit.at for hit in recent if hit.at is not None]
    covered = (now - min(times)).total_seconds() if times else WINDOW.total_seconds()
    whole = bool(found) and found[0].at is not None and found[0].at < now - WINDOW
    span = WINDOW.total_seconds() if whole or not times else max(1.0, covered)
    count = len(recent)
    slow = sorted((hit for hit in recent if hit.seconds is not None), key=lambda hit: hit.seconds or 0.0)
    p95 = 1000 * (slow[max(0, math.ceil(0.95 * len(slow)) - 1)].seconds or 0.0) if slow else None
    worst = slow[-1] if slow else None
    broken = next((hit for hit in reversed(recent) if hit.status >= 500), None)
    return AccessFigures(
        requests=count,
        requests_s=count / span,
        share_4xx=sum(400 <= hit.status < 500 for hit in recent) / count if count else 0.0,
        share_5xx=sum(hit.status >= 500 for hit in recent) / count if count else 0.0,
        p95_ms=p95,
        slowest=redact(f"{worst.method} {worst.path} {worst.seconds:.2f} s") if worst and worst.seconds is not None else "",
        newest_5xx=redact(f"{broken.method} {broken.path} {broken.status}") if broken else "",
    )


def zone_of(text: str) -> timezone:
    """Return the zone of `date +%z` (`+0200`); UTC where it is none."""
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", text.strip(), re.ASCII)
    if match is None:
        return UTC
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(offset if match[1] == "+" else -offset)


def error_lines(text: str, zone: timezone) -> Iterator[tuple[datetime, str, str]]:
    """Yield (time in UTC, level, words) of an error log; its times are the host's own."""
    for row in text.splitlines():
        match = _ERROR.fullmatch(row[:LONGEST])
        if match is not None:
            try:
                at = datetime.strptime(match[1], "%Y/%m/%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
            except ValueError:
                continue
            yield at, match[2], redact(line(clean(match[3]), 400))


def error_groups(text: str, zone: timezone, now: datetime) -> tuple[ErrorGroup, ...]:
    """Return the lines of the last minutes by level, worst first."""
    groups: dict[str, tuple[int, str, datetime]] = {}
    for at, level, words in error_lines(text, zone):
        if level in LEVELS and at >= now - WINDOW:
            groups[level] = (groups.get(level, (0, "", at))[0] + 1, words, at)
    return tuple(ErrorGroup(level, *groups[level]) for level in LEVELS if level in groups)
