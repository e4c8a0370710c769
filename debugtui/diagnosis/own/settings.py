"""Settings of PostgreSQL that hurt by what they are: as data, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from debugtui.model.postgres import FEW, PostgresReading, Setting

#: Milliseconds of a statement's or lock's limit below which ordinary work fails.
TIMEOUT_MS = 1_000.0
#: Connections below which one application's pool takes all.
LEAST_CONNECTIONS = 20

_UNITS = {"": 1.0, "ms": 1.0, "s": 1_000.0, "min": 60_000.0, "h": 3_600_000.0, "us": 0.001}


class Harm(NamedTuple):
    """One setting: whether its value hurts, why, and whether that is a fault by itself."""

    hurts: Callable[[Setting, PostgresReading], bool]
    why: str
    grave: bool = True


def _short(setting: Setting, _: PostgresReading) -> bool:
    if setting.value == FEW:
        return True
    value = _number(setting.value)
    return value is not None and 0 < value * _UNITS.get(setting.unit, 1.0) < TIMEOUT_MS


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


HARMS: dict[str, Harm] = {
    "default_transaction_read_only": Harm(
        lambda one, reading: one.value == "on" and not reading.in_recovery, "every new transaction is refused to write"
    ),
    "statement_timeout": Harm(_short, "statements are cancelled that take longer"),
    "transaction_timeout": Harm(_short, "transactions are ended that take longer"),
    "idle_session_timeout": Harm(_short, "sessions of a pool are ended at once", grave=False),
    "lock_timeout": Harm(_short, "statements fail at the first short wait for a lock", grave=False),
    "autovacuum": Harm(lambda one, _: one.value == "off", "dead rows are never removed", grave=False),
    "enable_indexscan": Harm(lambda one, _: one.value == "off", "indexes are not used"),
    "max_connections": Harm(
        lambda one, _: (_number(one.value) or LEAST_CONNECTIONS) < LEAST_CONNECTIONS, "a pool takes all of them", grave=False
    ),
    "log_min_duration_statement": Harm(lambda one, _: one.value == "0", "every statement is written to the log", grave=False),
}


def harmful(reading: PostgresReading) -> Iterator[tuple[Setting, str, bool]]:
    """Yield the settings whose values hurt, why, and whether that is a fault by itself."""
    for setting in reading.settings or ():
        harm = HARMS.get(setting.name)
        if harm is not None and setting.source not in ("session", "client") and harm.hurts(setting, reading):
            yield setting, harm.why, harm.grave
