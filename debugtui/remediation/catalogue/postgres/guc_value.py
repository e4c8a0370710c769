"""Values of parameters with units, read and written as the server does (PostgreSQL manual, "Parameter Names and Values")."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

#: Bytes, and microseconds, of each unit; the server's units are case-sensitive.
BYTES = {"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*([A-Za-z]*)\s*", re.ASCII)
_WORDS = {"on": "on", "true": "on", "yes": "on", "1": "on", "off": "off", "false": "off", "no": "off", "0": "off"}


class ValueFormatError(ValueError):
    """A value that the parameter cannot have; the message says what it takes."""


def _scale(unit: str) -> tuple[dict[str, int], int]:
    """Return the family of a parameter's own unit (`8kB`, `ms`) and how much of its smallest that unit is."""
    match = re.fullmatch(r"(\d*)([A-Za-z]+)", unit)
    if match is None:
        raise ValueFormatError(f"the unit {unit!r} is not known")
    for family in (BYTES, MICROSECONDS):
        if match[2] in family:
            return family, int(match[1] or 1) * family[match[2]]
    raise ValueFormatError(f"the unit {unit!r} is not known")


def number(text: str, vartype: str, unit: str | None) -> Decimal:
    """Return a value in the parameter's own unit. An integer parameter rounds as the server does.

    Args:
        text: `9MB`, `0.5`, `-1`.
        vartype: `integer` or `real`.
        unit: of the parameter, None where it has none.

    Raises:
        ValueFormatError: it is no such value.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueFormatError("it takes a number" + (f", with a unit where it is not in {unit}" if unit else ""))
    try:
        value = Decimal(match[1])
    except InvalidOperation:
        raise ValueFormatError("it takes a number") from None
    if match[2]:
        if not unit:
            raise ValueFormatError("it takes a number without a unit")
        family, own = _scale(unit)
        if match[2] not in family:
            raise ValueFormatError(f"its units are {', '.join(family)}, written exactly so")
        value = value * family[match[2]] / own
    return value.to_integral_value(ROUND_HALF_EVEN) if vartype == "integer" else value


def canonical(text: str, vartype: str, unit: str | None, words: tuple[str, ...] = ()) -> str:
    """Return a value in the form of `pg_settings.setting`, so that two of them can be compared.

    Raises:
        ValueFormatError: it is no value of that kind.
    """
    if vartype == "bool":
        found = _WORDS.get(text.strip().lower())
        if found is None:
            raise ValueFormatError("it is on or off")
        return found
    if vartype == "enum":
        word = text.strip().lower()
        if word not in words:
            raise ValueFormatError(f"it is one of {', '.join(words)}")
        return word
    if vartype not in ("integer", "real"):
        raise ValueFormatError("parameters that take free text are not changed here")
    return plain(number(text, vartype, unit))


def plain(value: Decimal) -> str:
    """Return a number without an exponent and without zeros that say nothing."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text


def same(one: str, other: str, vartype: str) -> bool:
    """Whether two values in the form of `pg_settings.setting` are equal."""
    if vartype in ("integer", "real"):
        try:
            return Decimal(one) == Decimal(other)
        except InvalidOperation:
            return False
    return one == other


def readable(setting: str, unit: str | None) -> str:
    """Return a value of `pg_settings` with the largest unit that leaves a whole number, as SHOW does: `9MB`.

    Values without a unit, and those that are no whole positive number, stay as they are.
    """
    if not unit or not setting.isdigit() or int(setting) == 0:
        return setting if not unit or setting.lstrip("-").isdigit() else f"{setting}{unit}"
    family, own = _scale(unit)
    amount = int(setting) * own
    for name, size in sorted(family.items(), key=lambda item: -item[1]):
        if amount % size == 0:
            return f"{amount // size}{name}"
    return f"{setting}{unit}"
