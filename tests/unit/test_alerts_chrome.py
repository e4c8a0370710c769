"""What is said of a page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from debugtui.alerts.chrome import MOST, findings
from debugtui.model.chrome import ChromeReading, ConsoleMessage, PageRequest, Story
from debugtui.model.target import Target

TARGET = Target("kvm-01", "chrome", "front")
URL = "http://front:8080"


def said(**values: Any) -> list[tuple[str, str, str]]:
    reading = ChromeReading(datetime(2026, 11, 21, tzinfo=UTC), f"{URL}/", **values)
    found = list(findings(TARGET, reading))
    assert len({(finding.rule, finding.target) for finding in found}) == len(found)
    assert all(len(finding.message) < 100 for finding in found)
    return [(finding.severity.value, finding.rule, finding.message) for finding in found]


def request(
    path: str, status: int | None = None, failure: str = "", ms: float | None = None, method: str = "GET"
) -> PageRequest:
    return PageRequest(method, path if "://" in path else f"{URL}{path}", status=status, failure=failure, ms=ms)


def test_a_sound_page_says_nothing() -> None:
    assert (
        said(status=200, lcp_ms=900.0, tti_ms=1000.0, console=(ConsoleMessage("warning", "old"), ConsoleMessage("issue", "x")))
        == []
    )


def test_a_page_that_cannot_be_opened() -> None:
    assert said(fault="net::ERR_CONNECTION_REFUSED") == [
        ("critical", "page_down", "the page cannot be opened: connection refused (net::ERR_CONNECTION_REFUSED)")
    ]
    assert said(fault="no answer within 15 s") == [
        ("critical", "page_down", "the page cannot be opened: no answer within 15 s")
    ]
    assert said(status=503)[0] == ("critical", "page_down", "the page answers 503")
    assert said(status=404)[0] == ("high", "page_down", "the page answers 404")


def test_scripts() -> None:
    console = (
        ConsoleMessage("exception", "TypeError: x is null", f"{URL}/static/app.js?v=1", 4, 15),
        ConsoleMessage("exception", "TypeError: x is null", f"{URL}/static/app.js?v=1", 4, 15),
        ConsoleMessage("rejection", "Error: " + "very long " * 30, f"{URL}/", 7),
        ConsoleMessage("error", "cart is broken"),
    )
    exception, rejection, error = said(status=200, console=console)
    assert exception == ("high", "js_exception", "JavaScript exception: TypeError: x is null (app.js:4:15)")
    assert rejection[2].startswith("unhandled promise rejection: Error: very long")
    assert rejection[2].endswith("… (the page:7)")
    assert error == ("medium", "console_error", "console error: cart is broken")


def test_requests() -> None:
    failed = (
        request("/img/a.png", 404),
        request("/api/boom", 500, method="POST"),
        request("/api/boom", 500, method="POST"),
        request("http://127.0.0.1:9/api", failure="net::ERR_CONNECTION_REFUSED"),
        request("/x.js", failure="blocked (script-src)"),
        request("/never", failure="timed out"),
        request("/" + "deep/" * 40, 403),
    )
    slow = (request("/api/slow?page=2", 200, ms=2310.0), request("/fine", 200, ms=900.0))
    assert said(status=200, failed=failed, slowest=slow) == [
        ("high", "request_failed", "POST /api/boom answers 500"),
        ("high", "request_failed", "GET 127.0.0.1:9/api failed: connection refused"),
        ("high", "request_failed", "GET /x.js failed: blocked (script-src)"),
        ("high", "request_failed", "GET /never failed: timed out"),
        ("medium", "request_failed", "GET /img/a.png answers 404"),
        ("medium", "request_failed", "GET /deep/deep/deep/deep/deep/d…p/deep/deep/deep/deep/deep/ answers 403"),
        ("medium", "request_slow", "GET /api/slow took 2.3 s (budget 1 s)"),
    ]


def test_paint_and_contradictions() -> None:
    stories = (
        Story(request("/api/a", 500), agrees=False, says="the browser saw 500 for GET /api/a, but nginx logged 200"),
        Story(request("/api/b", 500), agrees=True, says="they agree"),
        Story(request("/api/c", 500), says="nobody knows"),
    )
    assert said(status=200, lcp_ms=3210.0, tti_ms=3900.0, stories=stories) == [
        ("medium", "front_contradiction", "the logs contradict: the browser saw 500 for GET /api/a, but nginx logged 200"),
        ("medium", "lcp", "largest contentful paint after 3.2 s (budget 2.5 s)"),
        ("medium", "tti", "interactive only after 3.9 s (budget 3.8 s)"),
    ]


def test_what_is_too_much_is_counted() -> None:
    found = said(status=200, failed=tuple(request(f"/{n}", 404 if n else 500) for n in range(50)))
    assert len(found) == MOST + 1
    assert found[0] == ("high", "request_failed", "GET /0 answers 500")
    assert found[-1] == ("medium", "request_failed", "and 30 more of this kind")
