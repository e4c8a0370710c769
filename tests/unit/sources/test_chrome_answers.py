"""What the browser's server answers, also when it answers nonsense."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.hosts.link import LinkError
from debugtui.model.chrome import Node
from debugtui.model.source import Problem
from debugtui.sources.chrome import answers, requests, script

URL = "http://127.0.0.1:8080"
REFUSED = LinkError(Problem("127.0.0.1:9 cannot be reached from kvm-01: Connection refused"))
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)
KEYS = (
    "networkRequests",
    "consoleMessages",
    "snapshot",
    "children",
    "errors",
    "rejections",
    "resources",
    "nav",
    "seen",
    "blocked",
)
FIELDS = (
    "url",
    "status",
    "method",
    "text",
    "type",
    "title",
    "count",
    "stackTrace",
    "line",
    "role",
    "name",
    "start",
    "ms",
    "origin",
)
odd = st.dictionaries(
    st.sampled_from(KEYS),
    json | st.lists(st.dictionaries(st.sampled_from(FIELDS + KEYS), json, max_size=6), max_size=4),
    max_size=5,
)


def network(*rows: tuple[str, str]) -> dict[str, Any]:
    return {"networkRequests": [{"requestId": 1, "method": "GET", "url": url, "status": status} for url, status in rows]}


def same(host: str) -> bool:
    return host == "127.0.0.1"


@given(odd, odd)
def test_nonsense_is_left_out(data: dict[str, Any], collected: dict[str, Any]) -> None:
    entries = answers.entries(data)
    for request in requests.joined(entries, {**collected, "origin": 1e12}, {}, lambda _: True):
        assert request.ms is None or request.ms >= 0
    for message in answers.console(data, collected):
        assert message.kind in ("exception", "rejection", "error", "warning", "issue")
        assert "\n" not in message.text
    assert len(answers.tree(data)) <= answers.MOST_NODES


def test_entries() -> None:
    data = network(
        (f"{URL}/", "200"), (f"{URL}/a", "pending"), (f"{URL}/b", "net::ERR_FAILED"), ("data:image/png;base64,x", "200")
    )
    assert [entry[1:] for entry in answers.entries(data)] == [
        (f"{URL}/", 200, "", False),
        (f"{URL}/a", None, "", True),
        (f"{URL}/b", None, "net::ERR_FAILED", False),
    ]
    assert answers.entries({}) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Script ran on page and returned:\n```json\n{"a": "```json"}\n```', {"a": "```json"}),
        ('```json\n{"a": 1}', {}),
        ("```json\n[1]\n```", {}),
        ("```json\n{\n```", {}),
        ("", {}),
    ],
)
def test_what_a_script_returned(text: str, found: dict[str, Any]) -> None:
    assert answers.script(text) == found


def test_the_tree_is_flat_and_bounded() -> None:
    leaf = {"role": "button", "name": "Send\u202e now"}
    root = {
        "role": "RootWebArea",
        "name": "api_key=abcdef123",
        "children": [{"role": "main", "name": "", "children": [leaf]}, leaf],
    }
    assert answers.tree({"snapshot": root}) == (
        Node(0, "RootWebArea", "api_key=•••"),
        Node(1, "main", ""),
        Node(2, "button", "Send<202E> now"),
        Node(1, "button", "Send<202E> now"),
    )
    assert len(answers.tree({"snapshot": {"children": [leaf] * 2000}})) == answers.MOST_NODES


def test_the_console_is_sorted_named_and_safe() -> None:
    uncaught = "Uncaught TypeError: x is null"
    data = {
        "consoleMessages": [
            {"type": "warn", "text": "old"},
            {"type": "log", "text": "nothing"},
            {"type": "error", "text": "Failed to load resource: the server responded with a status of 404 (Not Found)"},
            {"type": "issue", "title": "No label", "count": 3},
            {"type": "error", "text": "token=abcdef123 refused", "stackTrace": "at  (app.js:9:5)"},
            {"type": "error", "text": uncaught, "stackTrace": "at render (app.js:4:15)\nat  (app.js:6:1)"},
            {"type": "error", "text": "Uncaught (in promise)", "count": 3, "stackTrace": "at  (app.js:7:33)"},
            {"type": "error", "text": "Uncaught (in promise) Error: named"},
        ]
    }
    seen = {
        "errors": [{"text": uncaught, "source": f"{URL}/static/app.js?v=1", "line": 4, "column": 15, "stack": "…"}],
        "rejections": [{"text": "Error: order 17 lost", "stack": f"Error: order 17 lost\n    at {URL}/app.js:7:33"}],
    }
    found = answers.console(data, seen)
    assert [(one.kind, one.text, one.source, one.line, one.column, one.count) for one in found] == [
        ("exception", "TypeError: x is null", f"{URL}/static/app.js?v=1", 4, 15, 1),
        ("rejection", "a promise was rejected", "app.js", 7, 33, 2),
        ("rejection", "Error: named", "", None, None, 1),
        ("rejection", "Error: order 17 lost", f"{URL}/app.js", 7, 33, 1),
        ("error", "token=••• refused", "app.js", 9, 5, 1),
        ("warning", "old", "", None, None, 1),
        ("issue", "No label", "", None, None, 3),
    ]
    assert answers.console({}, {}) == ()


def test_requests_get_their_times_by_address_and_order() -> None:
    entries = answers.entries(
        network((f"{URL}/", "200"), (f"{URL}/api", "500"), (f"{URL}/api", "200"), (f"{URL}/x#part", "404"))
    )
    timing = {"kind": "fetch", "sent": 30, "first": 80.04, "size": 300, "status": 500}
    collected = {
        "origin": 1_800_000_000_000,
        "nav": {
            "url": f"{URL}/",
            "kind": "navigation",
            "start": 0,
            "ms": 40,
            "sent": 1,
            "first": 9,
            "size": 500,
            "status": 200,
        },
        "resources": [
            {"url": f"{URL}/api", "start": 25, "ms": 60.26, **timing},
            {"url": f"{URL}/api", "start": 95, "ms": 900, **timing, "status": 200},
        ],
    }
    document, first, second, bare = requests.joined(entries, collected, {}, same)
    assert (document.kind, document.ms, document.waited_ms, document.size_bytes) == ("document", 40, 8, 500)
    assert (first.status, first.ms, first.waited_ms, first.size_bytes) == (500, 60.3, 50.0, 300)
    assert first.at == datetime.fromtimestamp(1_800_000_000.025, UTC)
    assert (second.status, second.ms) == (200, 900)
    assert (bare.status, bare.ms, bare.at, bare.kind) == (404, None, None, "")


def test_failures_say_what_the_proxy_knows() -> None:
    rows = (
        (f"{URL}/never", "pending"),
        ("http://127.0.0.1:9/", requests.PROXY_FAILED),
        ("http://127.0.0.1:10/", requests.PROXY_FAILED),
        ("http://cdn.example/", requests.PROXY_FAILED),
        (f"{URL}/b", "net::ERR_BLOCKED_BY_RESPONSE"),
        (f"{URL}/c", "pending"),
        (f"{URL}/d", "net::ERR_EMPTY_RESPONSE"),
        (f"{URL}/favicon.ico", "404"),
    )
    entries = answers.entries(network(*rows))
    collected = {"seen": {"blocked": [{"url": f"{URL}/c", "by": "script-src"}]}}
    found = requests.joined(entries, collected, {("127.0.0.1", 9): REFUSED}, same)
    assert [request.failure for request in found] == [
        "timed out",
        "net::ERR_CONNECTION_REFUSED",
        "net::ERR_CONNECTION_FAILED",
        "blocked (net::ERR_BLOCKED_BY_RESPONSE)",
        "blocked (script-src)",
        "net::ERR_EMPTY_RESPONSE",
    ]
    assert requests.elsewhere(entries, same) == {"cdn.example": 1}
    asked = requests.joined(entries[-1:], {"icon": True}, {}, same)
    assert [request.status for request in asked] == [404]


@pytest.mark.parametrize(
    ("says", "name"),
    [
        ("a:1 cannot be reached from here: Name or service not known", "net::ERR_NAME_NOT_RESOLVED"),
        ("a:1 as seen from kvm-01: no answer within 10 s", "net::ERR_CONNECTION_TIMED_OUT"),
        ("a:1 cannot be reached from kvm-01: No route to host", "net::ERR_ADDRESS_UNREACHABLE"),
        ("something else", "net::ERR_CONNECTION_FAILED"),
    ],
)
def test_reasons(says: str, name: str) -> None:
    assert requests.reason(LinkError(Problem(says))) == name


@pytest.mark.parametrize(
    ("fcp", "dcl", "tasks", "until", "tti"),
    [
        (None, 50, [], 3000, None),
        (100, 50, [], 3000, 100),
        (100, 400, [], 3000, 400),
        (100, 50, [(200, 300), (600, 100)], 3000, 700),
        (100, 50, [(20, 30)], 3000, 100),
        (100, 50, [(200, 100), (5400, 400)], 9000, 300),  # five quiet seconds before the second task
        (100, 50, [(200, 100), (5200, 400)], 9000, 5600),
    ],
)
def test_time_to_interactive(fcp: float | None, dcl: float, tasks: list[tuple[float, float]], until: float, tti: float) -> None:
    assert script.interactive(fcp, dcl, tasks, until) == tti


def test_layout_shift_is_that_of_the_worst_window() -> None:
    assert script.layout_shift([]) == 0
    assert script.layout_shift([(100, 0.1), (500, 0.1), (3000, 0.15)]) == pytest.approx(0.2)
    assert script.layout_shift([(at * 900.0, 0.1) for at in range(10)]) == pytest.approx(0.6)  # at most five seconds long
