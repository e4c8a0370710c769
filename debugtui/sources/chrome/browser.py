"""One browser and the server that drives it, owned by one task: started when asked, stopped when idle, never left."""

from __future__ import annotations

import asyncio
import base64
import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.chrome import folder as folders
from debugtui.sources.chrome import processes, server
from debugtui.sources.chrome.gateway import Gateway
from debugtui.sources.chrome.install import Programs
from debugtui.sources.chrome.server import innermost

if TYPE_CHECKING:
    from mcp import Client

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

#: Seconds without a call after which the browser is stopped.
IDLE_S = 120.0

#: More seconds for the first call: the browser starts with it.
FIRST_CALL_S = 20.0

#: Seconds that processes get to end by themselves once their input has ended.
_PATIENCE_S = 1.0

#: Most bytes of memory that the browser may hold for itself before it is ended; an ordinary page needs 0.3 GB.
MEMORY_LIMIT = 1_500_000_000

#: Seconds between two looks at the memory while a call is under way.
_LOOK_S = 2.0


class BrowserError(Exception):
    """A call did not come back, or the browser broke on the way; it has been ended, and starts anew with the next call.

    Attributes:
        says: one line.
        of_page: whether it is the page's doing: it hangs, or uses too much memory.
    """

    def __init__(self, says: str, *, of_page: bool = False) -> None:
        super().__init__(says)
        self.says = says
        self.of_page = of_page


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered. `failed`: it could not do it; `text` then says why. `data`: its structured part. `image`: bytes."""

    failed: bool
    text: str
    data: Mapping[str, Any]
    image: bytes = b""


@dataclass(slots=True)
class _Call:
    tool: str
    arguments: dict[str, Any]
    limit_s: float
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Browser:
    """A browser that reaches what `gateway` reaches.

    Args:
        find: finds the programs; it may block, and raises SourceError where one is missing.
        gateway: the only way out.
        idle_s: seconds without a call after which it is stopped.
    """

    def __init__(self, find: Callable[[], Programs], gateway: Gateway, *, idle_s: float = IDLE_S) -> None:
        self._find = find
        self._gateway = gateway
        self._idle_s = idle_s
        self._calls: asyncio.Queue[_Call] = asyncio.Queue()
        self._owner: asyncio.Task[None] | None = None
        self._folder: Path | None = None
        self._stopping = False
        #: How often it was started; page numbers hold for one start.
        self.starts = 0

    @property
    def running(self) -> bool:
        """Whether it is up, or starting."""
        return self._owner is not None and not self._owner.done()

    @property
    def folder(self) -> Path:
        """Its private folder, the only one that it may write to.

        Raises:
            BrowserError: it does not run.
        """
        if self._folder is None:
            raise BrowserError("the browser does not run")
        return self._folder

    async def call(self, tool: str, arguments: dict[str, Any], *, limit_s: float) -> Answer:
        """Call one tool; the browser is started where it does not run. Calls are made one after the other.

        Args:
            tool: its name.
            arguments: as the tool wants them.
            limit_s: seconds, counted without the start. When they are over, or the caller is cancelled, the browser is ended:
                the server would finish the call first, however long that takes.

        Raises:
            BrowserError: it took too long, or the browser broke.
            SourceError: the browser cannot be started.
        """
        call = _Call(tool, arguments, limit_s)
        self._calls.put_nowait(call)
        if not self.running:
            self._stopping = False
            self._owner = asyncio.create_task(self._own(), name="browser")
        return await call.answer

    async def stop(self) -> None:
        """End it, and wait until nothing of it is left. Safe to call twice."""
        owner = self._owner
        if owner is not None:
            self._stopping = True
            owner.cancel()
            await asyncio.wait({owner})

    async def _own(self) -> None:
        """Start, serve calls until idle or broken, end everything; again where calls came meanwhile."""
        error: Exception = BrowserError("the browser was stopped")
        try:
            while True:
                await self._once()
                if self._calls.empty() or self._stopping:
                    return
        except SourceError as failure:
            error = failure
        except BaseExceptionGroup as group:  # how the client reports that its server went away
            error = BrowserError(f"the browser's server broke: {innermost(group)}")
            _log.warning("browser: %s", error)
        finally:
            while not self._calls.empty():
                _fail(self._calls.get_nowait(), error)

    async def _once(self) -> None:
        """One life of the browser. The client demands to be entered and left in the same task."""
        programs = await asyncio.to_thread(self._find)
        await asyncio.to_thread(importlib.import_module, "mcp")  # takes most of a second
        making = asyncio.create_task(asyncio.to_thread(folders.make))
        known: set[processes.Process] = set()
        try:
            await self._gateway.start()
            folder = self._folder = await asyncio.shield(making)
            async with server.started(programs, folder, self._gateway.port) as client:
                self.starts += 1
                try:
                    await self._serve(client)
                finally:
                    known = await _through(_tree, folder)
        finally:
            await self._clean(making, known)

    async def _clean(self, making: asyncio.Task[Path], known: set[processes.Process]) -> None:
        """After the client has left, see to it that nothing is left, whatever happened."""
        self._folder = None
        try:
            await _through(_sweep, await _wait_for(making), known)
        finally:
            await self._gateway.close()

    async def _serve(self, client: Client) -> None:
        """Make calls until idle, or until one does not come back."""
        first = True
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    call = await self._calls.get()
            except TimeoutError:
                return
            if call.answer.cancelled():
                continue
            extra = FIRST_CALL_S if first else 0.0
            try:
                first = not await self._make(client, call, extra) and first
            except BrowserError as error:
                _fail(call, error)
                return
            except BaseException:
                _fail(call, BrowserError("the browser was stopped"))
                raise
            if call.answer.cancelled():
                return

    async def _make(self, client: Client, call: _Call, extra_s: float) -> bool:
        limit = call.limit_s + extra_s
        asked = asyncio.ensure_future(client.call_tool(call.tool, call.arguments, read_timeout_seconds=limit + 5.0))
        watch = asyncio.create_task(self._watch())
        try:
            ends: set[asyncio.Future[Any]] = {asked, watch, call.answer}
            await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                raise BrowserError(f"it uses more than {MEMORY_LIMIT / 1e9:.1f} GB of memory", of_page=True)
            if not asked.done():
                raise BrowserError(f"nothing came back from {call.tool} within {limit:.0f} s", of_page=True)
            if not call.answer.done():
                call.answer.set_result(_answer(_result(asked, call.tool)))
        finally:
            for task in (asked, watch):
                task.cancel()
            await asyncio.gather(asked, watch, return_exceptions=True)
        return True

    async def _watch(self) -> None:
        """Return once the browser holds too much memory."""
        folder = self.folder
        while True:
            await asyncio.sleep(_LOOK_S)
            if await asyncio.to_thread(lambda: processes.private_bytes(_tree(folder))) > MEMORY_LIMIT:
                return


def _tree(folder: Path) -> set[processes.Process]:
    everyone = processes.all_of_ours()
    return processes.below(folders.server_pid(folder), everyone) | processes.naming(folder, everyone)


def _result(asked: asyncio.Future[Any], tool: str) -> Any:
    try:
        return asked.result()
    except Exception as error:  # the library's own kinds: closed connection, refused call, invalid answer
        raise BrowserError(f"{tool} failed: {line(str(error) or type(error).__name__, 300)}") from error


def _answer(result: Any) -> Answer:
    texts = [part.text for part in result.content if part.type == "text"]
    images = [part.data for part in result.content if part.type == "image"]
    data = result.structured_content if isinstance(result.structured_content, dict) else {}
    said = data.get("errorMessage") or data.get("message")
    text = said if isinstance(said, str) else "\n".join(texts)
    return Answer(bool(result.is_error), text, data, base64.b64decode(images[0]) if images else b"")


def _fail(call: _Call, error: Exception) -> None:
    if not call.answer.done():
        call.answer.set_exception(error)
        call.answer.exception()  # seen: whoever asked may be gone


def _sweep(folder: Path, known: set[processes.Process]) -> None:
    killed = processes.end(known, folder, _PATIENCE_S)
    if killed:
        _log.info("browser: %d processes had to be killed", len(killed))
    folders.remove(folder)


async def _through(work: Callable[..., _T], *arguments: Any) -> _T:
    """Run `work` in a thread and wait for its end, however often we are cancelled meanwhile."""
    return await _wait_for(asyncio.create_task(asyncio.to_thread(work, *arguments)))


async def _wait_for(task: asyncio.Task[_T]) -> _T:
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue  # what cleans up is finished first; `stop` has left its mark
    return task.result()
