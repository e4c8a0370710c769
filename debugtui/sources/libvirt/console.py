"""The serial console's log: the end of a file on the host, and what is added to it.

libvirt's own console stream is never opened: it needs more than a read-only connection, and takes the console away from
whoever uses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from debugtui.hosts.link import Link
from debugtui.model.logs import LogLine
from debugtui.model.source import Problem
from debugtui.model.text import decode, line
from debugtui.sources.base import SourceError
from debugtui.sources.loglines import LineSplitter, RawLine, text_of

#: Bytes that are read at first, and at most at once.
TAIL = 200_000
STEP = 1_000_000
#: Seconds between two looks, and that one look may take.
PAUSE = 1.0
LIMIT = 5.0

NOWHERE = Problem(
    "this VM logs its serial console nowhere",
    "give its <serial> a <log file='/var/log/libvirt/qemu/NAME-serial.log' append='on'/>",
)

# Prints the file's inode, where the piece begins and where the file ends, then the piece: at most $4 bytes, from $3 on if the
# file is still the same ($2) and has not shrunk. A pipe or a device would keep the reader waiting: only plain files are read.
SCRIPT = """
[ -e "$1" ] || exit 3
[ -f "$1" ] || exit 4
[ -r "$1" ] || exit 5
set -- "$@" $(stat -L -c '%i %s' -- "$1")
inode=$5 size=$6 start=$3
if [ "$2" != "$inode" ] || [ "$size" -lt "$start" ]; then start=0; fi
if [ $((size - start)) -gt "$4" ]; then start=$((size - $4)); fi
echo "$inode $start $size"
[ "$size" -le "$start" ] || tail -c "+$((start + 1))" -- "$1" | head -c "$((size - start))"
"""
_REFUSALS = {
    3: Problem(
        "there is no file {}", "was the VM started since its log was configured? may the login user look into that folder?"
    ),
    4: Problem("{} is not a plain file", NOWHERE.hint),
    5: Problem("the login user may not read {}", "on the host: setfacl -m u:USER:r FILE, and x on the folders above it"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read. `inode` 0: not at all yet."""

    inode: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the file, and where the next one begins. `begins` is where it begins itself."""

    data: bytes
    mark: Mark
    begins: int


async def read_piece(link: Link, path: str, mark: Mark, limit: int) -> Piece:
    """Return what came after `mark`, or the file's end where that is new; at most `limit` bytes, the last ones.

    Raises:
        SourceError: the file cannot be read.
        LinkError: the link is not up.
    """
    argv = ["sh", "-c", SCRIPT, "sh", path, str(mark.inode), str(mark.position), str(limit)]
    done = await link.run(argv, timeout=LIMIT, limit=limit + 200)
    header, _, data = done.stdout.partition(b"\n")
    numbers = header.split()
    if done.status != 0 or len(numbers) != 3 or not all(number.isdigit() for number in numbers):
        refusal = _REFUSALS.get(done.status)
        if refusal is not None:
            raise SourceError(Problem(refusal.says.format(line(path, 200)), refusal.hint))
        said = line(decode(done.stderr), 200).strip() or f"exit status {done.status}"
        raise SourceError(Problem(f"cannot read {line(path, 200)}: {said}"))
    inode, begins, _ = (int(number) for number in numbers)
    return Piece(data, Mark(inode, begins + len(data)), begins)


async def last_lines(link: Link, path: str, limit: int) -> list[LogLine]:
    """Return the last whole lines of at most `limit` bytes."""
    piece = await read_piece(link, path, Mark(), max(1, min(limit, STEP)))
    splitter = LineSplitter()
    return _lines([*splitter.feed(_from_a_line(piece)), *splitter.finish()])


async def follow(link: Link, path: str) -> AsyncIterator[list[LogLine]]:
    """Yield the last lines, then lines as they come; says so where some were passed over or the file was begun again."""
    piece = await read_piece(link, path, Mark(), TAIL)
    splitter, mark, prompt = LineSplitter(), piece.mark, False
    found = _lines(splitter.feed(_from_a_line(piece)))
    while True:
        if found:
            yield found
        await asyncio.sleep(PAUSE)
        piece = await read_piece(link, path, mark, STEP)
        note = _note(mark, piece)
        found = [*_lines(splitter.finish()), LogLine(note)] if note else []
        if piece.data:
            prompt = piece.data.rsplit(b"\n", 1)[-1].endswith(b" ")
            found += _lines(splitter.feed(piece.data))
        elif splitter.held and prompt:  # `login: ` waits for an answer, not for its end
            found += _lines(splitter.finish())
        mark = piece.mark


def _from_a_line(piece: Piece) -> bytes:
    """Leave off the rest of a line whose beginning was not read."""
    if piece.begins == 0:
        return piece.data
    return piece.data.partition(b"\n")[2] or piece.data


def _note(mark: Mark, piece: Piece) -> str:
    if piece.mark.inode != mark.inode or piece.begins < mark.position:
        skipped = piece.begins
        again = "the log was begun again"
        return f"… {again}, and {skipped} bytes of it were passed over" if skipped else f"… {again}"
    skipped = piece.begins - mark.position
    return f"… {skipped} bytes were passed over: they came faster than they can be read" if skipped else ""


def _lines(raws: list[RawLine]) -> list[LogLine]:
    return [LogLine(text_of(raw)) for raw in raws]
