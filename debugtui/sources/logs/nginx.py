"""The access and error logs of an nginx."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from debugtui.model.logs import Level
from debugtui.model.nginx import NginxLog
from debugtui.model.target import Target
from debugtui.sources.logs.clock import HostClock
from debugtui.sources.logs.files import RemoteFiles
from debugtui.sources.logs.following import Following
from debugtui.sources.logs.origin import Batch
from debugtui.sources.logs.reader import LineReader
from debugtui.sources.logs.stamps import Stamps

_ERROR = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(\w{1,10})\] ", re.ASCII)
_LEVELS = {
    "debug": Level.DEBUG, "info": Level.INFO, "notice": Level.INFO, "warn": Level.WARNING,
    "error": Level.ERROR, "crit": Level.ERROR, "alert": Level.ERROR, "emerg": Level.ERROR,
}  # fmt: skip
# The status behind the request in quotes, or a field of JSON.
_STATUS = re.compile(r"\" ([1-5]\d\d)(?= )|\"status\"\s?:\s?\"?([1-5]\d\d)\b", re.ASCII)


class ErrorReader(LineReader):
    """Lines of an error log: `2026/03/14 09:26:53 [error] 17#17: ...`, in the host's own time."""

    def time(self, text: str) -> datetime | None:
        """Return the time that a line begins with."""
        return self.stamps.find(text, 30)

    def level(self, text: str) -> Level | None:
        """Return nginx's own level."""
        match = _ERROR.match(text)
        return _LEVELS.get(match[1]) if match is not None else None


class AccessReader(LineReader):
    """Lines of an access log, in whatever format has a time: an answer of 500 and more is an error, of 400 a warning."""

    def time(self, text: str) -> datetime | None:
        """Return the time in a line, wherever its format puts it."""
        return self.stamps.find_in_json(text)

    def level(self, text: str) -> Level | None:
        """Judge by the status; `unknown` where the format has none."""
        match = _STATUS.search(text, 0, 2_000)
        if match is None:
            return Level.UNKNOWN
        status = match[1] or match[2]
        return Level.ERROR if status[0] == "5" else Level.WARNING if status[0] == "4" else Level.INFO


class NginxOrigin:
    """One log file of one nginx."""

    kind = "nginx"

    def __init__(
        self, files: RemoteFiles, target: Target, log: NginxLog, clock: Callable[[], Awaitable[HostClock]], title: str
    ) -> None:
        """Read a log file.

        Args:
            files: of the host.
            target: the nginx.
            log: which of its logs.
            clock: tells the host's zone.
            title: `main access`.
        """
        self._files, self._log, self._clock = files, log, clock
        self.target, self.title = target, title

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        """Yield its lines; see `LogOrigin.lines`."""
        stamps = Stamps((await self._clock()).zone)
        reader = AccessReader(stamps) if self._log.access else ErrorReader(stamps)
        path = self._log.path
        following = Following(self._files, path, reader, before=f"{path}.1")
        async for batch in following.lines(since=since, until=until, tail=tail, follow=follow):
            yield batch
