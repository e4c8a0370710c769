"""What is wrong with a web address. Pure; no memory, no clock."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.model.web import Match, WebFault, WebReading

#: Longest address and longest text of an answer in a message.
_URL, _TEXT = 48, 28

_WORDS = {
    WebFault.DNS: "its name is not found in the DNS",
    WebFault.REFUSED: "the connection is refused",
    WebFault.UNREACHABLE: "no route leads there",
    WebFault.RESET: "closed without a whole answer",
    WebFault.TLS: "the TLS handshake fails",
    WebFault.TIMEOUT: "no whole answer in time",
    WebFault.PROTOCOL: "what answers does not speak HTTP",
    WebFault.REDIRECTS: "its redirects lead nowhere",
}


def findings(target: Target, reading: WebReading, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong: down, another status, another body, slow, or failing now and then."""
    what = f"GET {_short(reading.url)}"
    if reading.fault is not None:
        yield Finding(Severity.CRITICAL, "web_down", target, f"{what}: {_WORDS[reading.fault]}")
        return
    for match in reading.matches:
        if not match.ok:
            yield _mismatch(target, what, reading, match)
    yield from _slow(target, what, reading, rules)
    share = reading.failed_share
    if reading.sound:
        yield from rules.counted(
            "web_flapping",
            target,
            None if share is None else 100 * share,
            lambda percent, _: f"{what} fails now and then: {percent:.0f} % in ten minutes",
        )


def _mismatch(target: Target, what: str, reading: WebReading, match: Match) -> Finding:
    if match.what == "status":
        status = reading.status or 0
        severity = Severity.CRITICAL if status >= 500 else Severity.HIGH
        message = f"{what} answers {match.found}, not {match.wanted}"
        return Finding(severity, "web_status", target, message, float(status), float(match.wanted))
    if match.what == "body":
        return Finding(Severity.HIGH, "web_body", target, f"{what}: its body lacks '{short(match.wanted, _TEXT)}'")
    path = short(match.what.removeprefix("json "), 24)
    found, wanted = short(match.found, 20), short(match.wanted, 16)
    # The path is a part of the target's name: several of them may be wrong at once, and each is an alert of its own.
    about = Target(target.host, target.kind, f"{target.name}/{path}")
    return Finding(Severity.HIGH, "web_json", about, f"{_short(reading.url, 24)}: {path} is {found}, not {wanted}")


def _slow(target: Target, what: str, reading: WebReading, rules: Rules) -> Iterator[Finding]:
    yield from rules.counted(
        "web_slow",
        target,
        reading.timing.first_byte_ms,
        lambda took, budget: f"{what}: first byte after {took:.0f} ms, budget {budget:.0f} ms",
        budget=reading.first_byte_budget_ms,
    )
    yield from rules.counted(
        "web_p95", target, reading.p95_ms, lambda took, _: f"{what}: p95 of ten minutes is {took / 1000:.1f} s"
    )


def _short(url: str, limit: int = _URL) -> str:
    """An address without its query and without what every one has, short enough for a line."""
    return short(url.partition("?")[0].removeprefix("http://"), limit)


def short(text: str, limit: int) -> str:
    """Return the beginning of a text on one line, at most `limit` characters."""
    text = line(text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
