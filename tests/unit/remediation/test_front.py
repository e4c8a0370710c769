"""What users saw and what they see, side by side; what got worse counts, what was not looked at again proves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from debugtui.model.chrome import ChromeReading, ConsoleMessage, PageRequest
from debugtui.model.groq import GroqCall, GroqFault, GroqReading
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Reading, SourceStatus
from debugtui.model.web import Match, Timing, WebFault, WebReading
from debugtui.remediation.front import compare_front
from tests.unit.fakes import START

LATER = START + timedelta(seconds=60)
WEB = WebReading(START, "http://x/", status=200, timing=Timing(total_ms=180.0))
PAGE = ChromeReading(START, "http://x/", status=200, lcp_ms=900.0)
ERROR = ConsoleMessage("exception", "TypeError: x is undefined", "app.js", 12)
BOOM = PageRequest("POST", "http://x/api/boom?key=1", status=500)
GROQ = GroqReading(START, "https://api.groq.com", "models", newest=GroqCall(START, total_ms=80.0))


def view(*readings: tuple[Kind, Reading]) -> FleetView:
    sources = tuple(SourceStatus("kvm-01", "front", kind, Freshness.LIVE, reading=reading) for kind, reading in readings)
    return FleetView(START, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), sources),))


def test_the_same_again_is_no_effect() -> None:
    front = compare_front(
        view((Kind.WEB, WEB), (Kind.CHROME, PAGE)),
        view((Kind.WEB, replace(WEB, taken_at=LATER)), (Kind.CHROME, replace(PAGE, taken_at=LATER))),
    )
    assert front.effects == ()
    assert [(one.name, one.before, one.after) for one in front.compared] == [
        ("kvm-01/web/front answer", "200 in 180 ms", "200 in 180 ms"),
        ("kvm-01/chrome/front console errors", "0", "0"),
        ("kvm-01/chrome/front failed requests", "0", "0"),
        ("kvm-01/chrome/front largest paint", "900 ms", "900 ms"),
    ]


@pytest.mark.parametrize(
    ("kind", "old", "changes", "says", "critical"),
    [
        (Kind.WEB, WEB, {"fault": WebFault.REFUSED, "status": None}, "refused now", True),
        (
            Kind.WEB,
            WEB,
            {"status": 503, "matches": (Match("status", "200", "503", ok=False),)},
            "status not as expected now",
            True,
        ),
        (Kind.WEB, WEB, {"timing": Timing(total_ms=900.0)}, "200 in 900 ms now", False),
        (Kind.CHROME, PAGE, {"fault": "net::ERR_CONNECTION_REFUSED"}, "cannot now", True),
        (Kind.CHROME, PAGE, {"console": (ERROR,)}, "TypeError: x is undefined (app.js:12)", True),
        (Kind.CHROME, PAGE, {"failed": (BOOM,)}, "POST http://x/api/boom 500", True),
        (Kind.CHROME, PAGE, {"failed": (replace(BOOM, status=404),)}, "POST http://x/api/boom 404", False),
        (Kind.CHROME, PAGE, {"failed": (replace(BOOM, status=None, failure="net::ERR_FAILED"),)}, "net::ERR_FAILED", True),
        (Kind.CHROME, PAGE, {"lcp_ms": 2_400.0}, "900 ms before, 2400 ms now", False),
        (Kind.GROQ, GROQ, {"newest": GroqCall(LATER, GroqFault.AUTHENTICATION)}, "authentication now", False),
    ],
    ids=["refused", "status", "slower", "page gone", "exception", "500", "404", "failed", "paint", "groq"],
)
def test_what_got_worse_is_an_effect(kind: Kind, old: Reading, changes: dict[str, object], says: str, critical: bool) -> None:
    new = replace(old, taken_at=LATER, **changes)  # type: ignore[type-var]
    front = compare_front(view((kind, old)), view((kind, new)))
    (effect,) = front.effects
    assert says in effect.says
    assert effect.critical is critical
    assert any(one.worse for one in front.compared)


@pytest.mark.parametrize(
    ("kind", "old", "changes"),
    [
        (Kind.WEB, replace(WEB, fault=WebFault.REFUSED), {}),
        (Kind.WEB, WEB, {"timing": Timing(total_ms=460.0)}),
        (Kind.CHROME, replace(PAGE, console=(ERROR,), failed=(BOOM,)), {}),
        (Kind.CHROME, replace(PAGE, console=(ERROR,), failed=(BOOM,)), {"console": (), "failed": ()}),
        (Kind.CHROME, replace(PAGE, lcp_ms=None), {"lcp_ms": 9_000.0}),
        (Kind.GROQ, replace(GROQ, newest=None), {"newest": GroqCall(LATER, GroqFault.TIMEOUT)}),
    ],
    ids=["broken before", "noise", "known errors", "mended", "not known before", "groq not seen"],
)
def test_what_was_so_before_or_is_better_is_none(kind: Kind, old: Reading, changes: dict[str, object]) -> None:
    new = replace(old, taken_at=LATER, **changes)  # type: ignore[type-var]
    assert compare_front(view((kind, old)), view((kind, new))).effects == ()


def test_what_was_not_looked_at_again_says_so() -> None:
    front = compare_front(view((Kind.WEB, WEB)), view((Kind.WEB, WEB)))
    assert front.effects == ()
    assert front.compared[0].after == "not looked at again"


def test_a_page_that_was_not_seen_before_proves_nothing() -> None:
    front = compare_front(view(), view((Kind.CHROME, replace(PAGE, console=(ERROR,), failed=(BOOM,)))))
    assert front.effects == ()
    assert front.compared[0].before == "not seen"
