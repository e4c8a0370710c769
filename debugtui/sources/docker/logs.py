"""A container's log: the engine's frames taken apart as they come, in batches that a viewer can swallow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from debugtui.model.logs import LogLine
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import LOST, AnswerError, EngineClient
from debugtui.sources.docker.fields import obj
from debugtui.sources.docker.inspecting import INSPECT_LIMIT, container_path, refusal
from debugtui.sources.loglines import KeyVeil, LineSplitter, RawLine, text_of

#: Most lines of a batch, and seconds that a batch gathers what comes.
BATCH = 2_000
GATHER = 0.1

#: What comes in larger pieces than this (bytes) is not gathered: there is more already.
_PLENTY = 32_768

#: Seconds that opening a log may take.
OPEN_LIMIT = 5.0

#: Seconds between two looks at a container that is about to be started again.
RETURN_PAUSE = 0.3

_STREAMS = {0: "stdout", 1: "stdout", 2: "stderr"}
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d) ?")
#: Longest time stamp, with the space behind it.
_STAMP_LENGTH = 36


class Stamps:
    """Reads the engine's time stamps. Lines come in runs of the same second, so that part is parsed once."""

    def __init__(self) -> None:
        self._second = b""
        self._zone = b""
        self._base = datetime.fromtimestamp(0, UTC)
        #: The newest time parsed, and its fraction of a second as it was written, which is finer.
        self.newest: datetime | None = None
        self._fraction = b""

    def parse(self, data: bytes) -> tuple[datetime | None, int]:
        """Return the time (UTC, nanoseconds cut) at the start of `data` and its length in bytes; None and 0 without one."""
        match = _STAMP.match(data)
        if match is None:
            return None, 0
        second, fraction, zone = match.groups()
        if second != self._second or zone != self._zone:
            try:
                base = datetime.fromisoformat(f"{second.decode()}{zone.decode()}").astimezone(UTC)
            except (ValueError, OverflowError):
                return None, 0
            self._second, self._zone, self._base = second, zone, base
        fraction = (fraction or b".").ljust(10, b"0")
        at = self._base.replace(microsecond=int(fraction[1:7]))
        if self.newest is None or at > self.newest or (at == self.newest and fraction > self._fraction):
            self.newest, self._fraction = at, fraction
        return at, match.end()

    @property
    def behind(self) -> str:
        """The moment just behind the newest time, as the engine takes it; empty where there is none."""
        if self.newest is None:
            return ""
        nanoseconds = int(self.newest.timestamp()) * 1_000_000_000 + int(self._fraction[1:]) + 1
        return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"


@dataclass(slots=True)
class _Stream:
    """One of a container's outputs: the line under way, its time, and whether a time stamp comes next."""

    name: str
    splitter: LineSplitter
    at: datetime | None = None
    fresh: bool = True
    veil: KeyVeil = field(default_factory=KeyVeil)


class Frames:
    """Takes the engine's answer apart, in whatever pieces it comes.

    Without a terminal it is frames: a header of eight bytes (the stream's number, three zeros, the length) and as many bytes.
    Each frame is a line, or a part of at most 16 kB of one; each begins with a time stamp. With a terminal it is the text as it
    is.
    """

    def __init__(self, *, terminal: bool) -> None:
        self.terminal = terminal
        self.stamps = Stamps()
        self._streams: dict[int, _Stream] = {}
        self._header = bytearray()
        self._left = 0
        self._current = self._stream(1 if not terminal else 0)
        self._stamp_rest = b""

    def _stream(self, number: int) -> _Stream:
        stream = self._streams.get(number)
        if stream is None:
            name = "" if self.terminal else _STREAMS.get(number, "")
            stream = self._streams[number] = _Stream(name, LineSplitter())
        return stream

    def feed(self, data: bytes) -> list[LogLine]:
        """Return the lines that `data` completes.

        Raises:
            ValueError: these are no frames.
        """
        found: list[LogLine] = []
        if self.terminal:
            self._raw(data, found)
            return found
        position, end = 0, len(data)
        while position < end:
            if not self._left:
                position = self._next_frame(data, position)
                continue
            piece = data[position : position + self._left]
            position += len(piece)
            self._left -= len(piece)
            self._part(piece, found, last=not self._left)
        return found

    def _next_frame(self, data: bytes, position: int) -> int:
        """Read a header, or as much of it as there is; return where its frame begins."""
        taken = data[position : position + 8 - len(self._header)]
        self._header += taken
        if len(self._header) == 8:
            number = self._header[0]
            if number > 2 or self._header[1] or self._header[2] or self._header[3]:
                raise ValueError("this is no log of a container without a terminal")
            self._left = int.from_bytes(self._header[4:], "big")
            self._header.clear()
            self._current = self._stream(number)
            self._current.fresh = True
        return position + len(taken)

    def _part(self, piece: bytes, found: list[LogLine], *, last: bool) -> None:
        """Take in a piece of a frame."""
        stream = self._current
        if stream.fresh:
            piece = self._stamp_rest + piece
            if not last and len(piece) < _STAMP_LENGTH:
                self._stamp_rest = piece  # the time stamp itself was cut in two
                return
            self._stamp_rest = b""
            stream.fresh = False
            at, length = self.stamps.parse(piece)
            if not stream.splitter.held:
                stream.at = at  # a part of a longer line has a stamp of its own: the line's is its first
            piece = piece[length:]
        found.extend([_line(raw, stream) for raw in stream.splitter.feed(piece)])

    def _raw(self, data: bytes, found: list[LogLine]) -> None:
        """Take in text of a terminal: each line begins with its time."""
        stream = self._current
        found.extend([self._stamped(raw, stream) for raw in stream.splitter.feed(data)])

    def _stamped(self, raw: RawLine, stream: _Stream) -> LogLine:
        if raw.continued:
            return _line(raw, stream)
        stream.at, length = self.stamps.parse(raw.data)
        return _line(RawLine(raw.data[length:], raw.skipped, raw.whole), stream)

    def finish(self) -> list[LogLine]:
        """Return what has no end of line, when nothing more comes."""
        found: list[LogLine] = []
        if self._stamp_rest:
            self._part(b"", found, last=True)
        for stream in self._streams.values():
            for raw in stream.splitter.finish():
                found += [self._stamped(raw, stream) if self.terminal else _line(raw, stream)]
        return found


def _line(raw: RawLine, stream: _Stream) -> LogLine:
    return LogLine(stream.veil.hide(text_of(raw)), stream.at, stream.name)


async def read_logs(
    client: EngineClient, identity: str, *, tail: int | None, since: datetime | None, follow: bool
) -> AsyncIterator[list[LogLine]]:
    """Yield a log in batches; see `DockerSource.logs`. Who asks slowly makes the engine wait: nothing is dropped."""
    state = await _state(client, identity)
    frames = Frames(terminal=obj(state.get("Config")).get("Tty") is True)
    wanted = "all" if tail is None else str(max(0, tail))
    params = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": wanted, "follow": "1" if follow else "0"}
    if since is not None:
        params["since"] = _seconds(since)
    while True:
        async for batch in _once(client, identity, params, frames):
            yield batch
        if not follow:
            return
        await asyncio.sleep(RETURN_PAUSE)  # the engine tells of an end a moment after the log has ended
        # An engine can end the stream before the last words: they are read behind it, and so is what came in between.
        follow = await _comes_back(client, identity)
        params["follow"] = "1" if follow else "0"
        frames = _again(frames, params)


def _again(frames: Frames, params: dict[str, str]) -> Frames:
    """Prepare to read on behind what was read."""
    if behind := frames.stamps.behind:
        params["since"], params["tail"] = behind, "all"
    return Frames(terminal=frames.terminal)


def _seconds(at: datetime) -> str:
    """Return a time as the engine takes it; whole microseconds, without the errors of a float."""
    whole = int(at.timestamp())
    return f"{whole}.{at.microsecond:06d}000"


async def _once(client: EngineClient, identity: str, params: dict[str, str], frames: Frames) -> AsyncIterator[list[LogLine]]:
    """Yield what one answer brings."""
    try:
        async with client.stream(container_path(identity, "logs"), params, timeout=OPEN_LIMIT) as content:
            async for batch in _batches(content, frames):
                yield batch
    except AnswerError as error:
        raise refusal(error, identity) from error
    except LOST as error:
        raise await client.lost(error) from error
    except ValueError as error:
        raise SourceError(Problem(f"the log is not understood: {error}")) from error


async def _batches(content: aiohttp.StreamReader, frames: Frames) -> AsyncIterator[list[LogLine]]:
    loop = asyncio.get_running_loop()
    while data := await content.readany():
        lines = frames.feed(data)
        if len(data) < _PLENTY and not content.at_eof():
            # A trickle of small pieces: let some come together, so that each is not woken up for.
            until = loop.time() + GATHER
            await asyncio.sleep(GATHER)
            while loop.time() <= until + GATHER and len(lines) < BATCH and (more := content.read_nowait()):
                lines += frames.feed(more)
        for start in range(0, len(lines), BATCH):
            yield lines[start : start + BATCH]
    if lines := frames.finish():
        yield lines


async def _state(client: EngineClient, identity: str) -> Any:
    try:
        return obj(await client.get_json(container_path(identity, "json"), timeout=OPEN_LIMIT, limit=INSPECT_LIMIT))
    except AnswerError as error:
        raise refusal(error, identity) from error


async def _comes_back(client: EngineClient, identity: str) -> bool:
    """Wait until a container whose log ended runs again; false where it has ended for good.

    Raises:
        SourceError: it was removed, or the engine is gone; `LinkError`: the link is.
    """
    while True:
        state = obj((await _state(client, identity)).get("State"))
        if state.get("Restarting") is True:
            await asyncio.sleep(RETURN_PAUSE)
            continue
        return state.get("Running") is True
