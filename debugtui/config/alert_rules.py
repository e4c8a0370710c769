"""The shipped alert rules, read from `alert_rules.toml`: once, when they are first needed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from debugtui.model.alert_rules import Level, RuleSpec
from debugtui.model.alerts import Severity
from debugtui.model.duration import seconds_of
from debugtui.model.topology import Layer

FILE = Path(__file__).with_suffix(".toml")

_KEYS = frozenset(
    "says layer severity metric unit above below budget clear for least least_of".split()  # noqa: SIM905 - reads better
)


@cache
def shipped() -> Mapping[str, RuleSpec]:
    """Return the shipped rules by their names."""
    return read_rules(FILE.read_text(encoding="utf-8"))


def read_rules(text: str) -> dict[str, RuleSpec]:
    """Return the rules of a TOML text.

    Raises:
        ValueError: a rule is not as the head of `alert_rules.toml` describes it; names the rule.
    """
    found: dict[str, RuleSpec] = {}
    for name, table in tomllib.loads(text).items():
        try:
            found[name] = _rule(name, table)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the rule {name}: {error}") from error
    return found


def _rule(name: str, table: Mapping[str, Any]) -> RuleSpec:
    if strangers := set(table) - _KEYS:
        raise ValueError(f"unknown keys: {', '.join(sorted(strangers))}")
    severities = tuple(Severity(word) for word in _list(table["severity"]))
    clear, counts = table.get("clear"), [key for key in ("above", "below", "budget") if key in table]
    if len(counts) > 1:
        raise ValueError(f"only one of {' and '.join(counts)}")
    if counts and ("unit" not in table or "metric" not in table or clear is None):
        raise ValueError("what counts has a metric, a unit and a clear")
    budget, levels = table.get("budget", ""), _levels(table, severities)
    return RuleSpec(
        name=name,
        says=table["says"],
        layer=Layer(table["layer"]),
        severities=severities,
        metric=table.get("metric", ""),
        unit=table.get("unit", ""),
        above="below" not in table,
        levels=levels,
        budget=budget,
        clear_share=float(clear) if budget and clear is not None else 1.0,
        for_s=seconds_of(table.get("for", "0s")),
        clear_s=seconds_of(clear) if isinstance(clear, str) else 0.0,
        least=float(table.get("least", 0)),
        least_of=table.get("least_of", ""),
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _levels(table: Mapping[str, Any], severities: tuple[Severity, ...]) -> tuple[Level, ...]:
    given, clear = table.get("above", table.get("below")), table.get("clear")
    if given is None:
        return ()
    numbers = given if isinstance(given, dict) else {severities[0].value: given}
    ends: Mapping[str, Any] = clear if isinstance(clear, dict) else dict.fromkeys(numbers, clear)
    levels = tuple(
        Level(severity, float(numbers[severity.value]), float(ends[severity.value]))
        for severity in severities
        if severity.value in numbers
    )
    sign = 1 if "above" in table else -1
    if len(levels) != len(numbers) or any(sign * level.clear > sign * level.threshold for level in levels):
        raise ValueError("a threshold for each severity, and an end on the right side of each")
    return levels
