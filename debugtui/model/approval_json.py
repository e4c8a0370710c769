"""Approvals as plain JSON values, and back; strict, because they come from files."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from debugtui.model.canonical import canonical
from debugtui.model.execution import Approval, Person, SecondApproval
from debugtui.model.jsonable import jsonable
from debugtui.model.plan import PlanFormatError, RiskClass

T = TypeVar("T")


def approval_to_json(approval: Approval) -> dict[str, object]:
    """Return an approval as JSON values."""
    document = jsonable(approval)
    assert isinstance(document, dict)  # noqa: S101 - a dataclass becomes a dict
    return {**document, "cls": int(approval.cls)}


def second_to_json(second: SecondApproval) -> dict[str, object]:
    """Return a second person's approval as JSON values."""
    document = jsonable(second)
    assert isinstance(document, dict)  # noqa: S101 - a dataclass becomes a dict
    return document


def approval_from_json(document: object) -> Approval:
    """Read an approval; nothing may be missing, added or of another type.

    Raises:
        PlanFormatError: what is wrong with it.
    """
    try:
        approval = _approval(_table(document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanFormatError(f"no approval: {type(error).__name__}: {error}") from None
    return _same(approval, approval_to_json(approval), document)


def second_from_json(document: object) -> SecondApproval:
    """Read a second person's approval; nothing may be missing, added or of another type.

    Raises:
        PlanFormatError: what is wrong with it.
    """
    try:
        second = _second(_table(document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanFormatError(f"no approval: {type(error).__name__}: {error}") from None
    return _same(second, second_to_json(second), document)


def _same(value: T, written: object, document: object) -> T:
    if canonical(written) != canonical(document):
        raise PlanFormatError("no approval: it holds something that no approval holds")
    return value


def _approval(table: dict[str, object]) -> Approval:
    second = table["second"]
    return Approval(
        plan=_text(table["plan"]),
        digest=_text(table["digest"]),
        fingerprint=_text(table["fingerprint"]),
        cls=RiskClass(_whole(table["cls"])),
        person=_person(_table(table["person"])),
        at=_moment(table["at"]),
        expires_at=_moment(table["expires_at"]),
        confirmed=_text(table["confirmed"]),
        reason=_text(table["reason"]),
        second=None if second is None else _second(_table(second)),
        break_glass=_flag(table["break_glass"]),
    )


def _second(table: dict[str, object]) -> SecondApproval:
    return SecondApproval(
        _text(table["digest"]),
        _text(table["fingerprint"]),
        _person(_table(table["person"])),
        _moment(table["at"]),
        _moment(table["expires_at"]),
    )


def _person(table: dict[str, object]) -> Person:
    return Person(_text(table["login"]), _whole(table["uid"]), _text(table["name"]), _text(table["where"]))


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("an object is expected")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return moment
