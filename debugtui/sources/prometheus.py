"""One question to a Prometheus: the newest value of an expression."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from debugtui.hosts.link import Link
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError

#: Seconds for an answer; most bytes of it.
LIMIT_S, MOST = 10.0, 2_000_000


async def instant_query(url: str, query: str, link: Link | None) -> list[dict[str, Any]]:
    """Return what `/api/v1/query` answers, `data.result`: a list of `{"metric": {...}, "value": [time, "text"]}`.

    Args:
        url: where the API is, as seen from the host, or from here where `link` is None.
        query: PromQL.
        link: of the host in between.

    Raises:
        SourceError: there is no answer, or it is an error.
        LinkError: the link is not up.
    """
    import httpx

    parts = urlsplit(url)
    socket = None
    if link is not None:
        # A way through a host ends in a UNIX socket here; a host that is this machine gives the address itself.
        socket = (
            await link.reach_tcp(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        ).path or None
    transport = httpx.AsyncHTTPTransport(uds=socket)
    try:
        async with asyncio.timeout(LIMIT_S), httpx.AsyncClient(trust_env=False, transport=transport) as client:
            answer = await client.get(f"{url.rstrip('/')}/api/v1/query", params={"query": query})
    except (httpx.HTTPError, TimeoutError) as error:
        raise SourceError(Problem(f"prometheus at {url} does not answer: {line(str(error) or 'too slow', 200)}")) from error
    if len(answer.content) > MOST:
        raise SourceError(Problem(f"prometheus at {url} answers with more than {MOST} bytes"))
    try:
        document = await asyncio.to_thread(json.loads, answer.content)
        if document["status"] != "success":
            raise SourceError(Problem(f"prometheus refuses: {line(str(document.get('error')), 200)}"))
        result: list[dict[str, Any]] = [one for one in document["data"]["result"] if isinstance(one, dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(Problem(f"{url} does not answer as a prometheus (HTTP {answer.status_code})")) from error
    return result
