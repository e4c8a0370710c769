"""The shipped runbooks: of use, consistent, and naming only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from debugtui.diagnosis.runbooks.allow.table import PROGRAMS
from debugtui.diagnosis.runbooks.fill import PARAMETERS
from debugtui.diagnosis.runbooks.fit import fitting
from debugtui.diagnosis.runbooks.load import Found, load, shipped
from debugtui.diagnosis.runbooks.sql import FUNCTIONS
from debugtui.diagnosis.runbooks.step import STEP_KINDS
from debugtui.model.alerts import Alert, Severity
from debugtui.model.target import Target
from debugtui.remediation.registry import CATALOGUE
from tests.unit.fakes import START

ROOT = Path(__file__).parents[3]
NAMES = ("ai-agent", "database", "high-cpu-memory", "monitoring", "service-down", "user-interface")
PAGE = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")


@pytest.fixture(params=shipped(), ids=lambda found: found.runbook.name)
def found(request: pytest.FixtureRequest) -> Found:
    one: Found = request.param
    return one


def test_six_runbooks_are_shipped() -> None:
    assert tuple(one.runbook.name for one in shipped()) == NAMES


def test_each_has_a_name_in_both_languages_steps_causes_and_when_to_call(found: Found) -> None:
    book = found.runbook
    assert book.title.fr
    assert len(book.steps) >= 10
    assert len(book.causes) >= 4
    assert len(book.escalate) >= 2
    assert book.steps[-1].kind == "note"
    assert found.file == f"{book.name}.toml"


def test_most_steps_are_judged_and_say_what_a_bad_verdict_means(found: Found) -> None:
    judged = [step for step in found.runbook.steps if step.judge is not None]
    assert len(judged) >= 0.7 * len(found.runbook.steps)
    explained = [step for step in judged if {"critical", "warning"} & set(step.then)]
    assert len(explained) >= 0.75 * len(judged)


def test_every_remediation_that_it_names_is_in_the_catalogue(found: Found) -> None:
    named = [name for _, name in found.runbook.remediations()]
    assert len(set(named)) >= 3
    assert [name for name in named if name not in CATALOGUE] == []


def test_every_rule_that_it_names_can_be_raised_by_something(found: Found) -> None:
    """Rules of the kinds that this house judges; a beginning with a star stands for all that begin so."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "debugtui" / "alerts").rglob("*.py"))
    ours = (
        "lock",
        "connections",
        "prepared",
        "idle",
        "long",
        "archiver",
        "slot",
        "replica",
        "index",
        "pending",
        "cpu",
        "memory",
        "vm_",
        "unit_",
    )
    for rule in found.runbook.when.rules:
        if rule.startswith(ours) and not rule.endswith("*"):
            assert f'"{rule}"' in sources, rule


def test_every_kind_of_step_is_used_by_one_of_them() -> None:
    assert {step.kind for one in shipped() for step in one.runbook.steps} == set(STEP_KINDS)


def test_the_demos_hosts_answer_the_commands_that_are_shipped() -> None:
    from debugtui.demo.looks import ANSWERS

    programs = {step.argv[0] for one in shipped() for step in one.runbook.steps if step.argv is not None}
    answered = {*ANSWERS, "cat", "stat", "systemctl"}  # files there are few, units none
    assert programs - answered == set()


@pytest.mark.parametrize(
    ("target", "rule", "wanted"),
    [
        (Target("h", "postgres", "coach"), "", "database"),
        (Target("h", "postgres", "coach/4711"), "lock_chain", "database"),
        (Target("groq", "groq", "coach-ai"), "groq_rate_limited", "ai-agent"),
        (Target("h", "web", "front"), "web_down", "user-interface"),
        (Target("h", "nginx", "main"), "nginx_5xx", "user-interface"),
        (Target("h", "docker", "api"), "crash_loop", "service-down"),
        (Target("h", "docker", "api"), "container_memory", "high-cpu-memory"),
        (Target("h", "system"), "cpu", "high-cpu-memory"),
        (Target("h", "system", "cache.service"), "unit_failed", "service-down"),
        (Target("h", "libvirt", "db-01"), "vm_io_error", "service-down"),
        (Target("monitoring", "prometheus", "prom"), "", "monitoring"),
        (Target("h", "loki", "logs"), "", "monitoring"),
    ],
)
def test_a_target_with_its_alert_finds_its_runbook(target: Target, rule: str, wanted: str) -> None:
    alerts = [Alert(Severity.HIGH, rule, target, START, None, None, "x")] if rule else []
    assert fitting(load(None), target, alerts)[0].runbook.name == wanted


def test_a_finding_and_a_service_may_name_one() -> None:
    from debugtui.config.models import ServiceConfig

    target = Target("h", "docker", "api")
    assert fitting(load(None), target, named="database")[0].runbook.name == "database"
    service = ServiceConfig(name="shop", resources=("h/docker/api",), runbook="ai-agent")
    assert fitting(load(None), target, services=[service])[0].runbook.name == "ai-agent"


# --- the manual


def test_the_manual_lists_every_program_parameter_and_function() -> None:
    assert [name for name in PROGRAMS if f"| `{name}` |" not in PAGE] == []
    assert [name for name in PARAMETERS if f"| `{name}` |" not in PAGE] == []
    listed = set(re.findall(r"[a-z_0-9]+", PAGE[PAGE.index("## Functions of SQL") :]))
    assert sorted(FUNCTIONS - listed) == []


@pytest.mark.parametrize("example", re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_the_manuals_examples_are_sound(example: str) -> None:
    from debugtui.diagnosis.runbooks.load import parse

    assert parse(example, "docs/runbooks.md").steps
