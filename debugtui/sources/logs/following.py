"""The lines of a growing file on a host: its end or everything from a moment on, then what is added, through rotations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from debugtui.model.logs import LogLine
from debugtui.sources.base import SourceError
from debugtui.sources.logs.files import STEP, Piece
from debugtui.sources.logs.origin import BATCH, PACE_S, Batch
from debugtui.sources.logs.reader import LineReader

#: Bytes of a line at a guess, and most bytes that are read backwards for a number of lines.
GUESS, TAIL_BYTES = 200, 16_000_000
#: Bytes that are looked into for a time, and how near (bytes) a moment is looked for before reading begins.
PROBE, NEAR = 32_768, 131_072
#: Bytes that a follower may be behind before it passes some over.
BEHIND = 64_000_000
#: Bytes above which a piece is taken apart in a thread.
LARGE = 65_536
#: Looks without anything new after which a line without an end is given out, and a renamed file is left for the new one.
IDLE, LEAVE = 3, 2
#: How far behind `until` reading goes on, since lines of a log are not quite in order.
SLACK = timedelta(seconds=60)


class Files(Protocol):
    """What gives pieces of a file; see `RemoteFiles.read`."""

    async def read(self, path: str, *, inode: int = 0, start: int = 0, most: int = STEP) -> Piece:
        """Return a piece of a file."""
        ...


class Following:
    """Reads one file."""

    def __init__(
        self,
        files: Files,
        path: str,
        reader: LineReader,
        *,
        before: str | None = None,
        moved: Callable[[], Awaitable[str | None]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            files: of the host.
            path: of the file.
            reader: makes lines of its bytes.
            before: path of the file that held the lines before the last rotation; None: none is known.
            moved: asked while nothing new comes: returns the path where the log goes on; None where it is the same.
        """
        self._files, self._path, self._reader = files, path, reader
        self._before, self._moved = before, moved
        self._inode = self._at = self._idle = 0

    async def lines(
        self, *, since: datetime | None, until: datetime | None, tail: int | None, follow: bool
    ) -> AsyncIterator[Batch]:
        """Yield its lines; see `LogOrigin.lines`."""
        window = _Window(since, until)
        history = self._last(tail) if tail is not None else self._from(since)
        async for found in history:
            for batch in batches(window.inside(found)):
                yield batch
            if window.over:
                return
        if not follow:
            for batch in batches(window.inside(self._reader.finish())):
                yield batch
            return
        yield []
        while True:
            found = await self._next()
            for batch in batches(window.inside(found)):
                yield batch
            if window.over:
                return

    # --- what is there

    async def _last(self, tail: int) -> AsyncIterator[Sequence[LogLine]]:
        """Yield the last lines, also those before the last rotation where the file is too short."""
        wanted = max(1, min(tail * GUESS, STEP))
        piece = await self._files.read(self._path, start=-wanted)
        self._inode, self._at = piece.inode, piece.end
        data = await self._backwards(self._path, piece, tail)
        missing = tail - data.count(b"\n")
        if missing > 0 and self._before is not None:
            older = await self._older(-max(1, min(missing * GUESS, STEP)))
            if older is not None:
                rest = await self._backwards(self._before, older, missing)
                data = (rest if rest.endswith(b"\n") or not rest else rest + b"\n") + data
        yield await self._read(_last_lines(data, tail))

    async def _backwards(self, path: str, piece: Piece, tail: int) -> bytes:
        """Return the bytes before and of a piece that hold so many whole lines, as far as they are there."""
        parts, begin, held = [piece.data], piece.begin, len(piece.data)
        lines = piece.data.count(b"\n")
        while begin > 0 and lines <= tail and held < TAIL_BYTES:
            start = max(0, begin - STEP)
            earlier = await self._files.read(path, inode=piece.inode, start=start, most=begin - start)
            if earlier.state not in ("same", "moved") or len(earlier.data) != begin - start:
                break
            parts.append(earlier.data)
            begin, held = start, held + len(earlier.data)
            lines += earlier.data.count(b"\n")
        data = b"".join(reversed(parts))
        return data if begin == 0 else data.partition(b"\n")[2]

    async def _older(self, start: int) -> Piece | None:
        """Return a piece of the file before the last rotation; None where there is none that can be read."""
        try:
            return await self._files.read(self._before or "", start=start)
        except SourceError:
            return None

    async def _from(self, since: datetime | None) -> AsyncIterator[Sequence[LogLine]]:
        """Yield everything that is there, from a moment on."""
        piece = await self._files.read(self._path, most=PROBE)
        self._inode = piece.inode
        if self._before is not None and (since is None or not self._is_older(piece, since)):
            older = await self._older(0)
            if older is not None:
                async for found in self._whole(self._before, older, since):
                    yield found
        async for found in self._whole(self._path, piece, since):
            yield found

    def _is_older(self, piece: Piece, since: datetime) -> bool:
        """Tell whether the first line of a file is from before a moment."""
        first = self._reader.first_time(b"\n" + piece.data)
        return first is not None and first < since

    async def _whole(self, path: str, piece: Piece, since: datetime | None) -> AsyncIterator[Sequence[LogLine]]:
        at = await self._seek(path, piece, since) if since is not None else 0
        size, begin = piece.size, at
        while at < size:
            piece = await self._files.read(path, inode=piece.inode, start=at, most=min(STEP, size - at))
            if piece.state not in ("same", "moved") or not piece.data:
                break
            data = piece.data.partition(b"\n")[2] if at == begin > 0 else piece.data
            at = piece.end
            yield await self._read(data)
        if path == self._path:
            self._at = at
        else:
            yield self._reader.finish()

    async def _seek(self, path: str, piece: Piece, since: datetime) -> int:
        """Return a place in the file a little before the first line of a moment."""
        low, high = 0, piece.size
        while high - low > NEAR:
            middle = (low + high) // 2
            probe = await self._files.read(path, inode=piece.inode, start=middle, most=PROBE)
            first = self._reader.first_time(probe.data)
            if first is None or first >= since:
                high = middle
            else:
                low = middle
        return low

    async def _read(self, data: bytes) -> Sequence[LogLine]:
        if len(data) < LARGE:
            return self._reader.feed(data)
        return await asyncio.to_thread(self._reader.feed, data)

    # --- what comes

    async def _next(self) -> Sequence[LogLine]:
        """Return what came since the last look; waits for the next one."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(PACE_S - loop.time() % PACE_S)
        found: list[LogLine] = []
        while True:
            piece = await self._files.read(self._path, inode=self._inode, start=self._at)
            if piece.state == "new" and await self._skipped():
                found += self._say("… it was rotated twice; what was written last to the first file may be missing")
                continue
            found += self._noted(piece)
            if piece.size - piece.begin > BEHIND:
                passed = piece.size - STEP - piece.begin
                found += self._say(f"… {passed} bytes were passed over: they came faster than they can be read")
                self._at = piece.size - STEP
                continue
            self._at = piece.end
            found += await self._read(piece.data)
            if piece.state == "moved" and not piece.data and piece.beside > 0 and self._idle >= LEAVE:
                found += self._reader.finish()
                self._inode = self._at = self._idle = 0  # its rest is read: on with the file that took its place
                continue
            if piece.data:
                self._idle = 0
            else:
                self._idle += 1
                await self._go_on(found)
            if piece.end >= piece.size or len(found) >= BATCH:
                return found

    async def _skipped(self) -> bool:
        """Go on with the file before the last rotation, where the one that was read is gone: it was rotated twice."""
        older = await self._older(0) if self._before is not None else None
        if older is None or older.inode == self._inode:
            return False
        self._inode, self._at, self._idle = older.inode, 0, 0
        return True

    def _noted(self, piece: Piece) -> list[LogLine]:
        """Take in which file a piece is of; say where lines may be missing."""
        if piece.state == "gone":
            return []
        self._inode = piece.inode
        if piece.state == "new":
            return self._say("… another file took its place; what was written last to the one before it may be missing")
        if piece.state == "cut":
            return self._say("… the log was begun again")
        return []

    def _say(self, text: str) -> list[LogLine]:
        return [*self._reader.finish(), LogLine(text, self._reader.last)]

    async def _go_on(self, found: list[LogLine]) -> None:
        """Do what is due while nothing new comes."""
        if self._idle == IDLE:
            found += self._reader.finish()
        if self._moved is not None and self._idle % IDLE == 0:
            path = await self._moved()
            if path is not None and path != self._path:
                found += self._reader.finish()
                self._path, self._inode, self._at = path, 0, 0


class _Window:
    """Leaves out the lines that are not asked for."""

    def __init__(self, since: datetime | None, until: datetime | None) -> None:
        self._since, self._until = since, until
        #: Whether nothing more can come.
        self.over = False

    def inside(self, lines: Sequence[LogLine]) -> Sequence[LogLine]:
        since, until = self._since, self._until
        if since is not None and lines:
            lines = [line for line in lines if line.at is None or line.at >= since]
        if until is not None and lines:
            self.over = any(line.at is not None and line.at > until + SLACK for line in lines[-1:])
            lines = [line for line in lines if line.at is None or line.at < until]
        return lines


def batches(lines: Sequence[LogLine]) -> Iterator[Batch]:
    """Yield lines in batches of at most `BATCH`; nothing where there are none."""
    for start in range(0, len(lines), BATCH):
        yield lines[start : start + BATCH]


def inside(lines: Sequence[LogLine], since: datetime | None, until: datetime | None) -> Sequence[LogLine]:
    """Return the lines of a span of time."""
    return _Window(since, until).inside(lines)


def _last_lines(data: bytes, count: int) -> bytes:
    """Return the last so many lines of a text."""
    end = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(count):
        end = data.rfind(b"\n", 0, end)
        if end < 0:
            return data
    return data[end + 1 :]
