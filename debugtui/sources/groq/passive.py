"""What the application's log says of its own calls."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from debugtui.config.redaction import redact
from debugtui.model.groq import GroqFault, PassiveFigures
from debugtui.model.text import line
from debugtui.sources.groq.classify import of_status
from debugtui.sources.groq.spread import spread

#: Most lines that are looked at, the newest; and most characters of each.
MOST_LINES, LINE_LENGTH = 20_000, 2_000
#: Seconds that the configured pattern may take for all of them.
MATCH_LIMIT = 2.0
#: Longest line of a failure that is kept, in characters.
_KEPT = 240

_REQUEST = re.compile(r'HTTP Request: [A-Z]{3,7} (https?://[^\s"]{1,400}) "HTTP/[0-9.]{1,3} (\d{3})')
_RETRY = re.compile(r"Retrying request to (\S{1,400}) in (\d{1,6}(?:\.\d{1,12})?) seconds")
_RAISED = re.compile(r"\bgroq\.(APITimeoutError|APIConnectionError)\b(?:: |$)")


class PatternError(Exception):
    """The configured pattern cannot be used. Its text says why."""


@dataclass(slots=True)
class Tally:
    """Counts calls as lines tell of them."""

    calls: int = 0
    by_class: Counter[GroqFault] = field(default_factory=Counter)
    retries: int = 0
    latencies: list[float] = field(default_factory=list)
    newest: str = ""
    others: int = 0
    sound_since: int = 0
    sound_before: int = 0

    def called(self) -> None:
        """Count a call; one that failed is told by `failed` as well."""
        self.calls += 1
        self.sound_since += 1

    def failed(self, fault: GroqFault, text: str) -> None:
        """Count a failure."""
        if not self.by_class:
            self.sound_before = self.calls - 1
        self.by_class[fault] += 1
        self.sound_since = 0
        self.newest = line(redact(text[: 4 * LINE_LENGTH]), _KEPT)

    def figures(self, origin: str) -> PassiveFigures:
        """Return them as a reading holds them."""
        return PassiveFigures(
            origin=origin,
            calls=self.calls,
            by_class=dict(self.by_class),
            retries=self.retries,
            latency=spread(self.latencies),
            newest_failure=self.newest,
            sound_since=self.sound_since,
            failing_over=self.calls - self.sound_before - self.sound_since if self.by_class else 0,
        )


def bounded(lines: Sequence[str]) -> list[str]:
    """Return the newest lines, each cut to a length that a pattern gets through."""
    return [text[:LINE_LENGTH] for text in lines[-MOST_LINES:]]


def of_libraries(lines: Sequence[str], base_url: str) -> Tally:
    """Count the lines that httpx and the groq SDK log at INFO, and the SDK's exceptions without an answer."""
    tally = Tally()
    wanted = _server(base_url)
    for text in bounded(lines):
        if (request := _REQUEST.search(text)) and _server(request[1]) == wanted:
            tally.called()
            if not 200 <= (status := int(request[2])) < 300:
                tally.failed(of_status(status), text)
        elif (retry := _RETRY.search(text)) and "/openai/v1/" in retry[1]:
            tally.retries += 1
        elif raised := _RAISED.search(text):
            tally.called()
            timeout = raised[1] == "APITimeoutError"
            tally.failed(GroqFault.TIMEOUT if timeout else GroqFault.CONNECTION, text)
    return tally


def _server(url: str) -> tuple[str, int] | None:
    """Return the host and port of a URL; None: it cannot be read."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None


async def of_pattern(lines: Sequence[str], pattern: str, model: str) -> Tally:
    """Count the lines that the configured pattern finds; its groups `status`, `ms`, `model` and `retry_s` are read.

    A line of another model than the watched one counts among `others` only.

    Raises:
        PatternError: the pattern is not sound, or takes too long.
    """
    cut = bounded(lines)
    found = await _matched(cut, pattern)
    tally = Tally()
    for number, groups in found:
        _count(tally, groups, cut[number], model)
    return tally


def _count(tally: Tally, groups: dict[str, str | None], text: str, model: str) -> None:
    said, retry, milliseconds = groups.get("status") or "", groups.get("retry_s"), _number(groups.get("ms"))
    if model and groups.get("model") and groups["model"] != model:
        tally.others += 1
        return
    if retry is not None:
        tally.retries += 1
        if not said and milliseconds is None:
            return
    tally.called()
    fault = _of_word(said)
    if fault is not None:
        tally.failed(fault, text)
    elif milliseconds is not None:
        tally.latencies.append(milliseconds)


def _of_word(said: str) -> GroqFault | None:
    """Return the fault that a status in a log stands for: a number, or a word; None: it went well."""
    if re.fullmatch(r"\d{3}", said, re.ASCII):
        return None if 200 <= int(said) < 300 else of_status(int(said))
    low = said.lower()
    if "timeout" in low or "timed out" in low:
        return GroqFault.TIMEOUT
    return None if low in ("", "ok", "success", "succeeded") else GroqFault.CONNECTION


def _number(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"\s*\d{1,12}(?:\.\d{0,12})?\s*", text, re.ASCII):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


async def _matched(lines: list[str], pattern: str) -> list[tuple[int, dict[str, str | None]]]:
    """Run the pattern in a process of its own, which is ended when it takes too long."""
    try:
        groups = set(re.compile(pattern).groupindex)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"it is not a regular expression: {line(str(error), 100)}") from None
    if not groups & {"status", "ms", "retry_s"}:
        raise PatternError("it has none of the named groups status, ms and retry_s")
    asked = await asyncio.to_thread(lambda: json.dumps({"pattern": pattern, "lines": lines}).encode())
    script = str(Path(__file__).with_name("match_lines.py"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        script,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(MATCH_LIMIT):
            output, _ = await process.communicate(asked)
    except TimeoutError:
        raise PatternError(
            f"it takes more than {MATCH_LIMIT:g} s for {len(lines)} lines: simplify nested repetitions"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise PatternError(f"matching ended with status {process.returncode}")
    answer: Any = await asyncio.to_thread(json.loads, output)
    return [(int(number), dict(found)) for number, found in answer]
