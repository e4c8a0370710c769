"""Checks that no container and no file can tell: whether the API answers, and what the application's own log says."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlsplit

from debugtui.config.models import GroqConfig
from debugtui.remediation.base import LiveCheck, Sample
from debugtui.remediation.catalogue.groq.api import Answer
from debugtui.remediation.catalogue.groq.common import Place
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.place import use_of

#: Seconds that the API and the log are watched, and between two looks: a question costs no token, but counts as a request.
API_WATCH_S, API_EVERY_S = 30, 10.0
LOG_WATCH_S, LOG_EVERY_S = 60, 5.0

#: Seconds after which an application that sends less must no longer be limited: the minute of the token limit, and some more.
CALM_WITHIN_S = 90.0

#: What a log tells that a wrong key, a wrong model or too many calls would cause.
FAILURES = frozenset({401, 403, 404, 429, 498})

# What httpx says of every call, at INFO; and what the errors of the official client begin with.
_CALL = re.compile(r"HTTP Request: [A-Z]+ (?P<url>\S+) \"HTTP/[\d.]+ (?P<status>\d{3})")
_ERROR = re.compile(r"Error code: (?P<status>\d{3})\b")


def statuses(lines: Iterable[str], use: GroqConfig) -> list[int]:
    """Return the statuses of the calls of the API that some lines tell of, in their order."""
    host = urlsplit(use.base_url).netloc.rpartition("@")[2]
    own = re.compile(use.logs.pattern) if use.logs is not None and use.logs.pattern else None
    found: list[int] = []
    for text in lines:
        if own is not None:
            match = own.search(text)
            said = match.groupdict().get("status") if match else None
        elif match := _CALL.search(text):
            said = match["status"] if urlsplit(match["url"]).netloc == host else None
        else:
            match = _ERROR.search(text)
            said = match["status"] if match else None
        if said is not None and said.isascii() and said.isdigit():
            found.append(int(said))
    return found


def api_answers(name: str, what: str, ask: Callable[[Eyes], Awaitable[Answer]]) -> LiveCheck:
    """Return the check that the API answers as it should.

    Args:
        name: of the check.
        what: why that tells.
        ask: asks it.
    """

    async def sample(eyes: Eyes) -> Sample:
        answer = await ask(eyes)
        return Sample(answer.fault is None, answer.says)

    return LiveCheck(name, API_WATCH_S, what, sample, within_s=30.0, every_s=API_EVERY_S)


def log_is_calm(place: Place, name: str, meant: frozenset[int], *, settles: bool) -> LiveCheck:
    """Return the check that the application's log tells of no new failure.

    Args:
        place: whose log.
        name: of the use.
        meant: statuses that the repair is to end. Others count only where the log did not have them before.
        settles: what fails at first, and then no more, is well: only what is new since the last look counts.
    """
    known: list[int] = []

    async def sample(eyes: Eyes) -> Sample:
        use = use_of(eyes.config, name)
        lines = await place.log_lines(eyes)
        if lines is None:
            return Sample(None, "its log cannot be read")
        before, after = (statuses(part, use) for part in lines)
        counted = FAILURES - (set(before) - meant)
        bad = [status for status in after if status in counted]
        new = bad[len(known) :] if settles else bad
        known[:] = bad
        if new:
            return Sample(False, f"its log tells of {len(new)} new failures: {', '.join(map(str, sorted(set(new))))}")
        return Sample(True, f"{len(after)} calls in its log since, none of them fails so")

    why = "a key, a model or a limit that does not fit shows in the application's own calls"
    within = CALM_WITHIN_S if settles else 10.0
    return LiveCheck("no new failure in its log", LOG_WATCH_S, why, sample, within_s=within, every_s=LOG_EVERY_S)
