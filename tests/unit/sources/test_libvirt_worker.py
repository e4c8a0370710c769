"""The thread of a connection: nothing of it gets out, and whoever waits for it waits within bounds."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable

import pytest

from debugtui.sources.libvirt.worker import BusyError, CallError, HungError, Worker


class Held:
    """Stands for a connection: remembers the thread in which it was released."""

    def __init__(self) -> None:
        self.released: list[str] = []


class LibvirtError(Exception):
    """As libvirt's own: known by what it can do, since the library need not be there."""

    def get_error_code(self) -> int:
        return 42


def make(held: Held) -> Worker[Held]:
    return Worker(lambda: held, lambda one: one.released.append(threading.current_thread().name), "test-worker")


async def test_calls_run_in_the_thread_and_it_ends() -> None:
    held = Held()
    worker = make(held)
    assert await worker.call(lambda _: threading.current_thread().name, 1) == "test-worker"
    assert await worker.close(1)
    assert not worker.alive
    assert held.released == ["test-worker"]
    assert await worker.close(1)


async def test_an_error_of_libvirt_brings_no_frames_and_none_of_its_objects() -> None:
    gone: list[weakref.ref[Held]] = []

    def fail(_: Held) -> None:
        domain = Held()
        gone.append(weakref.ref(domain))
        error = LibvirtError("no domain")  # this frame and the error hold each other
        try:
            raise KeyError from error
        except KeyError:
            raise error from None

    worker = make(Held())
    gc.disable()  # what is freed must be freed at once, in the thread, not by a collection on the loop
    try:
        with pytest.raises(CallError) as raised:
            await worker.call(fail, 1)
        assert (raised.value.code, raised.value.says) == (42, "no domain")
        assert raised.value.__context__ is None
        assert gone[0]() is None
    finally:
        gc.enable()
    await worker.close(1)


async def test_a_fault_of_ours_keeps_its_story_but_not_its_frames() -> None:
    def fail(_: Held) -> None:
        raise ZeroDivisionError("ours")

    worker = make(Held())
    with pytest.raises(ZeroDivisionError) as raised:
        await worker.call(fail, 1)
    assert "in fail" in raised.value.__notes__[0]
    frames = [entry.name for entry in raised.traceback]
    assert "fail" not in frames
    assert await worker.call(lambda _: 7, 1) == 7
    await worker.close(1)


async def test_what_cannot_be_made_is_said_to_everyone() -> None:
    def refuse() -> Held:
        raise LibvirtError("refused")

    worker: Worker[Held] = Worker(refuse, lambda _: None)
    for _ in range(2):
        with pytest.raises(CallError, match="refused"):
            await worker.call(lambda _: None, 1)
    assert await worker.close(1)


@pytest.fixture
def release() -> threading.Event:
    return threading.Event()


def hang(release: threading.Event) -> Callable[[Held], bool]:
    return lambda _: release.wait(10)


async def test_a_call_that_hangs_is_given_up_and_cleans_up_when_it_returns(release: threading.Event) -> None:
    held = Held()
    worker = make(held)
    with pytest.raises(HungError):
        await worker.call(hang(release), 0.05)
    assert not await worker.close(0.05)
    assert worker.alive
    assert not held.released
    release.set()
    assert await worker.close(1)
    assert held.released == ["test-worker"]


async def test_who_only_waited_in_the_queue_blames_nobody(release: threading.Event) -> None:
    worker = make(Held())
    slow = asyncio.create_task(worker.call(hang(release), 5))
    await asyncio.sleep(0.02)
    ran: list[int] = []
    with pytest.raises(BusyError):
        await worker.call(lambda _: ran.append(1), 0.05)
    release.set()
    assert await slow is True
    assert await worker.call(lambda _: 7, 1) == 7
    assert not ran  # it was withdrawn
    await worker.close(1)


async def test_a_cancelled_caller_leaves_the_connection_in_use(release: threading.Event) -> None:
    worker = make(Held())
    caller = asyncio.create_task(worker.call(hang(release), 5))
    await asyncio.sleep(0.02)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    release.set()
    assert await worker.call(lambda _: 7, 1) == 7
    await worker.close(1)


def test_a_loop_that_is_gone_hurts_nobody(release: threading.Event) -> None:
    workers: list[Worker[Held]] = []

    async def leave() -> None:
        workers.append(make(Held()))
        with pytest.raises(HungError):
            await workers[0].call(hang(release), 0.02)

    asyncio.run(leave())
    release.set()
    asyncio.run(workers[0].close(2))
    assert not workers[0].alive
