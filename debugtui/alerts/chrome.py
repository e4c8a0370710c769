"""The rules of the front end: what a browser saw of one page. Pure; the budgets are the configuration's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from urllib.parse import urlsplit

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Severity
from debugtui.model.chrome import ChromeReading, ConsoleMessage, PageRequest, Story
from debugtui.model.target import Target

#: Findings of one kind for one page; what is more is counted in one further finding.
MOST = 20

#: Characters of a message; the part that came from outside is cut first.
_LIMIT = 99

#: Most characters of a path in the middle of a message.
_PATH_LIMIT = 55

_FAULTS = {
    "net::ERR_CONNECTION_REFUSED": "connection refused",
    "net::ERR_CONNECTION_RESET": "connection reset",
    "net::ERR_CONNECTION_CLOSED": "connection closed without an answer",
    "net::ERR_EMPTY_RESPONSE": "connection closed without an answer",
    "net::ERR_CONNECTION_TIMED_OUT": "no answer to the connection",
    "net::ERR_CONNECTION_FAILED": "cannot be reached",
    "net::ERR_ADDRESS_UNREACHABLE": "address unreachable",
    "net::ERR_NAME_NOT_RESOLVED": "the name does not resolve",
    "net::ERR_SSL_PROTOCOL_ERROR": "no TLS is spoken there",
    "net::ERR_TOO_MANY_REDIRECTS": "it redirects in circles",
    "net::ERR_UNSAFE_PORT": "browsers refuse this port",
}


def findings(target: Target, reading: ChromeReading, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong with a page, one finding for each distinct thing, at most `MOST` of a kind and how many more."""
    if reading.fault:
        yield Finding(Severity.CRITICAL, "page_down", target, _cut(f"the page cannot be opened: {_fault(reading.fault)}"))
    elif reading.status is not None and reading.status >= 400:
        worst = Severity.CRITICAL if reading.status >= 500 else Severity.HIGH
        yield Finding(worst, "page_down", target, f"the page answers {reading.status}", float(reading.status))
    for kind in (_console(target, reading), _failed(target, reading), _slow(target, reading, rules), _stories(target, reading)):
        yield from _bounded(target, kind)
    yield from _paint(target, reading, rules)


def _bounded(target: Target, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the first ones; the rest as one finding that counts them."""
    distinct: dict[tuple[str, Target], Finding] = {}
    for finding in found:
        if finding.raised:
            distinct.setdefault((finding.rule, finding.target), finding)
        else:
            yield finding
    yield from islice(distinct.values(), MOST)
    more = list(distinct.values())[MOST:]
    if more:
        worst = min((finding.severity for finding in more), key=lambda severity: severity.rank)
        about = Target(target.host, target.kind, f"{target.name}/more")
        yield Finding(worst, more[0].rule, about, f"and {len(more)} more of this kind", float(len(more)))


def _console(target: Target, reading: ChromeReading) -> Iterator[Finding]:
    words = {
        "exception": (Severity.HIGH, "js_exception", "JavaScript exception"),
        "rejection": (Severity.HIGH, "js_rejection", "unhandled promise rejection"),
        "error": (Severity.MEDIUM, "console_error", "console error"),
    }
    for message in reading.errors:
        severity, rule, what = words[message.kind]
        where = _where(message)
        head = _cut(f"{what}: {message.text}", _LIMIT - (len(where) + 3 if where else 0))
        about = Target(target.host, target.kind, f"{target.name}/{where or message.text[:60]}")
        yield Finding(severity, rule, about, f"{head} ({where})" if where else head, float(message.count))


def _where(message: ConsoleMessage) -> str:
    """Return `app.js:12:43`, or "" where the page did not say."""
    if not message.source:
        return ""
    name = urlsplit(message.source).path.rpartition("/")[2] or "the page"
    place = "".join(f":{number}" for number in (message.line, message.column) if number is not None)
    return f"{name[-40:]}{place}"


def _failed(target: Target, reading: ChromeReading) -> Iterator[Finding]:
    for request in sorted(reading.failed, key=_grade):
        what = _what(request, reading.url)
        about = Target(target.host, target.kind, f"{target.name}/{what}")
        if request.failure:
            message = f"{what} failed: {_FAULTS.get(request.failure, request.failure)}"
            yield Finding(Severity.HIGH, "request_failed", about, _cut(message))
        elif request.status is not None:
            severity = Severity.HIGH if request.status >= 500 else Severity.MEDIUM
            yield Finding(severity, "request_failed", about, f"{what} answers {request.status}", float(request.status))


def _grade(request: PageRequest) -> int:
    """Order: answers of 5xx, no answer, answers of 4xx."""
    return 1 if request.failure else 0 if (request.status or 0) >= 500 else 2


def _slow(target: Target, reading: ChromeReading, rules: Rules) -> Iterator[Finding]:
    for request in reading.slow:
        what = _what(request, reading.url)
        about = Target(target.host, target.kind, f"{target.name}/{what}")
        yield from rules.counted(
            "request_slow", about, request.ms or 0.0, _late(f"{what} took"), budget=reading.request_budget_ms
        )


def _paint(target: Target, reading: ChromeReading, rules: Rules) -> Iterator[Finding]:
    pairs = (
        ("lcp", "largest contentful paint after", reading.lcp_ms, reading.lcp_budget_ms),
        ("tti", "interactive only after", reading.tti_ms, reading.tti_budget_ms),
    )
    for rule, words, value, budget in pairs:
        yield from rules.counted(rule, target, value, _late(words), budget=budget)


def _late(words: str) -> Callable[[float, float], str]:
    return lambda took, budget: f"{words} {_seconds(took)} (budget {_seconds(budget)})"


def _stories(target: Target, reading: ChromeReading) -> Iterator[Finding]:
    for story in reading.stories:
        if story.agrees is False:
            yield _contradiction(target, reading, story)


def _contradiction(target: Target, reading: ChromeReading, story: Story) -> Finding:
    about = Target(target.host, target.kind, f"{target.name}/{_what(story.request, reading.url)}")
    return Finding(Severity.MEDIUM, "front_contradiction", about, _cut(f"the logs contradict: {story.says}"))


def _what(request: PageRequest, page: str) -> str:
    """Return `GET /img/a.png`, with the host where it is not the page's own."""
    parts, own = urlsplit(request.url), urlsplit(page)
    host = "" if parts.netloc == own.netloc else parts.netloc
    path = f"{host}{parts.path or '/'}"
    if len(path) > _PATH_LIMIT:
        path = f"{path[: _PATH_LIMIT // 2]}…{path[-(_PATH_LIMIT // 2) :]}"
    return f"{request.method} {path}"


def _fault(fault: str) -> str:
    words = _FAULTS.get(fault)
    return f"{words} ({fault})" if words else fault


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f}".removesuffix(".0") + " s"


def _cut(text: str, limit: int = _LIMIT) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
