"""What names tell of each other: `ledger_pool` and `ledger-gw` are about one thing. A hint among guesses, never a proof."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z]{3,40}")
#: Words that say what kind of thing it is, and not which.
_KINDS = frozenset(
    {
        "pool", "backend", "backends", "upstream", "upstreams", "server", "servers", "service", "main", "default",
        "app", "apps", "local", "localhost", "com", "test", "www", "http", "https", "prod", "production", "staging", "dev",
        "container",
    }
)  # fmt: skip


def akin(one: str, other: str) -> bool:
    """Return whether two names share a word that says which thing they are about."""
    return bool(_words(one) & _words(other))


def _words(name: str) -> set[str]:
    return set(_WORD.findall(name.lower()[:300])) - _KINDS
