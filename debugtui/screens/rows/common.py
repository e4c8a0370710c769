"""What the rows of every pane share."""

from __future__ import annotations

from datetime import datetime

from debugtui.model.source import Freshness, Kind, SourceStatus
from debugtui.model.target import NO_HOSTS, Target
from debugtui.themes.tones import Tone
from debugtui.widgets.format import age
from debugtui.widgets.table_rows import Cell, Row

#: A row that stands for the source itself, because it cannot be read: `problem:HOST/KIND/NAME`.
PROBLEM = "problem:"


def seconds_since(then: datetime | None, now: datetime) -> float | None:
    """Return the seconds from `then` to `now`, never below 0; None where `then` is not known."""
    return None if then is None else max(0.0, (now - then).total_seconds())


def source_key(status: SourceStatus) -> str:
    """Return the target of a source: `HOST/KIND`, `HOST/KIND/NAME` or `groq/NAME`."""
    return str(Target(status.host, status.kind, "" if status.name == status.kind else status.name))


def freshness_words(status: SourceStatus, now: datetime) -> str:
    """Return `live`, or how old what is shown is: `stale 12 s`, `lost 02:14`; `off`."""
    if status.freshness in (Freshness.LIVE, Freshness.OFF) or status.reading is None:
        return status.freshness.value
    return f"{status.freshness.value} {age(seconds_since(status.reading.taken_at, now)).strip()}"


def freshness_tone(freshness: Freshness) -> Tone:
    """Return the tone of a freshness."""
    return {Freshness.LIVE: "ok", Freshness.STALE: "warn", Freshness.LOST: "bad", Freshness.OFF: "dim"}[freshness]  # type: ignore[return-value]


def problem_rows(status: SourceStatus) -> list[Row]:
    """Return the lines that say why a source cannot be read, and how to mend it; none where nothing is wrong."""
    if status.problem is None or status.freshness in (Freshness.OFF, Freshness.LIVE):
        return []
    mark = "✖" if status.freshness is Freshness.LOST else "◐"
    tone = freshness_tone(status.freshness)
    key = f"{PROBLEM}{source_key(status)}"
    who = status.name if status.host in NO_HOSTS else status.host
    rows = [Row(key, (Cell(f"{mark} {who}: {status.problem.says}", tone),), heading=True)]
    if status.problem.hint:
        rows.append(Row(f"{key}#hint", (Cell(f"  {status.problem.hint}", "dim"),), heading=True))
    return rows


def empty_words(statuses: list[SourceStatus], kind: Kind, nothing: str) -> str:
    """Return what an empty pane says: why it cannot be read, that it is off or being read, or that there is nothing."""
    if not statuses:
        return "not configured"
    problems = [status for status in statuses if status.problem is not None]
    off = [status for status in statuses if status.freshness is Freshness.OFF]
    if len(off) == len(statuses):
        return f"no {kind} here" if off[0].problem is None else f"off: {off[0].problem.says}"
    if problems:
        first = problems[0].problem
        assert first is not None  # noqa: S101 - chosen two lines above
        return f"{problems[0].host}: {first.says}" + (f"\n\n{first.hint}" if first.hint else "")
    if any(status.reading is None for status in statuses):
        return "reading…"
    return nothing


def tone_of_percent(value: float | None, warn: float, bad: float) -> Tone:
    """Return the tone of a percentage: calm below `warn`, bad from `bad` on."""
    if value is None:
        return "dim"
    return "bad" if value >= bad else "warn" if value >= warn else ""
