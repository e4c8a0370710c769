"""The figures of stub_status, and their rates."""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

from debugtui.hosts.link import Link
from debugtui.model.nginx import StubStatus

LIMIT_S = 4.0
_PAGE = re.compile(
    r"Active connections:\s*(\d+)\s+server accepts handled requests\s+(\d+)\s+(\d+)\s+(\d+)\s+"
    r"Reading:\s*(\d+)\s+Writing:\s*(\d+)\s+Waiting:\s*(\d+)\s*",
    re.ASCII,
)


class Counters(NamedTuple):
    """Counters since the master began, and the monotonic time of the look, in seconds."""

    accepts: int
    requests: int
    at: float


async def ask(link: Link, url: str) -> str:
    """Return the page of stub_status.

    Raises:
        OSError, LinkError, TimeoutError: it cannot be reached.
    """
    import httpcore

    from debugtui.sources.nginx.backend import LinkBackend

    async with asyncio.timeout(LIMIT_S), httpcore.AsyncConnectionPool(network_backend=LinkBackend(link)) as pool:
        try:
            answer = await pool.request("GET", url, headers={"User-Agent": "DebugTUI", "Connection": "close"})
        except httpcore.NetworkError as error:
            raise OSError(str(error)) from error
        except (httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise OSError(str(error) or "no answer") from error
    return answer.content[:10_000].decode("ascii", "replace") if answer.status == 200 else ""


def parse(page: str, before: Counters | None, at: float) -> tuple[StubStatus, Counters] | None:
    """Read the page; None where it is none. Rates need the counters of the look before."""
    match = _PAGE.fullmatch(page.strip() + "\n")
    if match is None:
        return None
    active, accepts, handled, requests, reading, writing, waiting = (int(text) for text in match.groups())
    now = Counters(accepts, requests, at)
    rates: tuple[float | None, float | None] = (None, None)
    if before is not None and at > before.at and requests >= before.requests and accepts >= before.accepts:
        span = at - before.at
        # Our own question is a request too.
        rates = (max(0.0, requests - before.requests - 1) / span, max(0.0, accepts - before.accepts - 1) / span)
    return StubStatus(active, reading, writing, waiting, accepts - handled, *rates), now
