import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from debugtui.__main__ import cli

DESIGN = Path(__file__).with_name("design.toml")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    for name in ("COACH_MONITOR_PASSWORD", "GROQ_API_KEY", "DEBUGTUI_SLACK_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host web-01\n  User ops\n")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


def test_init_writes_once_and_what_it_writes_is_sound(home):
    first = run("config", "init")
    file = home / "etc/debugtui/config.toml"
    assert (first.exit_code, first.stdout) == (0, f"{file}\n")
    assert 'name = "web-01"' in file.read_text()
    assert run("config", "check").exit_code == 0
    file.write_text("mine")
    again = run("config", "init")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "--force" in again.stderr
    assert file.read_text() == "mine"
    assert run("config", "init", "--force").exit_code == 0
    assert run("config", "check").exit_code == 0


def test_init_goes_where_it_is_told(home):
    assert run("config", "init", "--output", home / "sub/mine.toml").exit_code == 0
    assert run("--config", home / "sub/mine.toml", "config", "check").exit_code == 0
    assert run("--config", home / "named.toml", "config", "init").exit_code == 0
    assert (home / "named.toml").exists()
    (home / "plain").touch()
    failed = run("config", "init", "--output", home / "plain/x.toml")
    assert failed.exit_code == 2
    assert "was not written" in failed.stderr


def test_path(home):
    assert run("config", "path").stdout == f"{home}/etc/debugtui/config.toml\n"
    assert run("--config", "x.toml", "config", "path").stdout == "x.toml\n"


def test_check_names_each_error_with_its_line(home):
    file = home / "c.toml"
    file.write_text('[[hosts]]\nname = "a"\nadress = "local"\n')
    answer = run("--config", file, "config", "check")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr == f'{file}:3: hosts[0].adress: unknown key; did you mean "address"?\n'
    answer = run("--config", file, "config", "check", "--json")
    assert answer.exit_code == 2
    assert json.loads(answer.stdout) == {
        "version": 1,
        "file": str(file),
        "status": "error",
        "issues": [{"line": 3, "key": "hosts[0].adress", "says": "unknown key", "nearest": "address"}],
    }


def test_check_names_unreadable_secrets(home, monkeypatch):
    answer = run("--config", DESIGN, "config", "check", "--json")
    assert answer.exit_code == 2
    found = [(issue["line"], issue["key"]) for issue in json.loads(answer.stdout)["issues"]]
    assert found == [
        (6, "hosts[0].identity"), (12, "hosts[0].postgres[0].password"), (25, "groq[0].api_key"), (42, "notify.urls[0]"),
    ]  # fmt: skip
    assert "COACH_MONITOR_PASSWORD is not set" in answer.stderr
    for name in ("COACH_MONITOR_PASSWORD", "GROQ_API_KEY", "DEBUGTUI_SLACK_URL"):
        monkeypatch.setenv(name, "hunter2")
    (home / ".ssh/id_ed25519").touch()
    answer = run("--config", DESIGN, "config", "check", "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == {"version": 1, "file": str(DESIGN), "status": "ok", "issues": []}
    assert "hunter2" not in answer.output


def test_check_of_no_file(home):
    answer = run("config", "check")
    assert answer.exit_code == 2
    assert "config init" in answer.stderr


def test_a_warning_is_no_error(home):
    file = home / "c.toml"
    file.write_text("")
    os.chmod(file, 0o666)
    answer = run("--config", file, "config", "check")
    assert answer.exit_code == 0
    assert "others may write" in answer.stderr
