"""The SDK's client: no retries of its own, no proxies from the environment, through a host's link where one is named."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

from debugtui.config.models import GroqConfig
from debugtui.hosts.link import Link


async def make_client(config: GroqConfig, key: str, via: Link | None) -> Any:
    """Return an `AsyncGroq`, to be used in `async with`. The first one takes a fifth of a second: the SDK is imported.

    Raises:
        LinkError: the host in between cannot reach the API.
    """
    groq, httpx = await asyncio.to_thread(_imported)
    socket = None
    if via is not None:
        parts = urlsplit(config.base_url)
        # Names are resolved on the host. A local end is a UNIX socket: Host header, SNI and certificate stay the API's own.
        endpoint = await via.reach_tcp(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
        socket = endpoint.path or None
    transport = await asyncio.to_thread(httpx.AsyncHTTPTransport, uds=socket)
    http = httpx.AsyncClient(transport=transport, trust_env=False, timeout=config.timeout)
    return groq.AsyncGroq(api_key=key, base_url=config.base_url, max_retries=0, timeout=config.timeout, http_client=http)


def _imported() -> tuple[Any, Any]:
    import groq
    import httpx

    return groq, httpx
