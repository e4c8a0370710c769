"""Which keys stand in which table, read from the models themselves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

from debugtui.config.faults import Place
from debugtui.config.fields import Table
from debugtui.config.models import Config


def table_of(annotation: Any) -> type[Table] | None:
    """Return the table that a type holds, itself, in a tuple or as an alternative; None: it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, Table):
        return annotation
    for argument in get_args(annotation):
        if (found := table_of(argument)) is not None:
            return found
    return None


def keys_at(place: Place) -> tuple[str, ...]:
    """Return the valid keys of the table at a place; empty where no table stands there."""
    table: type[Table] | None = Config
    named = False
    for part in place:
        if isinstance(part, int):
            continue
        if named:  # a table that operators name: [alerts.rules.NAME]
            named = False
            continue
        field = table.model_fields.get(part) if table is not None else None
        table = table_of(field.annotation) if field is not None else None
        named = field is not None and table is not None and get_origin(field.annotation) is dict
    return tuple(table.model_fields) if table is not None else ()


def tables(table: type[Table] = Config, name: str = "") -> Iterator[tuple[str, type[Table]]]:
    """Yield every table with its name in brackets: `hosts.postgres`; the top itself is empty."""
    yield name, table
    for key, field in table.model_fields.items():
        if (below := table_of(field.annotation)) is not None:
            yield from tables(below, f"{name}.{key}" if name else key)


@cache
def home_of(key: str) -> str | None:
    """Return the one table, below the top, that has a key of this name; None where none has or several have."""
    homes = [name for name, table in tables() if name and key in table.model_fields]
    return homes[0] if len(homes) == 1 else None
