"""Whether the browser, nginx and the container tell one story: the table."""

from __future__ import annotations

import pytest

from debugtui.model.chrome import PageRequest
from debugtui.sources.chrome.story import compare


def access(status: int, path: str = "/api/slow", method: str = "GET") -> str:
    return f'127.0.0.1 - - [21/Nov/2026:07:00:00 +0000] "{method} {path} HTTP/1.1" {status} 160 "-" "Mozilla/5.0"'


def error(what: str) -> str:
    return (
        f"2026/11/21 07:00:00 [error] 42#42: *7 {what} while reading response header from upstream, client: 127.0.0.1, "
        'server: front, request: "GET /api/slow HTTP/1.1", upstream: "http://127.0.0.1:9000/api/slow", host: "front"'
    )


TIMED_OUT = error("upstream timed out (110: Connection timed out)")
REFUSED = error("connect() failed (111: Connection refused)")


@pytest.mark.parametrize(
    ("saw", "nginx", "container", "agrees", "says"),
    [
        (504, TIMED_OUT, "GET /api/slow started", True, "the upstream timed out, the container logged the same request"),
        (504, access(504), "GET /api/slow", True, "nginx logged 504, the container logged the same request"),
        (504, access(504), '"GET /api/slow HTTP/1.1" 200 12', False, "the container answered 200, later than nginx waited"),
        (502, REFUSED, "", True, "nginx says the upstream could not be reached"),
        (500, access(500), '"GET /api/slow HTTP/1.1" 500 12', True, "nginx logged 500, the container answered 500"),
        (500, access(500), '{"path": "/api/slow", "status": 200}', False, "nginx logged 500, but the container says 200"),
        (500, access(500), "ValueError: Traceback (most recent call last)", True, "the container logged an error"),
        (500, access(200), "", False, "the browser saw 500 for GET /api/slow, but nginx logged 200"),
        (500, TIMED_OUT, "", False, "but nginx says the upstream timed out"),
        (502, access(502), "GET /api/slow -> 500", True, "the container failed too (500)"),
        (404, access(404), "", True, "nginx logged 404"),
        (404, "", "GET /api/slow 404 1.2 ms", True, "the container answered 404"),
        (404, "", "GET /api/slow 200 1.2 ms", False, "but the container says 200"),
        (404, "some line", "", None, "the log lines name no status"),
        (404, "", "", None, "no log line of that moment was found"),
        ("net::ERR_CONNECTION_REFUSED", "", "", True, "the request never reached nginx"),
        ("blocked (script-src)", "", "", True, "the request never reached nginx"),
        ("timed out", "", "", None, "nginx logs a request when it ends"),
        ("timed out", access(499), "", True, "nginx logged 499"),
        ("net::ERR_EMPTY_RESPONSE", access(200), "", False, "but nginx logged 200"),
        ("net::ERR_EMPTY_RESPONSE", error("upstream prematurely closed connection"), "", True, "closed the connection"),
        ("net::ERR_EMPTY_RESPONSE", "", "GET /api/slow 200", False, "but the container answered 200"),
        ("net::ERR_EMPTY_RESPONSE", "some line", "", None, "nginx's line names no status"),
    ],
)
def test_table(saw: int | str, nginx: str, container: str, agrees: bool | None, says: str) -> None:
    status, failure = (saw, "") if isinstance(saw, int) else (None, saw)
    request = PageRequest("GET", "http://front/api/slow?page=2", status=status, failure=failure)
    story = compare(request, nginx, container)
    assert story.agrees is agrees, story.says
    assert says in story.says
    assert (story.request, story.nginx, story.container) == (request, nginx, container)
