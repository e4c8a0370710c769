"""Pieces of growing files on a host.

One command reads all that are asked for at the same moment, and finds a file again that was renamed under its reader.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from debugtui.hosts.link import Link, LinkError
from debugtui.model.source import Problem
from debugtui.model.text import decode, line
from debugtui.sources.base import SourceError

#: Bytes that one request brings at most, and requests that one command answers at most.
STEP, AT_ONCE = 1_000_000, 20
#: Seconds that one command may take, and that requests are gathered for.
LIMIT_S, GATHER_S = 10.0, 0.02

# For each file: prints `state inode begin size beside`, then the piece, then the token. `inode` 0: not read yet. A negative
# start counts from the end. Where the path leads to another file than before, the one of that inode is looked for beside it: it
# was renamed, and its rest comes first. `beside` is then the size of the file that took its place, -1 where there is none.
# A pipe or a device would keep the reader waiting: only plain files are read.
SCRIPT = r"""
LC_ALL=C
export LC_ALL
token=$1
shift
while [ $# -ge 4 ]; do
  path=$1 inode=$2 start=$3 most=$4
  shift 4
  file=$path state=same beside=-1
  set_about() { about=$(stat -L -c '%i %s' -- "$1" 2>/dev/null); }
  set_about "$path"
  if [ "$inode" != 0 ] && [ "${about%% *}" != "$inode" ]; then
    [ -n "$about" ] && beside=${about#* }
    state=gone
    for one in "$path"?*; do
      if [ "$(stat -c %i -- "$one" 2>/dev/null)" = "$inode" ]; then file=$one state=moved; set_about "$one"; break; fi
    done
    if [ $state = gone ] && [ -n "$about" ]; then state=new start=0; fi
  fi
  if [ -z "$about" ]; then
    if [ -d "${path%/*}/" ] && [ ! -x "${path%/*}/" ]; then state=denied; else [ $state = gone ] || state=missing; fi
    echo "$state 0 0 0 -1"
  elif [ ! -f "$file" ]; then echo "special 0 0 0 -1"
  elif [ ! -r "$file" ]; then echo "denied 0 0 0 -1"
  else
    size=${about#* }
    if [ "$start" -lt 0 ]; then start=$((size + start)); [ "$start" -ge 0 ] || start=0
    elif [ "$start" -gt "$size" ]; then state=cut start=0; fi
    count=$((size - start))
    [ "$count" -le "$most" ] || count=$most
    echo "$state ${about%% *} $start $size $beside"
    [ "$count" -le 0 ] || tail -c "+$((start + 1))" -- "$file" 2>/dev/null | head -c "$count"
  fi
  printf '\n%s\n' "$token"
done
"""

_REFUSALS = {
    "missing": Problem("there is no file {}", "may the login user look into that folder?"),
    "special": Problem("{} is not a plain file", "its program writes its log elsewhere"),
    "denied": Problem(
        "the login user may not read {}", "on the host: setfacl -m u:USER:r FILE, or put the login into group adm"
    ),
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file.

    Attributes:
        state: `same`; `moved`: it was renamed; `new`: it is another one, and the one before was not found; `cut`: it was begun
            again; `gone`: there is none now.
        inode: of the file.
        begin: where the piece begins.
        size: of the whole file.
        beside: size of the file that took the place of a renamed one; -1: none.
        data: of the piece.
    """

    state: str
    inode: int
    begin: int
    size: int
    beside: int
    data: bytes

    @property
    def end(self) -> int:
        """Where the next piece begins."""
        return self.begin + len(self.data)


@dataclass(slots=True)
class _Request:
    words: tuple[str, ...]
    most: int
    path: str
    answer: asyncio.Future[Piece]


class RemoteFiles:
    """Reads files of one host. It has one task while something is asked, which `close` ends."""

    def __init__(self, link: Link) -> None:
        """Prepare; nothing is opened."""
        self._link = link
        self._waiting: list[_Request] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def link(self) -> Link:
        """The host's link."""
        return self._link

    async def read(self, path: str, *, inode: int = 0, start: int = 0, most: int = STEP) -> Piece:
        """Return a piece of a file.

        Args:
            path: absolute.
            inode: of the file that was read before, to notice another one in its place; 0: whichever is there.
            start: where the piece begins; negative: so many bytes before the end.
            most: bytes of it.

        Raises:
            SourceError: it cannot be read.
            LinkError: the link is not up, or the host did not answer.
        """
        answer: asyncio.Future[Piece] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request((path, str(inode), str(start), str(most)), most, path, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name=f"read files of {self._link.host}")
        return await answer

    async def close(self) -> None:
        """End the task. Safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_S)
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            batch = [request for request in batch if not request.answer.done()]
            if not batch:
                continue
            try:
                await self._answer(batch)
            except LinkError as error:
                _fail(batch, LinkError(error.problem, refused=error.refused))
            except BaseException:
                _fail([*batch, *self._waiting], LinkError(Problem(f"reading files of {self._link.host} was ended")))
                raise

    async def _answer(self, batch: Sequence[_Request]) -> None:
        token = secrets.token_hex(16)
        words = [word for request in batch for word in request.words]
        limit = sum(request.most + 200 for request in batch)
        done = await self._link.run(["sh", "-c", SCRIPT, "debugtui", token, *words], timeout=LIMIT_S, limit=limit)
        parts = done.stdout.split(f"\n{token}\n".encode())
        for number, request in enumerate(batch):
            if request.answer.done():
                continue
            try:
                request.answer.set_result(_piece(request.path, parts[number] if number < len(parts) - 1 else b"", done.stderr))
            except SourceError as error:
                request.answer.set_exception(error)


def _fail(batch: Sequence[_Request], error: LinkError) -> None:
    for request in batch:
        if not request.answer.done():
            request.answer.set_exception(LinkError(error.problem, refused=error.refused))


def _piece(path: str, part: bytes, stderr: bytes) -> Piece:
    header, _, data = part.partition(b"\n")
    words = header.decode("ascii", "replace").split()
    if len(words) != 5 or not all(word.lstrip("-").isdigit() for word in words[1:]):
        said = line(decode(stderr), 200).strip() or "no answer"
        raise SourceError(Problem(f"cannot read {line(path, 200)}: {said}"))
    refusal = _REFUSALS.get(words[0])
    if refusal is not None:
        raise SourceError(Problem(refusal.says.format(line(path, 200)), refusal.hint))
    inode, begin, size, beside = (int(word) for word in words[1:])
    return Piece(words[0], inode, begin, size, beside, data)
