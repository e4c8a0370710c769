"""`debugtui runbooks`: list, show, check, run, and what earlier runs left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from debugtui.__main__ import cli

OWN = """
name = "mine"
title = "Mine"
summary = "What it does."
[[steps]]
id = "disk"
title = "Disk"
why = "It fills."
kind = "command"
argv = ["df", "-P", "/"]
judge = {pattern = "(\\\\d+)%", critical = "> LIMIT", unit = "%"}
[steps.then.critical]
means = "Full."
remediations = ["system.clean_packages"]
[[steps]]
id = "call"
title = "Call"
why = "Two see more."
kind = "note"
text = "Call somebody."
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "config.toml").write_text(
        '[[hosts]]\nname = "here"\naddress = "local"\nsystem = false\ndocker = false\nlibvirt = false\n'
    )
    (tmp_path / "runbooks").mkdir()
    return tmp_path


def call(home: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(home / "config.toml"), "runbooks", *words])


def own(home: Path, limit: str = "100", name: str = "mine") -> Path:
    path = home / "runbooks" / f"{name}.toml"
    path.write_text(OWN.replace("LIMIT", limit))
    return path


def test_the_list_names_shipped_and_own_ones(home: Path) -> None:
    own(home)
    done = call(home, "--json")
    listed = {one["name"]: one for one in json.loads(done.stdout)["runbooks"]}
    assert listed["mine"]["own"] is True
    assert listed["database"]["own"] is False
    assert listed["database"]["steps"] >= 10
    assert "Database incident" in call(home).stdout


def test_a_broken_file_is_named_and_keeps_no_other_from_working(home: Path) -> None:
    (home / "runbooks" / "bad.toml").write_text("name = 1")
    done = call(home)
    assert done.exit_code == 0
    assert "not used:" in done.stderr
    assert "bad.toml" in done.stderr
    assert "database" in done.stdout


def test_a_runbook_is_shown_with_its_steps_and_causes(home: Path) -> None:
    text = call(home, "show", "database").stdout
    assert "Who blocks whom" in text
    assert "Typical causes" in text
    assert "Call somebody when" in text
    document = json.loads(call(home, "show", "database", "--json").stdout)
    assert document["steps"][0]["id"] == "connections"


def test_the_nearest_name_is_told(home: Path) -> None:
    done = call(home, "show", "databse")
    assert done.exit_code == 2
    assert "did you mean 'database'?" in done.stderr


def test_a_file_is_checked_down_to_the_names_of_remediations(home: Path) -> None:
    path = own(home)
    assert call(home, "check", str(path)).exit_code == 0
    path.write_text(OWN.replace("LIMIT", "100").replace("clean_packages", "clean_package"))
    done = call(home, "check", str(path))
    assert done.exit_code == 2
    assert 'there is no remediation system.clean_package; did you mean "system.clean_packages"?' in done.stderr
    path.write_text(OWN.replace("LIMIT", "100").replace('"df", "-P"', '"df", "--sync"'))
    assert "it writes what waits in memory" in call(home, "check", str(path)).stderr


@pytest.mark.parametrize(("limit", "code", "verdict"), [("100", 0, "ok"), ("-1", 2, "critical")])
def test_the_exit_code_tells_the_verdict(home: Path, limit: str, code: int, verdict: str) -> None:
    own(home, limit)
    done = call(home, "run", "mine", "here", "--json")
    assert done.exit_code == code, done.output
    document = json.loads(done.stdout)
    assert (document["verdict"], document["exit_code"]) == (verdict, code)
    assert document["steps"][0]["ran"] == ["here$ df -P /"]
    assert document["steps"][1]["verdict"] == "shown"


def test_one_step_can_be_run_by_number_or_by_id(home: Path) -> None:
    own(home)
    for wanted in ("1", "disk"):
        done = call(home, "run", "mine", "here", "--step", wanted, "--json")
        assert [step["id"] for step in json.loads(done.stdout)["steps"]] == ["disk"]
    done = call(home, "run", "mine", "here", "--step", "9")
    assert (done.exit_code, "no step '9'" in done.stderr) == (3, True)


def test_what_cannot_be_read_is_unknown(home: Path) -> None:
    path = own(home)
    path.write_text(OWN.replace("LIMIT", "100").replace('"df", "-P", "/"', '"cat", "/proc/99999999/status"'))
    done = call(home, "run", "mine", "here")
    assert done.exit_code == 3
    assert "? unknown" in done.stdout


@pytest.mark.parametrize("target", ["nobody", "nobody/docker/x", "here/dokcer/x"])
def test_an_unknown_target_is_unknown_and_never_critical(home: Path, target: str) -> None:
    own(home)
    assert call(home, "run", "mine", target).exit_code == 3
    assert call(home, "run", "min", "here").exit_code == 3


def test_runs_are_kept_listed_and_exported(home: Path) -> None:
    own(home)
    number = json.loads(call(home, "run", "mine", "here", "--json", "--operator", "alice").stdout)["id"]
    listed = json.loads(call(home, "runs", "--json").stdout)["runs"]
    assert [(run["id"], run["operator"], run["verdict"]) for run in listed] == [(number, "alice", "ok")]
    assert number in call(home, "runs", "--target", "here/system").stdout
    assert call(home, "runs", "--target", "other/system").stdout == ""
    text = call(home, "export", number).stdout
    assert text.startswith("# Mine: ok")
    assert json.loads(call(home, "export", number, "--json").stdout)["id"] == number
    assert call(home, "export", "run_nothing").exit_code == 2
    assert call(home, "run", "mine", "here", "--markdown").stdout.startswith("# Mine: ok")
