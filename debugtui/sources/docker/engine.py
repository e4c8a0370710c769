"""The connection to one engine: read-only requests with time limits, and refusals in words that say what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiodocker import Docker
from aiodocker.exceptions import DockerError

from debugtui.hosts.link import Link, NoSuchSocketError
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError

#: Seconds that an ordinary request may take.
LIMIT = 5.0
#: Most bytes of one answer.
SIZE = 16_000_000
#: Requests under way at the same time.
AT_ONCE = 6


class Engine:
    """Asks one engine. Made anew after any failure."""

    def __init__(self, link: Link, path: str) -> None:
        """Reach the socket `path` of the link's host."""
        self._link = link
        self._path = path
        self._docker: Docker | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)

    @property
    def is_open(self) -> bool:
        """True after a successful `open`."""
        return self._docker is not None

    async def open(self) -> None:
        """Connect.

        Raises:
            SourceError: there is no engine; `absent` where its socket does not exist.
            LinkError: the link is not up, or may not reach the socket.
        """
        try:
            endpoint = await self._link.reach_unix(self._path)
        except NoSuchSocketError as error:
            raise SourceError(error.problem, absent=True) from error
        self._docker = Docker(f"unix://{endpoint.path}", api_version="v1.41")
        await self.get("_ping", text=True)

    async def close(self) -> None:
        """Close the connection. Safe to call twice."""
        docker, self._docker = self._docker, None
        if docker is not None:
            await docker.close()

    async def get(self, path: str, *, limit: float = LIMIT, text: bool = False, **params: str) -> Any:
        """Return the answer to GET `path` as JSON (or text).

        Raises:
            SourceError: no answer in time, a refusal, or not JSON.
        """
        async with self._turn, self._asked(path, limit, params) as response:
            body = await response.content.read(SIZE)
            if not response.content.at_eof():
                body += await _rest(response, SIZE - len(body))
        if text:
            return body
        try:
            return json.loads(body) if len(body) < 200_000 else await asyncio.to_thread(json.loads, body)
        except ValueError as error:
            raise SourceError(Problem(f"{path}: the answer is not JSON", "is this socket Docker's?")) from error

    @asynccontextmanager
    async def stream(self, path: str, **params: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Open GET `path` as a stream that may last; connecting has the ordinary limit, reading has none."""
        async with self._asked(path, None, params) as response:
            yield response.content

    @asynccontextmanager
    async def _asked(self, path: str, limit: float | None, params: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._docker is None:
            raise SourceError(Problem("not connected to the engine"))
        timeout = aiohttp.ClientTimeout(total=limit, connect=LIMIT, sock_connect=LIMIT)
        try:
            # aiodocker has no public call that takes parameters such as one-shot, or that gives the raw stream of a log.
            async with self._docker._query(path, params=params, timeout=timeout) as response:  # noqa: SLF001
                yield response
        except (DockerError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SourceError(self._problem(error, path, limit)) from error

    def _problem(self, error: Exception, path: str, limit: float | None) -> Problem:
        if isinstance(error, TimeoutError):
            return Problem(f"the engine did not answer {path} within {limit or LIMIT:.0f} s", "is it overloaded, or hung?")
        if isinstance(error, DockerError) and error.status != 900:
            return Problem(line(f"{path}: {error.message}", 300))
        if "ermission" in str(error):
            return Problem(f"permission denied on {self._path}", "add the login user to the group docker")
        return Problem(f"no engine answers on {self._path}", "is docker running? systemctl status docker")


async def _rest(response: aiohttp.ClientResponse, room: int) -> bytes:
    parts: list[bytes] = []
    async for chunk in response.content.iter_any():
        parts.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise SourceError(Problem(f"an answer of more than {SIZE // 1_000_000} MB was not read"))
    return b"".join(parts)
