"""Requests to a Docker engine that change something."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from debugtui.sources.docker.client import ANSWER_LIMIT, LOST, EngineClient, SlowAnswerError, read_body, refusal


class EngineWriter(EngineClient):
    """An engine client that can also POST and DELETE. Only `Hands` makes one."""

    async def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: object = None,
        *,
        timeout: float,
    ) -> Any:
        """Send one request; return the answer's JSON, or None where it has no body.

        Raises:
            AnswerError: the engine refused; `status` is HTTP's, 304 where nothing had to change.
            EngineLostError: the connection failed; `SlowAnswerError`: no whole answer within `timeout` seconds. In both cases
                the engine may have done it.
            LinkError: the link is down.
        """
        try:
            async with (
                asyncio.timeout(timeout),
                self._docker.session.request(method, self._base + path, params=params, json=body) as response,
            ):
                if response.status >= 400 or response.status == 304:
                    raise await refusal(response)
                answer = await read_body(response, ANSWER_LIMIT)
        except TimeoutError as error:
            raise SlowAnswerError(timeout) from error
        except LOST as error:
            raise await self.lost(error) from error
        return json.loads(answer) if answer.strip() else None
