"""What the operator was asked while this program runs: hosts often share keys and jump hosts, and no question comes twice."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

import asyncssh

from debugtui.config.ask import Asker


class Questions:
    """One operator's answers, kept in memory only.

    Attributes:
        one: held while a question is open, so that the next one who needs the same answer finds it given.
        keys: private keys that were unlocked, by file and its time of change.
        declined: what the operator said no to; forgotten when a link is told to try again.
        accepted: host keys (host, port, public key) accepted where no file may hold them.
    """

    def __init__(self) -> None:
        self.one = asyncio.Lock()
        self.keys: dict[tuple[str, int], asyncssh.SSHKey] = {}
        self.declined: dict[str, int] = {}
        self.accepted: set[tuple[str, int, bytes]] = set()

    def ask_again(self) -> None:
        """Forget every no."""
        self.declined.clear()


_known: WeakKeyDictionary[Asker, Questions] = WeakKeyDictionary()


def questions_of(asker: Asker) -> Questions:
    """Return the one memory that belongs to `asker`."""
    try:
        found = _known.get(asker)
        if found is None:
            found = _known[asker] = Questions()
    except TypeError:  # an asker that cannot be referred to weakly keeps nothing between links
        found = Questions()
    return found
