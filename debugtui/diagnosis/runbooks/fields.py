"""The kinds of values that a runbook holds, each with the check that words its own error."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from debugtui.config.faults import fault, nearest
from debugtui.config.fields import Table
from debugtui.diagnosis.runbooks.comparing import comparison, expression
from debugtui.model.alerts import Severity
from debugtui.model.source import Kind
from debugtui.model.topology import Layer

_ID = re.compile(r"[a-z][a-z0-9-]{0,60}", re.ASCII)
_REMEDIATION = re.compile(r"[a-z]+\.[a-z][a-z0-9_]{1,60}", re.ASCII)


def _id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise fault("is lower-case letters, digits and dashes, such as service-down")
    return value


def _prose(value: str) -> str:
    if not value.strip() or len(value) > 1_000 or any(not sign.isprintable() and sign != "\n" for sign in value):
        raise fault("must be a text of 1 to 1000 signs that show")
    return " ".join(value.split())


def _remediation(value: str) -> str:
    if not _REMEDIATION.fullmatch(value):
        raise fault("is the full name of a remediation: postgres.terminate_session")
    return value


def known(words: tuple[str, ...]) -> Callable[[str], str]:
    """Return the check that a value is one of some words."""

    def check(value: str) -> str:
        if value not in words:
            raise fault(f"must be one of {', '.join(words)}", nearest(value, words))
        return value

    return check


def _words(value: object) -> object:
    """Accept one language as a plain text: English."""
    return {"en": value} if isinstance(value, str) else value


def _thresholds(value: object) -> object:
    """Accept one threshold where several may stand."""
    return (value,) if isinstance(value, str) else value


def _comparison(value: str) -> str:
    comparison(value)
    return value


def _expression(value: str) -> str:
    expression(value)
    return value


Id = Annotated[str, AfterValidator(_id)]
Prose = Annotated[str, AfterValidator(_prose)]
Remediation = Annotated[str, AfterValidator(_remediation)]
Threshold = Annotated[str, AfterValidator(_comparison)]
Thresholds = Annotated[tuple[Threshold, ...], BeforeValidator(_thresholds)]
Pattern = Annotated[str, AfterValidator(_expression)]
KindName = Annotated[str, AfterValidator(known(tuple(Kind)))]
LayerName = Annotated[str, AfterValidator(known(tuple(Layer)))]
SeverityName = Annotated[str, AfterValidator(known(tuple(Severity)))]


class Words(Table):
    """A text in the languages of the house.

    Attributes:
        en: English.
        fr: French; None: English is shown.
    """

    en: Prose
    fr: Prose | None = None

    def in_language(self, language: str) -> str:
        """Return it in a language, or in English where it is not there."""
        return self.fr if language == "fr" and self.fr else self.en


Title = Annotated[Words, BeforeValidator(_words)]
