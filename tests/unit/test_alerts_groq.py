"""The rules about a use of the Groq API."""

from __future__ import annotations

from typing import Any

import pytest

from debugtui.alerts.groq import MESSAGE, findings, rule_of
from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, Limit, PassiveFigures, Spread
from debugtui.model.target import Target
from tests.unit.fakes import START

TARGET = Target("groq", "groq", "coach-ai")


def judged(**values: Any) -> list[Finding]:
    reading = GroqReading(taken_at=START, base_url="https://api.groq.com", probe="completion", model="m", **values)
    return list(findings(TARGET, reading))


@pytest.mark.parametrize("fault", list(GroqFault))
def test_one_probe_names_each_fault(fault: GroqFault) -> None:
    call = GroqCall(START, fault, says="x" * 300, status=429, retry_after_s=12)
    (found,) = judged(newest=call, calls=(call,))
    assert found.rule == rule_of(fault)
    assert found.rule.isidentifier()
    assert found.since == START
    assert len(found.message) <= MESSAGE
    assert "12 s" in found.message


def test_every_fault_has_a_message_of_its_own() -> None:
    said = {judged(newest=GroqCall(START, fault))[0].message for fault in GroqFault}
    assert len(said) == len(GroqFault)


def test_the_message_says_what_a_stranger_needs() -> None:
    call = GroqCall(
        START, GroqFault.RATE_LIMITED, says="429 Rate limit reached (rate_limit_exceeded)", status=429, retry_after_s=7
    )
    assert (
        judged(newest=call)[0].message == "Groq: rate limited (429), retry after 7 s: Rate limit reached (rate_limit_exceeded)"
    )


def test_three_failures_in_a_row_are_critical() -> None:
    call = GroqCall(START, GroqFault.SERVER, "503", 503)
    assert [judged(newest=call, calls=(call,) * count)[0].severity for count in (1, 2, 3)] == [
        Severity.HIGH,
        Severity.HIGH,
        Severity.CRITICAL,
    ]
    assert judged(newest=call, calls=(call, GroqCall(START), call))[0].severity is Severity.HIGH


def test_a_sound_use_finds_nothing() -> None:
    call = GroqCall(START, total_ms=300, ttft_ms=250, longest_gap_ms=10, status=200)
    fine = Spread(300, 400, 500, 60)
    limits = (Limit("requests", 100, 10), Limit("tokens", 0, 0))
    own = PassiveFigures("log", calls=100, by_class={GroqFault.SERVER: 5})
    few = PassiveFigures("log", calls=9, by_class={GroqFault.SERVER: 9})
    assert judged(newest=call, latency=fine, ttft=fine, limits=limits, passive=(own, few), model_listed=True) == []
    assert judged() == []


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"latency": Spread(1, 5001, 6000, 5)}, "groq_latency"),
        ({"ttft": Spread(1, 2001, 6000, 5)}, "groq_first_token"),
        ({"newest": GroqCall(START, ttft_ms=2500.0, total_ms=2600.0)}, "groq_slow_first_token"),
        ({"newest": GroqCall(START, ttft_ms=20.0, longest_gap_ms=2500.0)}, "groq_stalled"),
        ({"newest": GroqCall(START, total_ms=5500.0)}, "groq_slow"),
        ({"limits": (Limit("requests", 100, 9),)}, "groq_headroom_requests"),
        ({"limits": (Limit("tokens", 100, 9),)}, "groq_headroom_tokens"),
        ({"model_listed": False, "models": 3}, "groq_model_not_listed"),
        ({"budget_spent": True, "tokens_today": 100, "tokens_budget": 100}, "groq_budget_spent"),
        ({"passive": (PassiveFigures("log", calls=50, by_class={GroqFault.CUT: 3}),)}, "groq_application"),
    ],
)
def test_each_rule(values: dict[str, Any], rule: str) -> None:
    (found,) = judged(**values)
    assert found.rule == rule
    assert len(found.message) < 100
    assert found.target == TARGET


def test_few_calls_make_no_percentile() -> None:
    assert judged(latency=Spread(9000, 9000, 9000, 4)) == []
