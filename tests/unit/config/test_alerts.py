"""The tables of alerting: what may be written, and what is said of what may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from debugtui.alerts.settings import rules_of
from debugtui.config.alerts import METRICS, own_queries
from debugtui.config.load import ConfigError, read_text
from debugtui.config.models import Config
from debugtui.fleet import history
from debugtui.model.alert_rules import Level
from debugtui.model.alerts import Severity
from debugtui.model.target import Target

OWN = '[[alerts.own]]\nname = "x"\nmetric = "system.cpu"\n'
QUERY = '[[alerts.own]]\nname = "x"\nquery = "up"\n'
PROM = '[[prometheus]]\nname = "prom"\nurl = "http://127.0.0.1:9090"\n'


def config_of(text: str) -> Config:
    return read_text(text, Path("c")).config


def issues_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config_of(text)
    return [str(issue).removeprefix("c:") for issue in caught.value.issues]


def test_a_change_of_a_rule_reaches_the_rules() -> None:
    rules = rules_of(
        config_of('[alerts.rules.cpu]\nthreshold = 80\nclear = 75\nfor = "10m"\nseverity = "low"\nhosts = ["db-*"]').alerts
    )
    setting = rules.of("cpu", Target("db-01", "system"))
    assert (setting.levels, setting.for_s, setting.severity) == ((Level(Severity.HIGH, 80.0, 75.0),), 600.0, Severity.LOW)
    assert rules.of("cpu", Target("web-01", "system")).levels[0].threshold == 70.0


def test_a_threshold_for_each_severity_and_a_duration_as_an_end() -> None:
    alerts = config_of('[alerts.rules.disk]\nthreshold = {high = 85, critical = 95}\nclear = "2m"').alerts
    setting = rules_of(alerts).of("disk", Target("a", "system", "/"))
    assert [(level.severity.value, level.threshold) for level in setting.levels] == [("critical", 95.0), ("high", 85.0)]
    assert setting.levels[1].clear == pytest.approx(85 * 88 / 90)
    assert setting.clear_s == 120.0


MANUAL = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL))
def test_the_examples_of_the_manual_load(example: str) -> None:
    alerts = config_of(example).alerts
    assert alerts.rules or alerts.own


def test_a_whole_configuration_can_be_written_out_and_read_again() -> None:
    config = config_of(f'{PROM}[alerts.rules.cpu]\nfor = "1m"\n[[alerts.own]]\nname = "x"\nmetric = "system.load"\nabove = 3')
    assert Config.model_validate(config.model_dump()) == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[alerts.rules.cpuu]\nthreshold = 3",
            "1: alerts.rules.cpuu: there is no rule of this name; debugtui alerts rules lists",
        ),
        ("[alerts.rules.cpuu]\nthreshold = 3", 'did you mean "cpu"?'),
        ("[alerts.rules.cpu]\ntreshold = 3", '2: alerts.rules.cpu.treshold: unknown key; did you mean "threshold"?'),
        ('[alerts.rules.cpu]\nthreshold = "80"', "alerts.rules.cpu.threshold: must be a number"),
        ("[alerts.rules.cpu]\nthreshold = nan", "must be a number"),
        ("[alerts.rules.cpu]\nclear = 71", "alerts.rules.cpu.clear: must lie below the threshold"),
        ("[alerts.rules.tls_expires]\nclear = 13", "must lie above the threshold"),
        ("[alerts.rules.disk]\nthreshold = {hihg = 3}", 'did you mean "high"?'),
        ("[alerts.rules.disk]\nthreshold = {}", "names no severity"),
        ('[alerts.rules.disk]\nseverity = "hgih"', 'did you mean "high"?'),
        ('[alerts.rules.disk]\nfor = "soon"', "alerts.rules.disk.for: must be a duration"),
        ("[alerts.rules.link_lost]\nthreshold = 3", "this rule counts nothing: it has no threshold"),
        ("[alerts.rules.link_lost]\nclear = 3", "this rule counts nothing: it ends when it has been gone"),
        ("[alerts.rules.lcp]\nclear = 3", "its threshold comes from elsewhere"),
        ("[[alerts.rules.disk]]\n[[alerts.rules.disk]]\nenable = false", "3: alerts.rules.disk[1].enable: unknown key"),
        ("[alerts]\nrules = 3", "alerts.rules: must be a table"),
        ("[alerts]\nrule = 3", 'alerts.rule: unknown key; did you mean "rules"?'),
        (f"{OWN}above = 3".replace('"x"', '"cpu"'), "a shipped rule has this name: change it in [alerts.rules.cpu]"),
        (f"{OWN}above = 3".replace('"x"', '"My rule"'), "alerts.own[0].name: a rule's name has small letters"),
        (f"{OWN}above = 3".replace("system", "sytem"), 'did you mean "system.cpu"?'),
        (OWN, "above or below, one of the two"),
        (f"{OWN}above = 3\nbelow = 2", "above or below, one of the two"),
        ('[[alerts.own]]\nname = "x"\nabove = 3', "looks at a metric, or asks a query"),
        (f"{QUERY}above = 3", "query and prometheus need each other"),
        (f'{PROM}{QUERY}prometheus = "pram"\nabove = 3', "alerts.own[0].prometheus: no [[prometheus]] has this name"),
        (f'{PROM}{QUERY}prometheus = "pram"\nabove = 3', 'did you mean "prom"?'),
        (f"{OWN}above = 3\nclear = 4", "where all is well"),
        (f"{OWN}above = 3\n{OWN}above = 4", "alerts.own[1].name: own[0] has this name already"),
        (f"{OWN}above = 3".replace("name", "nam"), 'alerts.own[0].nam: unknown key; did you mean "name"?'),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_the_nearest_word(text: str, says: str) -> None:
    assert any(says in issue for issue in issues_of(text)), issues_of(text)


def test_the_figures_of_own_rules_are_those_that_the_fleet_knows() -> None:
    assert {kind.value: names for kind, names in history.METRICS.items()} == METRICS


def test_each_prometheus_is_asked_its_own_queries() -> None:
    more = '[[alerts.own]]\nname = "{0}"\nquery = "up{0}"\nprometheus = "{1}"\nabove = 3\n'
    other = PROM.replace('"prom"', '"other"')
    alerts = config_of(PROM + other + more.format("a", "prom") + more.format("b", "other")).alerts
    assert own_queries(alerts, "prom") == {"a": "upa"}
