"""One execution that the application owns: its task, its newest progress, and who follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from debugtui.model.execution import Progress

Follower = Callable[[Progress], None]


class Running:
    """An execution; it goes on whatever screen is shown."""

    def __init__(self, progress: Progress, stop: Callable[[], None]) -> None:
        """Begin with what is known before the first word of the engine.

        Args:
            progress: the first progress.
            stop: asks the engine to send nothing more after the current step.
        """
        self.progress = progress
        self.stop = stop
        self.task: asyncio.Task[Progress] | None = None
        self._followers: list[Follower] = []

    def tell(self, progress: Progress) -> None:
        """Take the newest progress, and hand it on."""
        self.progress = progress
        for follower in list(self._followers):
            follower(progress)

    def follow(self, follower: Follower) -> None:
        """Be told of every change."""
        self._followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        """Be told no more."""
        if follower in self._followers:
            self._followers.remove(follower)

    @property
    def under_way(self) -> bool:
        """True until it ended."""
        return self.task is not None and not self.task.done()
