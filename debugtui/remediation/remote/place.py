"""Where detached work keeps its files on a host: a directory of the login's own, found the same way by every script."""

from __future__ import annotations

import hashlib

#: Sets `dir`, or says `unusable` and ends. Not the runtime directory of the login session: that goes with the last session.
PLACE = r"""
set -u
umask 077
base=/tmp
[ -w /run ] && base=/run
dir=$base/debugtui-$(id -u)
mkdir -m 700 "$dir" 2>/dev/null
if [ -L "$dir" ] || [ ! -d "$dir" ] || [ ! -O "$dir" ]; then echo "unusable $dir"; exit 0; fi
chmod 700 "$dir"
"""


def key_of(mark: str) -> str:
    """Return the name of a mark's folder: no character of the mark itself becomes part of a path."""
    return hashlib.sha256(mark.encode()).hexdigest()[:40]
