"""The rules are data: complete, documented, as promised, and as the operator wants them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from debugtui.alerts.describe import words_of
from debugtui.alerts.finding import Finding
from debugtui.alerts.groq import rule_of
from debugtui.alerts.outer import of_outer
from debugtui.alerts.rules import of_source
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.config.alert_rules import read_rules, shipped
from debugtui.model.alert_rules import Override
from debugtui.model.alerts import Severity
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, PassiveFigures, Spread
from debugtui.model.nginx import AccessFigures, NginxReading
from debugtui.model.postgres import Statement
from debugtui.model.source import FleetView, Freshness, Kind, Reading, SourceStatus
from debugtui.model.target import Target
from debugtui.model.web import WebReading
from debugtui.screens.alerts.places import PLACES
from debugtui.screens.details import detail_screen
from tests.unit.fakes import START, filesystem, system_reading
from tests.unit.test_alerts import postgres

ROOT = Path(__file__).parents[3]
HOST = Target("kvm-01", "system")


def status_of(reading: Reading, kind: Kind, name: str = "") -> SourceStatus:
    return SourceStatus("kvm-01", name or kind.value, kind, Freshness.LIVE, reading=reading)


def findings(reading: Reading, kind: Kind, rules: Rules = DEFAULT, name: str = "") -> dict[str, Finding]:
    status = status_of(reading, kind, name)
    return {one.rule: one for one in (*of_source(status, START, rules), *of_outer(status, rules))}


# What is shipped


@pytest.mark.parametrize(
    ("rule", "above", "threshold", "for_s"),
    [
        ("cpu", True, 70, 300),
        ("memory", True, 85, 60),
        ("web_p95", True, 1_000, 0),
        ("nginx_slow", True, 1_000, 0),
        ("connections", True, 80, 0),
        ("nginx_5xx", True, 1, 0),
        ("groq_response", True, 15_000, 0),
        ("query_slow", True, 2, 0),
        ("disk", True, 90, 0),
        ("tls_expires", False, 14, 0),
    ],
)
def test_the_defaults_are_those_that_were_promised(rule: str, above: bool, threshold: float, for_s: float) -> None:
    spec = shipped()[rule]
    assert (spec.above, spec.levels[-1].threshold, spec.for_s) == (above, threshold, for_s)
    # There is a band between beginning and end.
    assert spec.levels[-1].clear != threshold


@pytest.mark.parametrize("rule", ["crash_loop", "link_lost", "source_lost", "web_down", "tls_expired"])
def test_states_have_rules_too(rule: str) -> None:
    assert not shipped()[rule].counts


def names_in_code() -> set[str]:
    """Return every rule name that a module of rules can yield: the literals of its findings."""
    found = {rule_of(fault) for fault in GroqFault} | {"groq_headroom_requests", "groq_headroom_tokens"}
    for path in (ROOT / "debugtui" / "alerts").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in shipped():
                found.add(node.value)
            called = node.func if isinstance(node, ast.Call) else None
            name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
            place = {"Finding": 1, "counted": 0}.get(name)
            if isinstance(node, ast.Call) and place is not None and len(node.args) > place:
                rule = node.args[place]
                found |= {rule.value} if isinstance(rule, ast.Constant) and isinstance(rule.value, str) else set()
    return found


def test_every_rule_of_the_code_is_described_and_every_description_is_of_a_rule() -> None:
    assert names_in_code() == set(shipped())


def test_the_manual_lists_every_rule_as_it_is_shipped() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = [
        (one.name, [one.layer, one.severity, one.begins, one.lasts, one.ends, one.least, one.says]) for one in words_of(DEFAULT)
    ]
    assert [(name, [cell.strip() for cell in rest.split("|")]) for name, rest in rows] == wanted


def test_every_place_is_a_tab_of_a_rule() -> None:
    for kind, tabs in PLACES.items():
        screen = detail_screen(Target("kvm-01", kind, "x"), FleetView(START))
        assert screen is not None
        assert set(tabs) <= {name for name, _ in screen.TABS}, kind
        assert {rule for rules in tabs.values() for rule in rules} <= set(shipped()), kind


HEAD = '[a]\nsays = "x"\nlayer = "host"\nseverity = "high"\n'
FIGURE = 'metric = "m"\nunit = "%"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{HEAD}{FIGURE}above = 5\nclear = 6", "right side"),
        (f"{HEAD}{FIGURE}below = 5\nclear = 4", "right side"),
        (f"{HEAD}{FIGURE}above = {{critical = 5}}\nclear = {{critical = 4}}", "each"),
        (f"{HEAD}{FIGURE}above = 5\nbelow = 5\nclear = 5", "only one"),
        (f"{HEAD}above = 5\nclear = 4", "metric"),
        (f"{HEAD}abov = 5", "abov"),
        (HEAD.replace("high", "hgih"), "hgih"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"the rule a: .*{says}"):
        read_rules(text)


# The figures of the new rules


def test_five_percent_of_errors_need_enough_requests() -> None:
    def nginx(requests: int, share: float) -> NginxReading:
        return NginxReading(START, "/etc/nginx/nginx.conf", master_pid=1, access=AccessFigures(requests, 1.0, 0.0, share))

    assert "nginx_5xx" not in findings(nginx(19, 0.5), Kind.NGINX)
    assert "nginx_5xx" not in findings(nginx(1_000, 0.01), Kind.NGINX)
    found = findings(nginx(1_000, 0.011), Kind.NGINX)["nginx_5xx"]
    assert (found.severity, found.threshold) == (Severity.HIGH, 1.0)
    assert found.value == pytest.approx(1.1)


def test_a_slow_address_is_told_by_its_p95() -> None:
    found = findings(WebReading(START, "http://x/", p95_ms=1_200.0), Kind.WEB, name="front")["web_p95"]
    assert (found.value, found.threshold) == (1_200.0, 1_000.0)
    assert "p95 of ten minutes is 1.2 s" in found.message


def groq(**changes: object) -> GroqReading:
    return GroqReading(START, "https://api.groq.com", "completion", **changes)  # type: ignore[arg-type]


def test_an_answer_of_the_ai_may_take_fifteen_seconds() -> None:
    slow = GroqCall(START, total_ms=15_100.0)
    assert findings(groq(newest=slow), Kind.GROQ)["groq_response"].value == 15_100.0
    assert "groq_response" not in findings(groq(newest=GroqCall(START, total_ms=15_000.0)), Kind.GROQ)
    figures = PassiveFigures("log of kvm-01/docker/api", 40, latency=Spread(2_000.0, 16_000.0, 20_000.0, 40))
    found = findings(groq(passive=(figures,)), Kind.GROQ)["groq_response"]
    assert "log of kvm-01/docker/api" in found.message


def statement(mean: float, deviation: float | None, calls: int = 100, longest: float = 60_000.0) -> Statement:
    return Statement("1", "SELECT *\n FROM activities", "coach", calls, mean, longest, mean * calls, 1, None, deviation)


def test_a_slow_statement_is_told_by_an_estimated_p95_and_says_so() -> None:
    reading = postgres(statements=(statement(800.0, 900.0), statement(3_000.0, 10.0, calls=19)))
    found = findings(reading, Kind.POSTGRES, name="coach")["query_slow"]
    assert found.value is not None
    assert 2.0 < found.value < 2.6
    assert "takes about 2" in found.message
    assert "at p95 (mean 0.8 s): SELECT * FROM activities" in found.message


def test_without_a_deviation_the_p95_is_not_known_and_that_is_said() -> None:
    reading = postgres(statements=(statement(2_500.0, None),))
    found = findings(reading, Kind.POSTGRES, name="coach")["query_slow"]
    assert "on average, its p95 is not known" in found.message


def test_the_estimate_never_exceeds_the_longest_call_and_one_outlier_does_not_make_a_p95() -> None:
    assert statement(800.0, 5_000.0, longest=1_500.0).p95_ms <= 1_500.0
    assert statement(50.0, 2_000.0).p95_ms < 200.0


# What the operator changes


def changed(rule: str, *overrides: Override) -> Rules:
    return Rules({rule: overrides})


def test_a_threshold_is_honoured_in_both_directions() -> None:
    busy = system_reading(cpu_percent=75.0)
    assert "cpu" in findings(busy, Kind.SYSTEM)
    assert "cpu" not in findings(busy, Kind.SYSTEM, changed("cpu", Override(threshold=80.0)))
    low = findings(system_reading(cpu_percent=50.0), Kind.SYSTEM, changed("cpu", Override(threshold=40.0, for_s=7.0)))["cpu"]
    assert (low.threshold, low.for_s) == (40.0, 7.0)


def test_one_number_moves_the_mildest_severity_and_its_end() -> None:
    rules = changed("disk", Override(threshold=80.0))
    levels = {level.severity: level for level in rules.of("disk", HOST).levels}
    assert levels[Severity.HIGH].threshold == 80.0
    assert levels[Severity.HIGH].clear == pytest.approx(80 * 88 / 90)
    assert levels[Severity.CRITICAL] == shipped()["disk"].levels[0]
    beyond = changed("disk", Override(threshold=98.0)).of("disk", HOST).levels
    assert [level.threshold for level in beyond] == [98.0, 98.0]


def test_a_budget_of_the_configuration_gives_way_to_a_threshold() -> None:
    reading = WebReading(START, "http://x/", first_byte_budget_ms=1_000.0)
    reading = WebReading(
        START, "http://x/", timing=reading.timing.__class__(first_byte_ms=1_200.0), first_byte_budget_ms=1_000.0
    )
    assert findings(reading, Kind.WEB)["web_slow"].threshold == 1_000.0
    assert "web_slow" not in findings(reading, Kind.WEB, changed("web_slow", Override(threshold=2_000.0)))


def test_severity_and_switch_apply_to_states_as_well() -> None:
    failed = system_reading(failed_units=("nginx.service",))
    assert (
        findings(failed, Kind.SYSTEM, changed("unit_failed", Override(severity=Severity.LOW)))["unit_failed"].severity == "low"
    )
    assert findings(failed, Kind.SYSTEM, changed("unit_failed", Override(enabled=False))) == {}


def test_a_change_is_for_what_its_patterns_name_and_the_first_one_counts() -> None:
    rules = changed(
        "disk",
        Override(threshold=95.0, targets=("*/system//srv*",)),
        Override(enabled=False, hosts=("db-*",)),
        Override(threshold=85.0),
    )
    assert rules.of("disk", Target("kvm-01", "system", "/srv/images")).levels[-1].threshold == 95.0
    assert not rules.of("disk", Target("db-01", "system", "/var")).enabled
    assert rules.of("disk", Target("kvm-01", "system", "/var")).levels[-1].threshold == 85.0
    reading = system_reading(filesystems=(filesystem(92, "/srv/images"), filesystem(87, "/var")))
    found = [str(one.target) for one in of_source(status_of(reading, Kind.SYSTEM), START, rules)]
    assert found == ["kvm-01/system//var"]


def test_a_rule_that_nobody_described_keeps_what_its_module_says() -> None:
    one = Finding(Severity.HIGH, "brand_new", HOST, "something", for_s=5.0)
    assert list(DEFAULT.settled([one])) == [one]


def test_what_a_module_raises_below_the_operators_threshold_is_nothing() -> None:
    one = Finding(Severity.HIGH, "connections", HOST, "81 of 100", 81.0, 80.0)
    assert list(changed("connections", Override(threshold=90.0)).settled([one])) == []
    assert list(DEFAULT.settled([one])) == [one]


def test_the_list_of_rules_says_what_was_changed() -> None:
    rules = Rules({"cpu": (Override(threshold=80.0),), "disk": (Override(enabled=False),), "memory": (Override(hosts=("a",)),)})
    words = {one.name: one for one in words_of(rules)}
    assert [words[name].changed for name in ("cpu", "disk", "memory", "inodes")] == ["changed", "off", "changed for some", ""]
    assert words["cpu"].begins == "> 80 %"
