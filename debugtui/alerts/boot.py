"""Which run of the machine this is: within one, the monotonic times of several processes can be compared."""

from __future__ import annotations

import contextlib
import sys
import uuid
from functools import cache
from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")


@cache
def boot_id() -> str:
    """Return a name of this boot; elsewhere than on Linux one of this process alone, since nothing better is known there."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return _LINUX.read_text(encoding="ascii").strip()
    return uuid.uuid4().hex
