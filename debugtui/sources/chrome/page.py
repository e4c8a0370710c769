"""One visit of a page: what is asked of the browser, in which order, and for how long it is waited."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from debugtui.model.source import Gap, Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.chrome import script
from debugtui.sources.chrome.answers import Entry, entries, items, number, text
from debugtui.sources.chrome.answers import script as returned
from debugtui.sources.chrome.browser import Answer, Browser, BrowserError

#: Seconds until the page has loaded; then until nothing has changed for `QUIET_S`, at most `SETTLE_S`.
LOAD_S, QUIET_S, SETTLE_S = 15.0, 1.5, 8.0

#: Seconds between two looks at the list of requests.
_LOOK_S = 0.3

#: Seconds beyond its own time limit that a navigation may take: the server waits for the page to come to rest.
_REST_S = 8.0

#: Seconds for a call that the page itself must answer, and for one that only the server answers.
_PAGE_S, _LIST_S = 8.0, 5.0

#: Most requests and messages that are read.
_MOST = 1000

_UNABLE = "Unable to navigate"
_TIMEOUT = "Navigation timeout"

_visits = itertools.count(1)


@dataclass
class Visit:
    """What one visit brought, as the browser said it.

    Attributes:
        fault: why the page could not be opened: the browser's code, or a sentence; empty where it was.
        broke: what broke on the way; the parts after it are missing. None: nothing.
        requests, console, collected, snapshot: raw answers.
        picture: the file with the screenshot, in the browser's folder; None where none was made.
        gaps: what could not be read.
        waiting: addresses that were under way when it was last asked which of them are blocked.
        blocked: those that a policy of the page forbids.
    """

    fault: str = ""
    broke: BrowserError | None = None
    requests: list[Entry] = field(default_factory=list)
    console: Mapping[str, Any] = field(default_factory=dict)
    collected: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    picture: Path | None = None
    gaps: list[Gap] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)


async def visit(browser: Browser, url: str) -> Visit:
    """Open a page in a window of its own, without anything remembered from earlier visits, and close it again.

    Raises:
        SourceError: the browser cannot be started.
        BrowserError: it broke before the page was asked for.
    """
    page = await _open(browser)
    seen = Visit()
    try:
        await _navigate(browser, page, url, seen)
        if not seen.fault:
            await _look(browser, page, seen)
        await browser.call("close_page", {"pageId": page}, limit_s=_PAGE_S)
    except BrowserError as error:
        seen.broke = error
    return seen


async def _open(browser: Browser) -> int:
    arguments = {"url": "about:blank", "isolatedContext": f"visit-{next(_visits)}"}
    answer = await browser.call("new_page", arguments, limit_s=_PAGE_S)
    chosen = [page for page in items(answer.data, "pages") if page.get("selected")]
    number_of_page = number(chosen[-1], "id") if chosen else None
    if answer.failed or number_of_page is None:
        await browser.stop()
        raise SourceError(Problem(f"the browser does not start: {_first_line(answer)}", _hint(answer.text)))
    return int(number_of_page)


def _hint(said: str) -> str:
    if "not found" in said.lower():
        return "install Chromium, or set DEBUGTUI_CHROME"
    return "does it start by hand, with --headless?"


def _first_line(answer: Answer) -> str:
    return line(answer.text.strip().partition("\n")[0], 300) or "no page was opened"


async def _navigate(browser: Browser, page: int, url: str, seen: Visit) -> None:
    arguments = {"pageId": page, "type": "url", "url": url, "timeout": int(LOAD_S * 1000), "initScript": script.LISTEN}
    answer = await browser.call("navigate_page", arguments, limit_s=LOAD_S + _REST_S)
    said = _first_line(answer)
    if not answer.failed and not said.startswith(_UNABLE):
        return
    fault = said.partition(": ")[2] if said.startswith(_UNABLE) else said
    if fault.startswith(_TIMEOUT):
        # One request that never ends keeps a page from loading that its users can see: then it is opened, if slowly.
        await _list(browser, page, seen)
        if any(entry.status is not None for entry in seen.requests[:1]):
            return
        fault = f"no answer within {LOAD_S:.0f} s"
    else:
        await _list(browser, page, seen)  # the redirects that led there
    seen.fault = fault.partition(" at ")[0].rstrip(".") if fault.startswith("net::") else fault


async def _look(browser: Browser, page: int, seen: Visit) -> None:
    """Read everything; first what the page need not answer itself, since a page may hang."""
    await _settle(browser, page, seen)
    kinds = ["error", "assert", "warn", "issue"]
    arguments = {"pageId": page, "types": kinds, "includeStackTraces": True, "pageSize": _MOST, "pageIdx": 0}
    answer = await browser.call("list_console_messages", arguments, limit_s=_LIST_S)
    if _done(answer, "console", seen):
        seen.console = answer.data
    arguments = {"pageId": page, "function": script.COLLECT, "waitForStableDom": False}
    answer = await browser.call("evaluate_script", arguments, limit_s=_PAGE_S)
    if _done(answer, "times", seen):
        seen.collected = await asyncio.to_thread(returned, answer.text)
    answer = await browser.call("take_snapshot", {"pageId": page}, limit_s=_PAGE_S)
    if _done(answer, "accessibility tree", seen):
        seen.snapshot = answer.data
    file = browser.folder / f"page-{page}.png"
    arguments = {"pageId": page, "format": "png", "filePath": str(file)}
    if _done(await browser.call("take_screenshot", arguments, limit_s=_PAGE_S), "screenshot", seen):
        seen.picture = file


def _done(answer: Answer, feature: str, seen: Visit) -> bool:
    if answer.failed:
        seen.gaps.append(Gap(feature, Problem(_first_line(answer))))
    return not answer.failed


async def _settle(browser: Browser, page: int, seen: Visit) -> None:
    """Wait until no request is under way and nothing has changed for a moment, but not for ever: a chat never ends."""
    clock = asyncio.get_running_loop().time
    began = changed = clock()
    while True:
        before = list(seen.requests)
        await _list(browser, page, seen)
        now = clock()
        if seen.requests != before:
            changed = now
        if now - began >= SETTLE_S or (now - changed >= QUIET_S and not await _waits(browser, page, seen)):
            return
        await asyncio.sleep(_LOOK_S)


async def _waits(browser: Browser, page: int, seen: Visit) -> bool:
    """Return whether a request is under way, apart from those that a policy of the page keeps from being made."""
    waiting = {entry.url for entry in seen.requests if entry.pending}
    if waiting and waiting != seen.waiting:
        arguments = {"pageId": page, "function": script.BLOCKED, "waitForStableDom": False}
        answer = await browser.call("evaluate_script", arguments, limit_s=_PAGE_S)
        seen.waiting = waiting
        seen.blocked = {text(item, "url") for item in items(returned(answer.text), "blocked")}
    return bool(waiting - seen.blocked)


async def _list(browser: Browser, page: int, seen: Visit) -> None:
    answer = await browser.call("list_network_requests", {"pageId": page, "pageSize": _MOST, "pageIdx": 0}, limit_s=_LIST_S)
    if answer.failed:
        raise BrowserError(f"the list of requests cannot be read: {_first_line(answer)}")
    seen.requests = entries(answer.data)
