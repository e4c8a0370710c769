"""Several origins at once: one that fails or hangs does not hold up the others, and no line comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from debugtui.hosts.link import LinkError
from debugtui.model.logs import LogLine, OriginState
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.logs import session as module
from debugtui.sources.logs.following import inside
from debugtui.sources.logs.origin import Batch
from debugtui.sources.logs.session import LogSession, Wanted

START = datetime(2026, 3, 14, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again sooner than in production."""
    monkeypatch.setattr(module, "AGAIN_S", 0.05)


def line(second: float, text: str = "") -> LogLine:
    return LogLine(text or f"at {second}", START + timedelta(seconds=second))


class Scripted:
    """An origin whose every opening goes as a function of its number says."""

    kind = "docker"

    def __init__(self, title: str, opening: Callable[[int, datetime | None], AsyncIterator[Batch]]) -> None:
        self.title, self.target = title, Target("kvm-01", "docker", title)
        self._opening = opening
        self.openings = 0

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        self.openings += 1
        async for batch in self._opening(self.openings, since):
            yield batch


def steady(*lines: LogLine) -> Callable[[int, datetime | None], AsyncIterator[Batch]]:
    async def opening(_: int, since: datetime | None) -> AsyncIterator[Batch]:
        yield inside(lines, since, None)
        yield []
        await asyncio.Event().wait()

    return opening


async def collected(session: LogSession, enough: Callable[[list[str]], bool], limit: float = 5) -> list[str]:
    """Return the texts until there are enough of them; the session is closed."""
    texts: list[str] = []
    try:
        async with asyncio.timeout(limit):
            async for part in session.batches():
                texts += [one.text for one in part.lines]
                if enough(texts):
                    break
    finally:
        await session.close()
    return texts


async def test_a_link_that_is_lost_and_comes_back_doubles_and_loses_nothing() -> None:
    log = [line(number / 4, f"line {number}") for number in range(60)]

    async def opening(number: int, since: datetime | None) -> AsyncIterator[Batch]:
        have = log[: 20 * number]
        yield inside(have, since, None)
        yield []
        if number < 3:
            raise LinkError(Problem("the link was lost"))
        await asyncio.Event().wait()

    session = LogSession([Scripted("api", opening)], Wanted(tail=None))
    texts = await collected(session, lambda texts: "line 59" in texts)
    assert [text for text in texts if text.startswith("line")] == [one.text for one in log]
    assert [text for text in texts if "lost" in text] == ["api: the link was lost"] * 2  # it came back in between


async def test_an_origin_that_fails_says_so_once_and_the_others_go_on() -> None:
    async def broken(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        raise SourceError(Problem("no such container", "was it removed?"))
        yield []

    async def ticking(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        yield []
        for second in range(1_000):
            yield [line(second)]
            await asyncio.sleep(0.02)

    bad = Scripted("bad", broken)
    session = LogSession([Scripted("good", ticking), bad], Wanted(), window=0.01)
    texts = await collected(session, lambda texts: bad.openings >= 4)
    assert [text for text in texts if not text.startswith("at")] == ["bad: no such container (was it removed?)"]
    assert len(texts) > 5
    assert [status.state for status in session.statuses] == [OriginState.LIVE, OriginState.FAILED]


async def test_a_fault_of_ours_in_one_origin_ends_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async def faulty(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        yield [line(1)]
        raise ZeroDivisionError

    session = LogSession([Scripted("good", steady(line(2))), Scripted("bad", faulty)], Wanted(), window=0.01)
    texts = await collected(session, lambda texts: len(texts) >= 3)
    assert set(texts) == {"at 1", "at 2", "bad: a fault of DebugTUI: ZeroDivisionError"}
    assert "ZeroDivisionError" in caplog.text


async def test_an_origin_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.2)

    async def hanging(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        await asyncio.Event().wait()
        yield []

    session = LogSession([Scripted("good", steady(line(1))), Scripted("hangs", hanging)], Wanted(), window=0.01)
    assert await collected(session, lambda texts: bool(texts)) == ["at 1"]
    assert session.statuses[1].state is OriginState.READING


async def test_a_flood_waits_for_who_reads_and_for_slower_origins() -> None:
    brought = 0

    async def flood(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        nonlocal brought
        for start in range(0, 100_000, 1_000):
            brought = start + 1_000
            yield [line((start + one) / 1_000, "x") for one in range(1_000)]

    async def slow(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        for second in range(0, 100, 10):
            await asyncio.sleep(0.02)
            yield [line(second, "slow")]

    session = LogSession([Scripted("flood", flood), Scripted("slow", slow)], Wanted(follow=False, tail=None))
    seen, times, ahead = 0, [], 0
    async for part in session.batches():
        seen += len(part.lines)
        ahead = max(ahead, brought - seen)
        times += [one.at for one in part.lines]
    assert seen == 100_010
    assert times == sorted(times)
    assert ahead < 50_000


async def test_without_following_it_ends_by_itself_with_every_line() -> None:
    async def once(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        yield [line(1), line(3)]

    async def broken(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        yield [line(2)]
        raise SourceError(Problem("gone"))

    session = LogSession([Scripted("one", once), Scripted("two", broken)], Wanted(follow=False))
    texts = await collected(session, lambda texts: False)
    assert [text for text in texts if text.startswith("at")] == ["at 1", "at 2", "at 3"]
    assert "two: gone" in texts
    assert [status.state for status in session.statuses] == [OriginState.ENDED, OriginState.FAILED]


async def test_closing_ends_every_task() -> None:
    session = LogSession([Scripted("one", steady(line(1)))], Wanted())
    await collected(session, lambda texts: bool(texts))
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("log kvm-01")]


async def test_what_is_absent_and_not_named_is_no_failure() -> None:
    async def absent(number: int, _: datetime | None) -> AsyncIterator[Batch]:
        raise SourceError(Problem("no journal"), absent=True)
        yield []

    session = LogSession([Scripted("good", steady(line(1))), Scripted("none", absent)], Wanted(), window=0.01)
    assert await collected(session, lambda texts: bool(texts)) == ["at 1"]
    assert session.statuses[1].state is OriginState.ENDED
    assert str(session.statuses[1].problem) == "no journal"
