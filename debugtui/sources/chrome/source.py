"""The source of one page: opens it in a browser that sees what the host sees."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from debugtui.config.hosts import WebConfig
from debugtui.config.redaction import redact
from debugtui.hosts.link import Endpoint, Link, LinkError
from debugtui.model.chrome import ChromeReading, PageRequest, Picture, Story
from debugtui.model.source import Gap, Kind, LinkState, Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.chrome import install, page, pictures, script
from debugtui.sources.chrome.addresses import host_and_port, same_site, shown
from debugtui.sources.chrome.answers import console, number, pairs, text, tree
from debugtui.sources.chrome.browser import IDLE_S, Browser, BrowserError
from debugtui.sources.chrome.gateway import Gateway
from debugtui.sources.chrome.requests import PROXY_FAILED, elsewhere, joined, reason
from debugtui.sources.chrome.turns import turns

#: Least seconds between two visits: each costs some seconds of a processor, here and on the watched side.
PERIOD_S = 60.0

#: Seconds for a whole visit.
LIMIT_S = 60.0

#: Failed requests and slow ones that a reading holds.
MOST_FAILED, MOST_SLOW = 100, 10

#: Failed requests that are looked up in the logs, and seconds for all of them together.
_MOST_STORIES, _STORIES_S = 10, 10.0

#: Seconds for which a way to an address is taken again without trying it anew.
_WAY_GOOD_FOR_S = 5.0

Tell = Callable[[PageRequest], Awaitable[Story]]


class ChromeSource:
    """One page, opened in a browser.

    The page's host, its subdomains and siblings are reached, through the link (with `direct`: from this machine); nothing else.

    Args:
        link: of the host.
        config: which page, and its budgets.
        pictures: folder for the screenshots; None: in the state directory.
        story: looks up one failed request in the logs; None: nothing is looked up.
        clock: tells the time (UTC).
        find: finds the programs.
        idle_s: seconds after which an unused browser is stopped.
    """

    kind = Kind.CHROME
    has_rates = False
    limit_s = LIMIT_S

    def __init__(
        self,
        link: Link,
        config: WebConfig,
        *,
        pictures: Path | None = None,
        story: Tell | None = None,
        clock: Callable[[], datetime] | None = None,
        find: Callable[[], install.Programs] = install.find,
        idle_s: float = IDLE_S,
    ) -> None:
        self.name = config.name
        self.period_s = max(PERIOD_S, config.every)
        self._link = link
        self._config = config
        self._pictures = pictures
        self._story = story
        self._clock = clock or (lambda: datetime.now(UTC))
        self._page = host_and_port(config.url)
        self._ways: dict[tuple[str, int], tuple[float, Endpoint]] = {}
        self._gateway = Gateway(self._dial, self._allowed)
        self._browser = Browser(find, self._gateway, idle_s=idle_s)

    async def read(self, *, full: bool) -> ChromeReading:
        """Open the page, wait until it has come to rest, and read everything; see `Source.read`. Each read is a whole one.

        Raises:
            SourceError: browser, Node.js or the server is missing, or broke.
            LinkError: the link is not up, or does not let us reach the page's address.
        """
        self._check_link()
        began, taken_at = time.monotonic(), self._clock()
        async with turns().turn(self._browser):
            self._gateway.forget()
            seen = await self._visit()
            picture, lost = await self._keep(seen, taken_at)
        fault = self._fault(seen)
        requests = [] if fault and not seen.collected else self._requests(seen)
        failed = tuple(request for request in requests if request.failed)[:MOST_FAILED]
        stories, untold = await self._tell(failed)
        timed = (request for request in requests if request.ms is not None)
        collected = seen.collected
        budgets = self._config.budgets
        return ChromeReading(
            taken_at=taken_at,
            url=shown(self._config.url),
            fault=fault,
            status=_status(seen, requests),
            title=line(redact(text(collected, "title")), 300),
            console=await asyncio.to_thread(console, seen.console, _table(collected, "seen")),
            requests=len(requests),
            failed=failed,
            slowest=tuple(sorted(timed, key=lambda request: -(request.ms or 0.0))[:MOST_SLOW]),
            request_budget_ms=budgets.request * 1000,
            lcp_budget_ms=budgets.lcp * 1000,
            tti_budget_ms=budgets.tti * 1000,
            **_times(collected),
            tree=await asyncio.to_thread(tree, seen.snapshot),
            picture=picture,
            stories=stories,
            took_ms=round((time.monotonic() - began) * 1000, 1),
            gaps=(*seen.gaps, *self._elsewhere(seen), *lost, *untold),
        )

    async def close(self) -> None:
        """End the browser and everything it started. Safe to call twice."""
        await self._browser.stop()
        await self._gateway.close()

    def _check_link(self) -> None:
        status = self._link.status
        if not self._config.direct and status.state is not LinkState.UP:
            raise LinkError(status.problem or Problem(f"{line(self._link.host, 100)}: the link is not up"))

    async def _visit(self) -> page.Visit:
        """Visit the page; a browser that broke while it was idle gets a second chance."""
        try:
            try:
                return await page.visit(self._browser, self._config.url)
            except BrowserError:
                return await page.visit(self._browser, self._config.url)
        except BrowserError as error:
            raise SourceError(Problem(f"the browser: {error.says}", "it starts anew with the next check")) from error

    def _fault(self, seen: page.Visit) -> str:
        """Return why the page could not be opened; raise where that says nothing of the page."""
        error = self._gateway.failures.get(self._page)
        if error is not None and (seen.fault or seen.broke):
            self._check_link()
            if "does not allow forwarding" in error.problem.says:
                raise error
        if seen.broke is not None and not seen.collected:
            if not seen.broke.of_page:
                raise SourceError(Problem(f"the browser: {seen.broke.says}", "it starts anew with the next check"))
            # An address that says nothing keeps the navigation from coming back, as a script that never ends does.
            silent = self._page not in self._gateway.answered
            return f"no answer within {page.LOAD_S:.0f} s" if silent else f"it does not respond: {seen.broke.says}"
        if seen.broke is not None:
            seen.gaps.append(Gap("the rest of the page", Problem(seen.broke.says)))
        if seen.fault != PROXY_FAILED:
            return line(redact(seen.fault), 300)
        strangers = elsewhere(seen.requests, self._allowed)
        if strangers and error is None:
            return f"it redirects to {next(iter(strangers))}, where this check does not go"
        return reason(error)

    def _requests(self, seen: page.Visit) -> list[PageRequest]:
        return joined(seen.requests, seen.collected, self._gateway.failures, self._allowed)

    def _elsewhere(self, seen: page.Visit) -> tuple[Gap, ...]:
        hosts = elsewhere(seen.requests, self._allowed)
        if not hosts:
            return ()
        count = sum(hosts.values())
        names = ", ".join(sorted(hosts)[:5])
        made = "1 request was not made" if count == 1 else f"{count} requests were not made"
        return (Gap("other sites", Problem(f"{made}: {names}", "the check goes nowhere but to the page's own site")),)

    async def _keep(self, seen: page.Visit, at: datetime) -> tuple[Picture | None, tuple[Gap, ...]]:
        if seen.picture is None:
            return None, ()
        folder = self._pictures or pictures.default_folder()
        try:
            return await asyncio.to_thread(pictures.keep, seen.picture, folder, self._link.host, self.name, at), ()
        except (OSError, ValueError) as error:
            return None, (Gap("screenshot", Problem(line(str(error), 300))),)

    async def _tell(self, failed: tuple[PageRequest, ...]) -> tuple[tuple[Story, ...], tuple[Gap, ...]]:
        """Look failed requests up in the logs."""
        stories: list[Story] = []
        if self._story is None:
            return (), ()
        try:
            async with asyncio.timeout(_STORIES_S):
                for request in failed[:_MOST_STORIES]:
                    stories.append(await self._story(request))  # noqa: PERF401 - those told in time are kept
        except (SourceError, LinkError) as error:
            return tuple(stories), (Gap("coherence", error.problem),)
        except TimeoutError:
            return tuple(stories), (Gap("coherence", Problem(f"the logs did not answer within {_STORIES_S:.0f} s")),)
        return tuple(stories), ()

    def _allowed(self, host: str) -> bool:
        return same_site(host, self._page[0])

    async def _dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._config.direct:
            return await asyncio.open_connection(host, port)
        tried_at, way = self._ways.get((host, port), (float("-inf"), None))
        if way is None or time.monotonic() - tried_at > _WAY_GOOD_FOR_S:
            way = await self._link.reach_tcp(host, port)
            self._ways[host, port] = (time.monotonic(), way)
        if way.path:
            return await asyncio.open_unix_connection(way.path)
        return await asyncio.open_connection(way.host, way.port)


def _status(seen: page.Visit, requests: list[PageRequest]) -> int | None:
    """Return the document's status: what the page's own clock says, else the first answer that was no redirect."""
    said = number(_table(seen.collected, "nav"), "status")
    if said:
        return int(said)
    return next((one.status for one in requests if one.status and not 300 <= one.status < 400), None)


def _times(collected: Mapping[str, Any]) -> dict[str, float | None]:
    seen, navigation = _table(collected, "seen"), _table(collected, "nav")
    fcp = number(collected, "fcp")
    dcl, load = number(navigation, "dcl") or None, number(navigation, "load") or None
    tti = script.interactive(fcp, dcl, pairs(seen, "tasks"), number(collected, "now") or 0.0)
    found = {
        "ttfb_ms": number(navigation, "first") or None,
        "fcp_ms": fcp,
        "lcp_ms": number(seen, "lcp"),
        "tti_ms": tti,
        "load_ms": load,
    }
    rounded = {name: None if ms is None else round(ms, 1) for name, ms in found.items()}
    return {**rounded, "cls": round(script.layout_shift(pairs(seen, "shifts")), 4) if seen else None}


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}
