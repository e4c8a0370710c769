"""The repair commands as far as they need no host: files, digests, words, exit codes."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from debugtui.__main__ import cli
from debugtui.model.plan import Guard, GuardStatus, Plan, RiskClass
from tests.unit.remediation.plans import plan

REFUSED, USAGE = 5, 2


def fresh(cls: RiskClass = RiskClass.CAREFUL, **changes: Any) -> Plan:
    """A plan that was made just now."""
    now = datetime.now(UTC).replace(microsecond=0)
    return plan(cls, **{"made_at": now, "expires_at": now + timedelta(minutes=15), **changes})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text('[[hosts]]\nname = "kvm-01"\naddress = "local"\ndocker = false\nlibvirt = false\n')
    return tmp_path


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(home / "config.toml"), *words])


def write(home: Path, document: object) -> str:
    path = home / "plan.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


# --- show


def test_a_plan_is_shown_whole(home: Path) -> None:
    made = fresh(rollback=(), mitigations=())
    shown = run(home, "show", write(home, made.to_json()))
    assert shown.exit_code == 0
    for text in (
        made.problem,
        made.solution,
        "class 2 careful",
        "SELECT pg_terminate_backend(4711, 5000)",
        "cannot be undone: its uncommitted work is lost",
        "pass     not_a_backup",
        "watched for 30 s",
        f"--approve {made.digest} --confirm 4711",
    ):
        assert text in shown.output


def test_a_plan_is_shown_as_it_is_in_json(home: Path) -> None:
    made = fresh()
    shown = run(home, "show", write(home, made.to_json()), "--json")
    assert json.loads(shown.output) == made.to_json()


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (RiskClass.ROUTINE, "--approve sha256:"),
        (RiskClass.SEVERE, "--second-approval FILE (or --break-glass, held for 60 s)"),
        (RiskClass.STOP, "none exists: class 4 (stop)"),
    ],
)
def test_it_says_what_an_approval_takes(home: Path, cls: RiskClass, says: str) -> None:
    assert says in run(home, "show", write(home, fresh(cls).to_json())).output


def test_it_says_which_guard_refuses(home: Path) -> None:
    refused = fresh(guards=(Guard("recent_backup", GuardStatus.FAIL, "there is none"),))
    assert "refused: recent_backup is fail" in run(home, "show", write(home, refused.to_json())).output


def changed(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    document: Any = fresh().to_json()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "document",
    [
        changed(("steps", 0, "command"), "DROP TABLE activities"),
        changed(("risk", "class"), 1),
        changed(("target", "resource"), "coach/1"),
        changed(("expires_at",), "2099-01-01T00:00:00.000Z"),
        changed(("digest",), "sha256:" + "0" * 64),
        {},
        [],
        "text",
    ],
    ids=["step", "class", "target", "expiry", "digest", "empty", "list", "text"],
)
def test_a_plan_that_was_changed_is_refused_everywhere(home: Path, document: object) -> None:
    file = write(home, document)
    digest = document.get("digest", "x") if isinstance(document, dict) else "x"
    for words in (["show", file], ["apply", file, "--approve", digest], ["approve", file, "--out", str(home / "a.json")]):
        done = run(home, *words)
        assert done.exit_code == REFUSED, words
        assert "refused" in done.stderr
        assert not (home / "a.json").exists()


def test_a_plan_that_cannot_be_read_is_no_refusal(home: Path) -> None:
    assert run(home, "show", str(home / "none.json")).exit_code == USAGE
    (home / "big.json").write_text(" " * 4_000_001)
    assert run(home, "show", str(home / "big.json")).exit_code == REFUSED


# --- approve


def test_a_second_person_s_approval_can_be_read_by_the_first(home: Path) -> None:
    out = home / "approval.json"
    made = fresh(RiskClass.SEVERE)
    done = run(home, "approve", write(home, made.to_json()), "--out", str(out), "--operator", "Bob")
    assert done.exit_code == 0, done.stderr
    document = json.loads(out.read_text())
    assert document["digest"] == made.digest
    assert document["person"]["name"] == "Bob"
    assert stat.S_IMODE(out.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("cls", "changes"),
    [(RiskClass.STOP, {}), (RiskClass.CAREFUL, {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)})],
    ids=["class 4", "expired"],
)
def test_what_cannot_be_approved_is_not_approved_by_a_second_person_either(
    home: Path, cls: RiskClass, changes: dict[str, Any]
) -> None:
    made = fresh(cls, **changes)
    done = run(home, "approve", write(home, made.to_json()), "--out", str(home / "approval.json"))
    assert done.exit_code == REFUSED
    assert not (home / "approval.json").exists()


# --- apply, as far as it gets without a host


@pytest.mark.parametrize(
    ("cls", "changes", "words", "says"),
    [
        (RiskClass.CAREFUL, {}, ["--confirm", "yes"], "typed: 4711"),
        (RiskClass.CAREFUL, {}, [], "typed: 4711"),
        (RiskClass.STOP, {}, ["--confirm", "4711"], "class 4"),
        (RiskClass.SEVERE, {}, ["--confirm", "4711"], "a reason"),
        (RiskClass.SEVERE, {}, ["--confirm", "4711", "--reason", "pool full"], "a second person"),
        (
            RiskClass.CAREFUL,
            {"guards": (Guard("g", GuardStatus.UNKNOWN, "not seen"),)},
            ["--confirm", "4711"],
            "the guard g is unknown",
        ),
        (RiskClass.CAREFUL, {"expires_at": datetime(2026, 1, 1, tzinfo=UTC)}, ["--confirm", "4711"], "expired"),
    ],
    ids=["wrong word", "no word", "class 4", "no reason", "alone", "guard", "expired"],
)
def test_without_a_whole_approval_nothing_is_applied(
    home: Path, cls: RiskClass, changes: dict[str, Any], words: list[str], says: str
) -> None:
    made = fresh(cls, **changes)
    done = run(home, "apply", write(home, made.to_json()), "--approve", made.digest, *words)
    assert done.exit_code == REFUSED, done.output
    assert says in done.stderr
    assert json.loads(run(home, "executions", "--json").output) == {"version": 1, "executions": []}


def test_a_refusal_is_json_for_who_asked_for_json(home: Path) -> None:
    made = fresh()
    file = write(home, made.to_json())
    done = run(home, "apply", file, "--approve", made.digest, "--confirm", "yes", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["state"], document["exit_code"]) == (REFUSED, "refused", REFUSED)
    assert "typed: 4711" in document["says"]
    assert json.loads(run(home, "show", write(home, {}), "--json").stdout)["state"] == "refused"


def test_an_approval_names_the_digest_of_exactly_this_plan(home: Path) -> None:
    made = fresh()
    done = run(home, "apply", write(home, made.to_json()), "--approve", replace(made, problem="x").digest, "--confirm", "4711")
    assert done.exit_code == REFUSED
    assert made.digest in done.stderr


def test_a_plan_for_a_host_that_is_not_configured_is_a_wrong_use(home: Path) -> None:
    done = run(home, "plan", "docker.restart", "kvm-99/docker/api")
    assert done.exit_code == USAGE
    assert "there are: kvm-01" in done.stderr


@pytest.mark.parametrize("words", [["-p", "novalue"], ["-p", "=x"], ["-p", "a=1", "-p", "a=2"]])
def test_a_parameter_is_a_key_and_a_value_given_once(home: Path, words: list[str]) -> None:
    assert run(home, "plan", "docker.restart", "kvm-01/docker/api", *words).exit_code == USAGE


def test_what_was_never_executed_cannot_be_taken_back_resumed_or_closed(home: Path) -> None:
    for words in (
        ["rollback", "exe_none", "--approve", "sha256:0"],
        ["executions", "show", "exe_none"],
        ["executions", "resume", "exe_none"],
        ["executions", "close", "exe_none", "--note", "x"],
    ):
        done = run(home, *words)
        assert done.exit_code == USAGE, words
        assert "no execution" in done.stderr
