"""Frozen data as plain JSON values."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from enum import Enum

from debugtui.model.target import Target


def jsonable(value: object) -> object:
    """Return `value` as dicts, lists, numbers and strings.

    Times become ISO 8601 in UTC with a `Z`, enumerations their values, targets `HOST/KIND/NAME`.

    Raises:
        TypeError: a value of a type that has no JSON form.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Target):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, frozenset, set)):
        return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
