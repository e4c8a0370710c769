"""Approvals: who may say yes to which plan, how, and for how long.

Class 1 takes an explicit yes; 2 the target's short name, typed; 3 the name, a reason, and a second person on their own login
(alone on call: a held confirmation, recorded as break-glass); class 4 cannot be approved, nor can a plan with a guard that
refuses.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
from datetime import datetime, timedelta
from pathlib import Path

from debugtui.model.approval_json import second_from_json
from debugtui.model.execution import Approval, Person, SecondApproval
from debugtui.model.plan import Plan, PlanFormatError, RiskClass
from debugtui.model.text import line

#: Seconds after the approval within which the execution must begin, by class.
EXPIRY_S = {RiskClass.ROUTINE: 600, RiskClass.CAREFUL: 300, RiskClass.SEVERE: 120}

#: Seconds that a break-glass confirmation is held.
HOLD_S = 60.0

_FILE_LIMIT = 100_000


class ApprovalError(ValueError):
    """The plan cannot be approved so; the message says why."""


def current_person(name: str = "") -> Person:
    """Return who runs this process.

    Args:
        name: what they call themselves; the login where empty.
    """
    uid = os.getuid()
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:
        login = str(uid)
    client = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    try:
        terminal = os.ttyname(0)
    except OSError:
        terminal = "no terminal"
    where = f"{socket.gethostname()} {terminal}" + (f" from {client}" if client else "")
    return Person(login, uid, line(name or login, 100), line(where, 200))


def make_approval(
    plan: Plan,
    person: Person,
    now: datetime,
    *,
    confirmed: str = "",
    reason: str = "",
    second: SecondApproval | None = None,
    break_glass: bool = False,
) -> Approval:
    """Return an approval of exactly this plan.

    Raises:
        ApprovalError: it may not be approved, or not so.
    """
    approval = Approval(
        plan=plan.id,
        digest=plan.digest,
        fingerprint=plan.before.fingerprint,
        cls=plan.risk.cls,
        person=person,
        at=now,
        expires_at=now + timedelta(seconds=EXPIRY_S.get(plan.risk.cls, 0)),
        confirmed=confirmed,
        reason=line(reason.strip(), 1_000),
        second=second,
        break_glass=break_glass,
    )
    check_approval(plan, approval, now)
    return approval


def check_approval(plan: Plan, approval: Approval, now: datetime) -> None:
    """Check that an approval is one of exactly this plan and still holds.

    Raises:
        ApprovalError: it is not, or not any more.
    """
    if plan.risk.cls >= RiskClass.STOP:
        raise ApprovalError(f"class 4 (stop) has no approval; driver {plan.risk.driver}: see the mitigations")
    if plan.risk.cls < RiskClass.ROUTINE:
        raise ApprovalError("a plan that changes something is at least class 1")
    if plan.refusals:
        guard = plan.refusals[0]
        raise ApprovalError(f"the guard {guard.name} is {guard.status.value}: {guard.why}")
    if now >= plan.expires_at:
        raise ApprovalError("the plan has expired: make a new one")
    _check_bound(plan, approval, now)
    _check_words(plan, approval)
    if plan.risk.cls is RiskClass.SEVERE:
        _check_second(plan, approval, now)


def _check_bound(plan: Plan, approval: Approval, now: datetime) -> None:
    if (approval.plan, approval.digest) != (plan.id, plan.digest):
        raise ApprovalError("this is an approval of another plan")
    if approval.fingerprint != plan.before.fingerprint or approval.cls != plan.risk.cls:
        raise ApprovalError("the target's fingerprint or the class is not the one that was approved")
    if not approval.at <= now < approval.expires_at:
        raise ApprovalError("the approval has expired, or lies in the future: approve again")
    if approval.expires_at - approval.at > timedelta(seconds=EXPIRY_S.get(plan.risk.cls, 0)):
        raise ApprovalError("the approval is valid for longer than its class allows")


def make_rollback_approval(
    plan: Plan, person: Person, now: datetime, *, exact: bool, confirmed: str = "", reason: str = ""
) -> Approval:
    """Return an approval of taking back an executed plan.

    Args:
        plan: the plan that was executed; it may have expired since.
        person: who.
        now: when (UTC).
        exact: its rollback restores the same state as before: then the digest alone names what is wanted. A compensating one
            takes the typed name, and the reason, as the plan itself did.
        confirmed: the name that was typed.
        reason: why.

    Raises:
        ApprovalError: it may not be approved so.
    """
    approval = Approval(
        plan=plan.id,
        digest=plan.digest,
        fingerprint=plan.before.fingerprint,
        cls=plan.risk.cls,
        person=person,
        at=now,
        expires_at=now + timedelta(seconds=EXPIRY_S.get(plan.risk.cls, 0)),
        confirmed=confirmed,
        reason=line(reason.strip(), 1_000),
    )
    check_rollback_approval(plan, approval, now, exact=exact)
    return approval


def check_rollback_approval(plan: Plan, approval: Approval, now: datetime, *, exact: bool) -> None:
    """Check that an approval is one of taking back exactly this plan and still holds; see `make_rollback_approval`.

    Raises:
        ApprovalError: it is not, or not any more.
    """
    _check_bound(plan, approval, now)
    if not exact:
        _check_words(plan, approval)


def _check_words(plan: Plan, approval: Approval) -> None:
    if plan.risk.cls >= RiskClass.CAREFUL and approval.confirmed not in confirmations(plan):
        raise ApprovalError(f"class {int(plan.risk.cls)} takes the target's name, typed: {line(plan.short_name, 100)}")
    if plan.risk.cls is RiskClass.SEVERE and not approval.reason:
        raise ApprovalError("class 3 takes a reason")


def confirmations(plan: Plan) -> tuple[str, ...]:
    """Return what counts as the target's name: the short one, the name with its database, the whole target."""
    return tuple(name for name in (plan.short_name, plan.target.name, str(plan.target)) if name)


def _check_second(plan: Plan, approval: Approval, now: datetime) -> None:
    second = approval.second
    if second is None:
        if approval.break_glass:
            return
        raise ApprovalError("class 3 takes a second person's approval, or break-glass when alone on call")
    if (second.digest, second.fingerprint) != (plan.digest, plan.before.fingerprint):
        raise ApprovalError("the second approval is one of another plan")
    if not second.at <= now < second.expires_at:
        raise ApprovalError("the second approval has expired, or lies in the future")
    if second.person.login == approval.person.login or _same_account(second.person, approval.person):
        raise ApprovalError(
            f"the second person has to be another one than {line(approval.person.login, 100)}, on another login"
        )


def _same_account(one: Person, other: Person) -> bool:
    return one.uid == other.uid and one.where.partition(" ")[0] == other.where.partition(" ")[0]


def make_second(plan: Plan, person: Person, now: datetime) -> SecondApproval:
    """Return the second person's approval.

    Raises:
        ApprovalError: the plan cannot be approved.
    """
    if plan.risk.cls >= RiskClass.STOP or plan.refusals:
        raise ApprovalError("this plan cannot be approved by anybody: its class is 4, or a guard refuses")
    if now >= plan.expires_at:
        raise ApprovalError("the plan has expired: make a new one")
    return SecondApproval(plan.digest, plan.before.fingerprint, person, now, plan.expires_at)


def read_second(path: Path) -> SecondApproval:
    """Read a second person's approval. Made on this machine, the file has to belong to that person.

    Raises:
        ApprovalError: it cannot be read, is none, or belongs to somebody else.
    """
    try:
        with path.open("rb") as file:
            owner = os.fstat(file.fileno()).st_uid
            text = file.read(_FILE_LIMIT + 1)
        if len(text) > _FILE_LIMIT:
            raise ApprovalError(f"{path} is no approval: it is too large")
        second = second_from_json(json.loads(text))
    except OSError as error:
        raise ApprovalError(f"{path} cannot be read: {error.strerror}") from None
    except (PlanFormatError, ValueError, RecursionError) as error:
        raise ApprovalError(f"{path} is no approval: {error}") from None
    if second.person.where.partition(" ")[0] == socket.gethostname() and owner != second.person.uid:
        raise ApprovalError(f"{path} names {line(second.person.login, 100)}, but belongs to the account number {owner}")
    return second
