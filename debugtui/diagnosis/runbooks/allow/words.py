"""How options are written down here."""

from __future__ import annotations

from debugtui.diagnosis.runbooks.allow.program import Check

#: Most lines that are asked of a log.
LINES = 5_000
#: Why something is refused.
ENDLESS = "it never ends"


def flags(short: str, long: str = "") -> frozenset[str]:
    """Return options without a value: `flags("h i", "human-readable")`."""
    return frozenset([*(f"-{one}" for one in short.split()), *(f"--{one}" for one in long.split())])


def valued(**checks: Check) -> dict[str, Check]:
    """Return options by their names: `n` is `-n`, `sort` is `--sort`, `max_depth` is `--max-depth`."""
    return {f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}": check for name, check in checks.items()}


def listed(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())
