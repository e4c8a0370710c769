"""One thread that makes every call of one libvirt connection.

Every libvirt call is a remote one and blocks; on the event loop, which also carries the forward, it would wait for itself. A
call that hangs cannot be cancelled: its thread is given up (it never keeps the program from ending) and another one starts.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from debugtui.model.source import Problem
from debugtui.sources.base import SourceError

T = TypeVar("T")

#: Threads that may hang at the same time before nothing more is tried.
ABANDONED = 3

_Job = tuple[Callable[[], Any], asyncio.Future[Any], asyncio.AbstractEventLoop]


class Worker:
    """Runs calls one after the other in a thread of its own."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] | None = None
        self._hanging: list[threading.Thread] = []
        self._thread: threading.Thread | None = None

    def _queue(self) -> queue.SimpleQueue[_Job | None]:
        if self._jobs is None:
            self._hanging = [thread for thread in self._hanging if thread.is_alive()]
            if len(self._hanging) >= ABANDONED:
                raise SourceError(Problem(f"{ABANDONED} calls to libvirt hang", "is libvirtd hung? systemctl status libvirtd"))
            self._jobs = queue.SimpleQueue()
            # A daemon thread: a call that never returns must not keep the program from ending.
            self._thread = threading.Thread(target=_serve, args=(self._jobs,), name="libvirt", daemon=True)
            self._thread.start()
        return self._jobs

    async def call(self, function: Callable[[], T], limit: float) -> T:
        """Return what `function` returns in the thread.

        Raises:
            SourceError: it did not end within `limit` seconds; the thread is given up.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._queue().put((function, answer, loop))
        try:
            async with asyncio.timeout(limit):
                return await answer
        except TimeoutError as error:
            self.abandon()
            problem = Problem(f"libvirt did not answer within {limit:.0f} s", "is libvirtd hung, or the host overloaded?")
            raise SourceError(problem) from error

    def abandon(self) -> None:
        """Give the thread up, whatever it does; the next call gets a new one."""
        if self._jobs is not None and self._thread is not None:
            self._jobs.put(None)
            self._hanging.append(self._thread)
        self._jobs = self._thread = None

    def stop(self) -> None:
        """End the thread after what it does now."""
        if self._jobs is not None:
            self._jobs.put(None)
        self._jobs = self._thread = None


def _serve(jobs: queue.SimpleQueue[_Job | None]) -> None:
    while (job := jobs.get()) is not None:
        function, answer, loop = job
        result: Any = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
            failure = error
        try:
            loop.call_soon_threadsafe(_settle, answer, result, failure)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more


def _settle(answer: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if answer.done():
        return
    if failure is not None:
        answer.set_exception(failure)
    else:
        answer.set_result(result)
