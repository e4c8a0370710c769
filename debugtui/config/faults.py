"""What is wrong with a configuration, before it is known in which file and line it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NoReturn

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

#: Where in the configuration: keys and indexes from the top, `("hosts", 0, "name")`.
Place = tuple[str | int, ...]

#: The pydantic error type of every fault that this package words itself.
FAULT = "fault"

# Below this share of equal letters a "did you mean" misleads more than it helps (difflib's own default is 0.6; a typing error
# in a four-letter key needs 0.5).
_CUTOFF = 0.5


def fault(says: str, nearest: str | None = None) -> PydanticCustomError:
    """Return an error for a validator to raise. `says` must never hold the value: it may be a secret."""
    return PydanticCustomError(FAULT, "{says}", {"says": says, "nearest": nearest})


def raise_faults(title: str, faults: Iterable[tuple[Place, str, str | None]]) -> None:
    """Raise all faults at once, each at its place below the value being validated; return where there are none."""
    details = [InitErrorDetails(type=fault(says, near), loc=place, input=None) for place, says, near in faults]
    if details:
        _raise(title, details)


def _raise(title: str, details: list[InitErrorDetails]) -> NoReturn:
    raise ValidationError.from_exception_data(title, details, hide_input=True)


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that `word` most likely stands for; None where none is near."""
    folded = {name.lower().replace("-", "_"): name for name in known}
    matches = difflib.get_close_matches(word.lower().replace("-", "_")[:100], folded, n=1, cutoff=_CUTOFF)
    return folded[matches[0]] if matches else None
