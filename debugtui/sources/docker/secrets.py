"""Removes secrets from commands and named values."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.config.redaction import MASK, redact, redact_env
from debugtui.model.text import clean

#: Longest argument kept, in characters.
ARGUMENT_LIMIT = 65_536


def redact_field(name: str, together: str) -> str:
    """Return the value out of a redacted `name=value`; where the name was redacted as well, nothing of the value is told."""
    sign = f"{name}="
    return redact(together.removeprefix(sign)) if together.startswith(sign) else MASK


def redact_arguments(arguments: Sequence[str]) -> list[str]:
    """Redact a command's arguments; an option and its secret may be one of them or two (`--password`, `hunter2`)."""
    found: list[str] = []
    option = ""
    for argument in arguments:
        shown = clean(argument, ARGUMENT_LIMIT)
        if option and not shown.startswith("-"):
            found.append(redact_field(option, redact_env([f"{option}={shown}"])[0]))
            option = ""
            continue
        name, sign, value = shown.lstrip("-").partition("=")
        dashes = shown[: len(shown) - len(shown.lstrip("-"))]
        if dashes and sign:
            found.append(f"{dashes}{name}={redact_field(name, redact_env([f'{name}={value}'])[0])}")
        else:
            found.append(redact(shown))
        option = name if dashes and not sign else ""
    return found


def redact_command(command: str) -> str:
    """Redact a command given as one text."""
    return " ".join(redact_arguments(redact(command).split(" ")))
