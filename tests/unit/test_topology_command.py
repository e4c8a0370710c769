"""`debugtui topology`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from debugtui.__main__ import cli
from debugtui.alerts.placed import placed, severities_of
from debugtui.headless.topology import document, report
from debugtui.model.alerts import Alert, Severity
from debugtui.model.source import Kind
from debugtui.model.target import Target
from tests.unit.fakes import START
from tests.unit.topology.parts import config, container, docker, host, postgres, session, status, view

FIR = view(
    host(
        "fir",
        status(
            "fir", Kind.DOCKER, docker(container("api", project="p", addresses=("172.18.0.2",), labels=(("owner", "Team"),)))
        ),
        status("fir", Kind.POSTGRES, postgres(session("172.18.0.2:5")), "base"),
    )
)


def alert(severity: Severity, rule: str, target: str) -> Alert:
    return Alert(severity, rule, Target.parse(target), START, None, None, "x")


def test_the_document_holds_things_relations_and_services() -> None:
    found = json.loads(json.dumps(document(*placed(FIR, config(), ()))))
    assert found["version"] == 1
    assert set(found) == {"version", "taken_at", "nodes", "edges", "services", "unplaced"}
    api = next(node for node in found["nodes"] if node["target"] == "fir/docker/api")
    assert api == {
        "target": "fir/docker/api",
        "layer": "docker",
        "title": "api",
        "state": "ok",
        "says": "Up 2 hours",
        "services": ["p"],
    }
    assert {
        "above": "fir/docker/api",
        "below": "fir/postgres/base",
        "why": "sessions of base come from 172.18.0.2, the address of api",
        "certain": True,
    } in found["edges"]
    assert found["services"][0]["owner"] == "Team"
    assert found["services"][0]["resources"] == ["fir/docker/api", "fir/postgres/base"]


def test_the_text_is_a_tree_then_the_services() -> None:
    rows = list(report(*placed(FIR, config(), ())))
    assert rows[0] == "4 things, 5 relations"
    assert any(row.startswith("fir/docker/api  ok") for row in rows)
    assert any(row.startswith("  fir/postgres/base  ok") for row in rows)
    assert "service p  ok" in rows
    assert "  owner       Team" in rows


def test_what_the_rules_found_worsens_a_state_and_what_cannot_be_read_does_not() -> None:
    alerts = (
        alert(Severity.MEDIUM, "long_query", "fir/postgres/base"),
        alert(Severity.CRITICAL, "source_lost", "fir/docker/api"),
        alert(Severity.HIGH, "connections", "fir/postgres/base"),
    )
    assert severities_of(alerts) == {Target.parse("fir/postgres/base"): Severity.HIGH}
    topology, _ = placed(FIR, config(), alerts)
    assert [str(node.target) for node in topology.nodes if node.state == "degraded"] == ["fir/postgres/base"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "config.toml"


def run(path: Path, *words: str):
    return CliRunner().invoke(cli, ["--config", str(path), "topology", *words])


def test_it_ends_with_0_where_everything_was_read(here: Path) -> None:
    here.write_text('[[hosts]]\nname = "self"\naddress = "local"\nlibvirt = false\ndocker = false\njournal = false\n')
    done = run(here, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert "self/system" in [node["target"] for node in found["nodes"]]


def test_it_ends_with_3_where_something_could_not_be_read(here: Path, tmp_path: Path) -> None:
    socket = tmp_path / "none.sock"
    here.write_text(
        f'[[hosts]]\nname = "self"\naddress = "local"\nlibvirt = false\njournal = false\ndocker = "unix://{socket}"\n'
    )
    done = run(here)
    assert done.exit_code == 3
    assert "self/docker  unknown" in done.stdout


def test_a_configuration_with_errors_is_said_and_ends_with_3(here: Path) -> None:
    here.write_text("[[host]]\n")
    done = run(here)
    assert done.exit_code == 3
    assert "unknown key" in done.stderr
