"""One thread that owns one libvirt connection, and makes every call of it.

Every libvirt call is a remote one and blocks. On the event loop, which also carries the forward, it would wait for itself, for
ever. That holds for the hidden calls too: when the last reference to a connection or a domain goes, the library tells the
daemon so. Therefore no libvirt object ever leaves the thread: not in a result, not in a closure, and not in the traceback of an
exception. What the thread holds is made, used and released there.

A call that hangs cannot be cancelled: its thread is given up. It never keeps the program from ending, and releases what it
holds when the call returns at last.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

H = TypeVar("H")
T = TypeVar("T")


class CallError(Exception):
    """libvirt refused a call. A plain copy of `libvirtError`, which would carry libvirt objects in its traceback.

    Attributes:
        code: `virErrorNumber`, 0 where there is none.
        says: libvirt's message.
    """

    def __init__(self, code: int, says: str) -> None:
        super().__init__(says)
        self.code = code
        self.says = says


class HungError(Exception):
    """A call did not end in time; its thread was given up."""


class BusyError(Exception):
    """A call could not even begin in time: others were before it. Nothing is wrong with the connection."""


class _Job:
    """One call. Either the thread begins it, or the caller withdraws it."""

    def __init__(self, function: Callable[[Any], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.function = function
        self._loop = loop
        self.answer: asyncio.Future[Any] = loop.create_future()
        self._taken = threading.Lock()

    def take(self) -> bool:
        """True for the first one who asks, be it the thread or the caller."""
        return self._taken.acquire(blocking=False)

    def settle(self, result: Any, failure: BaseException | None) -> None:
        """Hand the answer to the loop; where that is closed, nobody waits any more."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, self.answer, result, failure)


class Worker(Generic[H]):
    """Makes what the thread holds, runs calls on it one after the other, and releases it."""

    def __init__(self, make: Callable[[], H], release: Callable[[H], None], name: str = "libvirt") -> None:
        """Start the thread.

        Args:
            make: opens the connection; runs in the thread. What it raises, the first call raises.
            release: closes it; runs in the thread.
            name: of the thread.
        """
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        # A daemon thread: a call that never returns must not keep the program from ending.
        self._thread = threading.Thread(target=_serve, args=(self._jobs, make, release), name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True as long as the thread runs, or hangs."""
        return self._thread.is_alive()

    async def call(self, function: Callable[[H], T], limit: float) -> T:
        """Return what `function` returns in the thread; it must be plain data.

        Raises:
            CallError: libvirt refused.
            HungError: it did not end within `limit` seconds. The caller must not use this worker again.
            BusyError: calls before it took all of the time.
        """
        job = _Job(function, asyncio.get_running_loop())
        self._jobs.put(job)
        try:
            async with asyncio.timeout(limit):
                answer: T = await job.answer
                return answer
        except TimeoutError:
            if job.take():
                raise BusyError from None
            self.end()
            raise HungError from None
        finally:
            job.take()  # a caller that was cancelled wants no call that has not begun

    def end(self) -> None:
        """Let the thread end after what it does now."""
        self._jobs.put(None)

    async def close(self, limit: float) -> bool:
        """End the thread; return whether it did end within `limit` seconds."""
        self.end()
        until = time.monotonic() + limit
        while self._thread.is_alive():
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.005)
        return True


def _serve(jobs: queue.SimpleQueue[_Job | None], make: Callable[[], H], release: Callable[[H], None]) -> None:
    held: list[H] = []
    broken: BaseException | None = None
    try:
        held.append(make())
    except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
        broken = _plain(error)
    while (job := jobs.get()) is not None:
        if not job.take():
            continue
        result: Any = None
        failure = broken
        if broken is None:
            try:
                result = job.function(held[0])
            except BaseException as error:  # noqa: BLE001 - as above
                failure = _plain(error)
        job.settle(result, failure)
        del job, result, failure
    if held:
        release(held.pop())


def _plain(error: BaseException) -> BaseException:
    """Return the error without the frames that it came through: they hold libvirt objects.

    A frame that holds the exception which it raised is a cycle. Left alone it is collected at some later time, in whichever
    thread that happens: therefore the frames are emptied here.
    """
    story = "".join(traceback.format_exception(error, limit=-8))
    chain: BaseException | None = error
    while chain is not None:
        traceback.clear_frames(chain.__traceback__)
        following = chain.__cause__ or chain.__context__
        chain.__traceback__ = chain.__cause__ = chain.__context__ = None
        chain = following
    code = getattr(error, "get_error_code", None)
    if code is not None:
        return CallError(int(code() or 0), str(error))
    error.add_note(story)  # for the log
    return error


def _settle(answer: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    if answer.done():
        return
    if failure is not None:
        answer.set_exception(failure)
    else:
        answer.set_result(result)
