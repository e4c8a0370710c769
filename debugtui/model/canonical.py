"""One text for one JSON value, so that a digest means something."""

from __future__ import annotations

import hashlib
import json


def canonical(value: object) -> str:
    """Return the canonical JSON of plain values: keys sorted, no spaces, characters as they are.

    Raises:
        ValueError: a number that JSON does not know (NaN, infinity).
        TypeError: a value that is no plain JSON value.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of the value's canonical JSON, in UTF-8."""
    return "sha256:" + hashlib.sha256(canonical(value).encode("utf-8", "surrogatepass")).hexdigest()
