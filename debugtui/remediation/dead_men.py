"""The reverts that wait on the host while an execution runs: armed before a step, told off when all is well."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum

from debugtui.hosts.link import Link, LinkError
from debugtui.remediation.base import DeadMan
from debugtui.remediation.remote import dead_man
from debugtui.sources.base import SourceError

_BROKEN = (LinkError, SourceError, TimeoutError)
_log = logging.getLogger(__name__)


class Waiting(StrEnum):
    """What is known of the reverts.

    calm: none has run, and none will where they were told. reverted: one has run, or is about to. unreachable: the host does
    not answer, so one may run.
    """

    CALM = "calm"
    REVERTED = "reverted"
    UNREACHABLE = "unreachable"


#: What to say of a revert that stands in the way.
SAYS = {
    Waiting.REVERTED: "the host has reverted by itself",
    Waiting.UNREACHABLE: "the host could not be told that all is well: it reverts by itself",
}


class DeadMen:
    """The reverts of one execution. Each is harmless where there is nothing to revert."""

    def __init__(self, link: Link, back: Callable[[], Awaitable[bool]]) -> None:
        """Prepare.

        Args:
            link: of the host.
            back: waits for a lost link; False: it did not come back.
        """
        self._link, self._back = link, back
        self._armed: list[str] = []

    @property
    def armed(self) -> bool:
        """Whether one waits, as far as we know."""
        return bool(self._armed)

    async def arm(self, mark: str, what: DeadMan | None) -> str:
        """Have the host revert by itself unless it is told otherwise; return why that failed."""
        if what is None:
            return ""
        try:
            await dead_man.arm(self._link, mark, what.argv, what.after_s)
        except _BROKEN as error:
            self._armed.append(mark)  # it may wait all the same
            return f"the revert could not be armed on the host: {error}"
        self._armed.append(mark)
        return ""

    async def tell(self) -> Waiting:
        """Tell the host that all is well; a lost link is waited for once."""
        found = Waiting.CALM
        for mark in reversed(self._armed):
            told = await self._tell(mark)
            if told is Waiting.UNREACHABLE and await self._back():
                told = await self._tell(mark)
            if told is not Waiting.UNREACHABLE:
                self._armed.remove(mark)
            if told is not Waiting.CALM and found is not Waiting.REVERTED:
                found = told
        return found

    async def _tell(self, mark: str) -> Waiting:
        try:
            if await dead_man.disarm(self._link, mark):
                return Waiting.CALM
            # Not told: it has fired, or the host knows of none; it was restarted, or never armed it.
            return Waiting.CALM if await dead_man.look(self._link, mark) == "none" else Waiting.REVERTED
        except _BROKEN as error:
            _log.warning("telling %s: %s", mark, error)
            return Waiting.UNREACHABLE

    async def take_up(self, marks: Iterable[str]) -> Waiting:
        """Look, after a crash, which of an execution's reverts wait still; nothing is told to them yet."""
        found = Waiting.CALM
        for mark in marks:
            try:
                word = await dead_man.look(self._link, mark)
            except _BROKEN as error:
                _log.warning("looking for %s: %s", mark, error)
                self._armed.append(mark)
                found = found if found is Waiting.REVERTED else Waiting.UNREACHABLE
                continue
            if word in ("armed", "lost"):
                self._armed.append(mark)
            elif word == "fired":
                found = Waiting.REVERTED
        return found
