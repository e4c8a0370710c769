"""Requests to a Docker engine: bounded in time and size, with errors in words."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import aiodocker
import aiohttp

from debugtui.hosts.link import Link, LinkError, NoSuchSocketError
from debugtui.model.source import LinkState, Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.docker.fields import obj, text

#: Seconds that one ordinary request may take.
REQUEST_LIMIT = 4.0

#: Newest version of the API that this program was written for; an engine that speaks a newer one is spoken to in this one.
NEWEST_API = (1, 47)

#: Since this version (Docker 20.10) the engine gives a container's figures at once (`one-shot`) instead of after a second.
ONE_SHOT_API = (1, 41)

#: Most bytes of an answer; a list of 2,000 containers takes about 4 MB.
ANSWER_LIMIT = 16_000_000

#: Answers above this size (bytes) are parsed in a thread: 1 MB of JSON takes about 8 ms.
_BIG = 256_000

_ERROR_LIMIT = 4_096
_API = re.compile(r"(\d{1,3})\.(\d{1,4})")
_HINT_STOPPED = "is the engine running there? (systemctl status docker)"

#: Everything that the library raises when a connection does not come about, or breaks.
LOST = (aiohttp.ClientError, OSError, EOFError)


class EngineLostError(SourceError):
    """The engine cannot be talked to any more: the client is of no use."""


class SlowAnswerError(EngineLostError):
    """The engine did not answer in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Problem(f"the Docker engine gave no answer within {seconds:g} s", _HINT_STOPPED))


class AnswerError(Exception):
    """The engine answered, but with an error, or with something that is not understood. `status` is HTTP's."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """What `/version` says. `api` is the version that is spoken."""

    version: str
    api: tuple[int, int]
    os: str
    kernel: str

    @property
    def api_text(self) -> str:
        """Such as `1.41`."""
        return f"{self.api[0]}.{self.api[1]}"


class EngineClient:
    """One client of one engine; any number of requests at a time. Close it."""

    def __init__(self, link: Link, socket: str, docker: aiodocker.Docker) -> None:
        self._link = link
        self._socket = socket
        self._docker = docker
        self._base = "http://localhost/"
        self.version = EngineVersion("", (1, 24), "", "")
        #: Seconds by which the engine's clock is ahead of ours, to within one or two.
        self.ahead_s = 0.0

    @classmethod
    async def open(cls, link: Link, socket: str) -> Self:
        """Connect to the engine behind a UNIX socket of the host, and agree on a version of the API.

        Raises:
            SourceError: there is no engine, or it may not be used, or it does not answer.
            LinkError: the link is not up.
        """
        try:
            endpoint = await link.reach_unix(socket)
        except LinkError as error:
            if link.status.state is not LinkState.UP:
                raise
            raise SourceError(error.problem, absent=isinstance(error, NoSuchSocketError)) from error
        client = cls(link, socket, aiodocker.Docker(f"unix://{endpoint.path}"))
        try:
            await client._agree()
        except BaseException:
            await client.close()
            raise
        return client

    async def close(self) -> None:
        """Close every connection; requests under way fail. Safe to call twice."""
        await self._docker.close()

    async def _agree(self) -> None:
        try:
            answer = obj(await self.get_json("version", limit=1_000_000))
        except AnswerError as error:
            raise SourceError(
                Problem(f"{self._name} is no Docker engine: {error.words}", "correct the path of the socket")
            ) from error
        newest, oldest = _api(answer.get("ApiVersion")), _api(answer.get("MinAPIVersion"))
        if newest is None:
            raise SourceError(
                Problem(f"{self._name} is no Docker engine: it tells no version", "correct the path of the socket")
            )
        api = max(min(newest, NEWEST_API), oldest or (0, 0))
        self.version = EngineVersion(
            text(answer.get("Version"), 60), api, text(answer.get("Os"), 60), text(answer.get("KernelVersion"), 100)
        )
        self._base = f"http://localhost/v{self.version.api_text}/"

    @property
    def _name(self) -> str:
        return line(self._socket, 200)

    # --- requests ----------------------------------------------------------------------------------------------------------

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, timeout: float = REQUEST_LIMIT, limit: int = ANSWER_LIMIT
    ) -> bytes:
        """Return the body of an answer.

        Raises:
            AnswerError: the engine refused, or answered too much.
            EngineLostError: the connection failed; `SlowAnswerError`: not everything came within `timeout` seconds.
            LinkError: the link is down.
        """
        try:
            async with asyncio.timeout(timeout), self._docker.session.get(self._base + path, params=params) as response:
                if response.status >= 400:
                    raise await refusal(response)
                body = await read_body(response, limit)
                if date := response.headers.get("Date"):
                    self._compare_clocks(date)
                return body
        except TimeoutError as error:
            raise SlowAnswerError(timeout) from error
        except LOST as error:
            raise await self.lost(error) from error

    async def get_json(
        self, path: str, params: Mapping[str, str] | None = None, *, timeout: float = REQUEST_LIMIT, limit: int = ANSWER_LIMIT
    ) -> Any:
        """Return an answer's JSON; see `get`."""
        body = await self.get(path, params, timeout=timeout, limit=limit)
        try:
            return json.loads(body) if len(body) < _BIG else await asyncio.to_thread(json.loads, body)
        except (ValueError, RecursionError) as error:
            raise AnswerError(200, f"{line(path, 100)}: the answer is no JSON") from error

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], *, timeout: float = REQUEST_LIMIT
    ) -> AsyncIterator[aiohttp.StreamReader]:
        """Open an answer that goes on, and give its bytes as they come; `timeout` holds until it begins.

        Reading from it raises what `LOST` names when the connection breaks.

        Raises:
            AnswerError, EngineLostError: see `get`.
        """
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(timeout):
                    request = self._docker.session.get(self._base + path, params=params, timeout=aiohttp.ClientTimeout())
                    response = await stack.enter_async_context(request)
                    if response.status >= 400:
                        raise await refusal(response)
            except TimeoutError as error:
                raise SlowAnswerError(timeout) from error
            except LOST as error:
                raise await self.lost(error) from error
            stack.callback(response.close)  # before the release, which would wait for the rest
            yield response.content

    async def lost(self, error: BaseException) -> EngineLostError | LinkError:
        """Say why the connection broke, as the host knows it."""
        try:
            async with asyncio.timeout(1.0):
                await self._link.reach_unix(self._socket)
        except LinkError as found:
            return found if self._link.status.state is not LinkState.UP else EngineLostError(found.problem)
        except TimeoutError:
            pass
        words = line(str(error), 200) or type(error).__name__
        return EngineLostError(Problem(f"the Docker engine closed the connection: {words}", _HINT_STOPPED))

    def _compare_clocks(self, date: str) -> None:
        try:
            theirs = email.utils.parsedate_to_datetime(date)
        except (ValueError, IndexError, TypeError):
            return
        if theirs.tzinfo is not None:
            self.ahead_s = (theirs - datetime.now(UTC)).total_seconds()


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body; one larger than `limit` bytes is an `AnswerError`."""
    if (response.content_length or 0) > limit:
        response.close()
        raise AnswerError(200, f"the answer is larger than {limit // 1000} kB")
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            response.close()
            raise AnswerError(200, f"the answer is larger than {limit // 1000} kB")
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def refusal(response: aiohttp.ClientResponse) -> AnswerError:
    """Return the engine's words for a refusal: `{"message": ...}`, or whatever else it sent."""
    data = bytearray()
    async for part in response.content.iter_any():
        data += part
        if len(data) > _ERROR_LIMIT:
            response.close()
            break
    words = bytes(data[:_ERROR_LIMIT])
    try:
        message = text(obj(json.loads(words)).get("message"), 500)
    except (ValueError, RecursionError):
        message = ""
    return AnswerError(response.status, message or line(words.strip(), 500) or f"HTTP status {response.status}")


def _api(value: Any) -> tuple[int, int] | None:
    match = _API.fullmatch(value) if isinstance(value, str) else None
    return (int(match[1]), int(match[2])) if match else None
