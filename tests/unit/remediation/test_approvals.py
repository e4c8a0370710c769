"""Who may approve which plan, how, and for how long."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from debugtui.model.approval_json import second_to_json
from debugtui.model.execution import Approval, Person
from debugtui.model.plan import Guard, GuardStatus, RiskClass
from debugtui.remediation.approvals import (
    EXPIRY_S,
    ApprovalError,
    check_approval,
    check_rollback_approval,
    confirmations,
    current_person,
    make_approval,
    make_rollback_approval,
    make_second,
    read_second,
)
from tests.unit.fakes import START
from tests.unit.remediation.plans import ALICE, BOB, plan

LATER = START + timedelta(seconds=30)


def approved(cls: RiskClass = RiskClass.CAREFUL) -> Approval:
    return make_approval(plan(cls), ALICE, START, confirmed="4711")


def test_class_1_takes_an_explicit_yes_and_no_words() -> None:
    approval = make_approval(plan(RiskClass.ROUTINE), ALICE, START)
    check_approval(plan(RiskClass.ROUTINE), approval, LATER)


@pytest.mark.parametrize("name", ["4711", "coach/4711", "kvm-01/postgres/coach/4711"])
def test_class_2_takes_the_target_s_name_short_or_whole(name: str) -> None:
    assert name in confirmations(plan())
    check_approval(plan(), make_approval(plan(), ALICE, START, confirmed=name), LATER)


@pytest.mark.parametrize("name", ["", "yes", "4712", "471", " 4711", "COACH/4711"])
def test_class_2_takes_no_other_word(name: str) -> None:
    with pytest.raises(ApprovalError, match="the target's name, typed: 4711"):
        make_approval(plan(), ALICE, START, confirmed=name)


def severe(**words: object) -> Approval:
    return make_approval(plan(RiskClass.SEVERE), ALICE, START, **{"confirmed": "4711", "reason": "pool is full", **words})  # type: ignore[arg-type]


def test_class_3_takes_a_second_person() -> None:
    second = make_second(plan(RiskClass.SEVERE), BOB, START)
    check_approval(plan(RiskClass.SEVERE), severe(second=second), LATER)


def test_class_3_takes_break_glass_when_alone() -> None:
    assert severe(break_glass=True).break_glass


def test_class_3_takes_a_reason() -> None:
    with pytest.raises(ApprovalError, match="a reason"):
        severe(reason="  ", break_glass=True)


def test_class_3_does_not_do_with_one_person() -> None:
    with pytest.raises(ApprovalError, match="a second person"):
        severe()


@pytest.mark.parametrize(
    "person",
    [ALICE, replace(ALICE, uid=7), replace(ALICE, login="alice2")],
    ids=["the same", "the same login elsewhere", "the same account under another name"],
)
def test_nobody_is_their_own_second_person(person: Person) -> None:
    with pytest.raises(ApprovalError, match="has to be another one"):
        severe(second=make_second(plan(RiskClass.SEVERE), person, START))


def test_equal_account_numbers_on_two_machines_are_two_people() -> None:
    severe(second=make_second(plan(RiskClass.SEVERE), Person("bob", ALICE.uid, "Bob", "laptop pts/0"), START))


def test_a_second_approval_is_of_exactly_this_plan() -> None:
    other = make_second(plan(RiskClass.SEVERE, problem="another"), BOB, START)
    with pytest.raises(ApprovalError, match="another plan"):
        severe(second=other)
    moved = replace(make_second(plan(RiskClass.SEVERE), BOB, START), fingerprint="sha256:0")
    with pytest.raises(ApprovalError, match="another plan"):
        severe(second=moved)


def test_a_second_approval_expires_with_the_plan_and_is_not_from_the_future() -> None:
    second = make_second(plan(RiskClass.SEVERE), BOB, START)
    with pytest.raises(ApprovalError, match="second approval has expired"):
        severe(second=replace(second, expires_at=START))
    with pytest.raises(ApprovalError, match="second approval has expired, or lies in the future"):
        severe(second=replace(second, at=LATER))


def test_class_4_cannot_be_approved_by_anybody() -> None:
    with pytest.raises(ApprovalError, match="class 4"):
        make_approval(plan(RiskClass.STOP), ALICE, START, confirmed="4711", reason="because", break_glass=True)
    with pytest.raises(ApprovalError, match="by anybody"):
        make_second(plan(RiskClass.STOP), BOB, START)


def test_class_0_is_no_class_for_a_plan_that_changes_something() -> None:
    with pytest.raises(ApprovalError, match="at least class 1"):
        make_approval(plan(RiskClass.OBSERVE), ALICE, START)


@pytest.mark.parametrize(
    ("status", "critical"), [(GuardStatus.FAIL, True), (GuardStatus.FAIL, False), (GuardStatus.UNKNOWN, True)]
)
def test_a_guard_that_refuses_cannot_be_overruled(status: GuardStatus, critical: bool) -> None:
    guarded = plan(guards=(Guard("recent_backup", status, "there is none", critical=critical),))
    with pytest.raises(ApprovalError, match="recent_backup"):
        make_approval(guarded, ALICE, START, confirmed="4711")
    with pytest.raises(ApprovalError, match="a guard refuses"):
        make_second(guarded, BOB, START)


def test_an_uncritical_guard_that_is_not_known_does_not_refuse() -> None:
    guarded = plan(guards=(Guard("replica_lag", GuardStatus.UNKNOWN, "not seen", critical=False),))
    make_approval(guarded, ALICE, START, confirmed="4711")


@pytest.mark.parametrize("cls", [RiskClass.ROUTINE, RiskClass.CAREFUL])
def test_an_approval_expires_by_its_class(cls: RiskClass) -> None:
    approval = approved(cls)
    check_approval(plan(cls), approval, START + timedelta(seconds=EXPIRY_S[cls] - 1))
    with pytest.raises(ApprovalError, match="expired"):
        check_approval(plan(cls), approval, START + timedelta(seconds=EXPIRY_S[cls]))


def test_a_clock_that_went_back_makes_the_approval_one_of_the_future() -> None:
    with pytest.raises(ApprovalError, match="lies in the future"):
        check_approval(plan(), approved(), START - timedelta(seconds=1))


def test_an_approval_cannot_give_itself_a_longer_life() -> None:
    with pytest.raises(ApprovalError, match="longer than its class"):
        check_approval(plan(), replace(approved(), expires_at=START + timedelta(minutes=6)), LATER)


def test_an_expired_plan_takes_no_approval() -> None:
    with pytest.raises(ApprovalError, match="plan has expired"):
        make_approval(plan(), ALICE, START + timedelta(minutes=15), confirmed="4711")
    with pytest.raises(ApprovalError, match="plan has expired"):
        make_second(plan(RiskClass.SEVERE), BOB, START + timedelta(minutes=15))


@pytest.mark.parametrize(
    "change",
    [{"digest": "sha256:0"}, {"plan": "pln_other"}, {"fingerprint": "sha256:0"}, {"cls": RiskClass.ROUTINE}],
    ids=["digest", "plan", "fingerprint", "class"],
)
def test_an_approval_is_of_exactly_one_plan(change: dict[str, object]) -> None:
    with pytest.raises(ApprovalError):
        check_approval(plan(), replace(approved(), **change), LATER)  # type: ignore[arg-type]


def test_an_exact_rollback_takes_the_digest_alone_even_after_the_plan_expired() -> None:
    much_later = START + timedelta(days=2)
    approval = make_rollback_approval(plan(), ALICE, much_later, exact=True)
    check_rollback_approval(plan(), approval, much_later, exact=True)


def test_a_compensating_rollback_takes_the_name_as_the_plan_did() -> None:
    with pytest.raises(ApprovalError, match="the target's name"):
        make_rollback_approval(plan(), ALICE, START, exact=False)
    make_rollback_approval(plan(), ALICE, START, exact=False, confirmed="4711")


def test_a_rollback_s_approval_is_bound_and_expires_too() -> None:
    approval = make_rollback_approval(plan(), ALICE, START, exact=True)
    with pytest.raises(ApprovalError, match="another plan"):
        check_rollback_approval(plan(problem="other"), approval, LATER, exact=True)
    with pytest.raises(ApprovalError, match="expired"):
        check_rollback_approval(plan(), approval, START + timedelta(minutes=5), exact=True)


# --- the second person's file


@pytest.fixture
def me() -> Person:
    return current_person("Me")


def write(path: Path, person: Person) -> Path:
    path.write_text(json.dumps(second_to_json(make_second(plan(RiskClass.SEVERE), person, START))), encoding="utf-8")
    return path


def test_the_second_person_s_file_is_read(tmp_path: Path, me: Person) -> None:
    assert read_second(write(tmp_path / "a.json", me)).person == me


def test_a_file_that_names_somebody_else_of_this_machine_is_refused(tmp_path: Path, me: Person) -> None:
    forged = replace(me, login="bob", uid=me.uid + 1)
    with pytest.raises(ApprovalError, match="belongs to the account number"):
        read_second(write(tmp_path / "a.json", forged))


def test_a_file_from_another_machine_is_taken_as_it_is(tmp_path: Path) -> None:
    assert read_second(write(tmp_path / "a.json", BOB)).person == BOB


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "{" * 5000, '{"digest": 5}', "x" * 200_000])
def test_a_file_that_is_no_approval_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ApprovalError, match="is no approval"):
        read_second(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ApprovalError, match="cannot be read"):
        read_second(tmp_path / "none.json")


def test_who_runs_this_is_known_by_login_number_and_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 50000 192.0.2.1 22")
    person = current_person()
    assert person.uid == os.getuid()
    assert person.where.startswith(socket.gethostname())
    assert person.where.endswith("from 192.0.2.9")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_111)
    assert current_person().login == "4000111"
