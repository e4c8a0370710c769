"""Calls to libvirt outside of the source: in a thread of their own, read-only or, after an approval, read-write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from debugtui.hosts.link import Link
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt.dial import dial
from debugtui.sources.libvirt.problems import no_answer, not_loaded
from debugtui.sources.libvirt.worker import BusyError, HungError, Worker

T = TypeVar("T")

OPEN_LIMIT, CLOSE_LIMIT = 5.0, 1.0


class LibvirtCalls(Protocol):
    """Whoever can call libvirt for us."""

    async def call(self, function: Callable[[Any], T], limit: float) -> T:
        """Return what `function(connection)` returns in libvirt's thread; plain data only."""
        ...

    async def close(self) -> None:
        """Close the connection and end the thread. Safe to call twice."""
        ...


class LinkCalls:
    """The real libvirt behind a link; opened at the first call, and anew after a call that hung."""

    def __init__(self, link: Link, uri: str, *, write: bool) -> None:
        self._link = link
        self._uri = uri
        self._write = write
        self._worker: Worker[Any] | None = None
        self._opening = asyncio.Lock()

    async def call(self, function: Callable[[Any], T], limit: float) -> T:
        """See `LibvirtCalls`.

        Raises:
            CallError: libvirt refused.
            SourceError: no libvirt there, or no answer within `limit` seconds.
            LinkError: the link is not up.
        """
        worker = await self._connected()
        try:
            return await worker.call(function, limit)
        except BusyError:
            raise SourceError(Problem("libvirt is busy with another request", "try again")) from None
        except HungError:
            self._worker = None  # its thread is left to the call and ends with it
            raise SourceError(no_answer(limit)) from None

    async def _connected(self) -> Worker[Any]:
        async with self._opening:
            if self._worker is None:
                way = await dial(self._link, self._uri, write=self._write)
                worker: Worker[Any] = Worker(lambda: _open(way.uri, self._write), _close)
                try:
                    await worker.call(lambda _: None, OPEN_LIMIT)
                except (HungError, BusyError):  # busy: opening itself, which comes before the call, takes too long
                    worker.end()
                    raise SourceError(no_answer(OPEN_LIMIT)) from None
                except ImportError as error:
                    worker.end()
                    raise SourceError(not_loaded(error)) from None
                except BaseException:
                    worker.end()
                    raise
                self._worker = worker
            return self._worker

    async def close(self) -> None:
        """End the thread, within a second where it can."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close(CLOSE_LIMIT)


def _open(uri: str, write: bool) -> Any:
    import libvirt

    libvirt.registerErrorHandler(_silent, None)  # by default the C library writes to the terminal
    return libvirt.open(uri) if write else libvirt.openReadOnly(uri)


def _silent(_context: object, _error: object) -> None:
    """Errors come as exceptions."""


def _close(connection: Any) -> None:
    import libvirt

    try:
        connection.close()
    except libvirt.libvirtError:
        return
