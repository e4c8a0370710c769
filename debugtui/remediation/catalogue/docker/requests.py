"""Requests that change something, with refusals in words; and the look right before each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from debugtui.config.redaction import redact
from debugtui.model.text import line
from debugtui.remediation.base import StaleError, StepError
from debugtui.remediation.catalogue.docker.common import Box, look, policy_text
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    from debugtui.remediation.engine_writer import EngineWriter
    from debugtui.sources.docker.client import AnswerError

#: How often an update is tried of a container that ends in that moment, as one in a crash loop does, and the pause in between.
RACE_TRIES, RACE_PAUSE_S = 10, 0.3


def shown(method: str, path: str, params: Mapping[str, str] | None = None, body: object = None) -> str:
    """Return a request as a plan shows it."""
    query = f"?{urlencode(params)}" if params else ""
    content = f" {json.dumps(body, sort_keys=True, ensure_ascii=False)}" if body is not None else ""
    return f"{method} /{path}{query}{content}"


async def send(
    hands: Hands,
    method: str,
    path: str,
    params: Mapping[str, str] | None = None,
    body: object = None,
    *,
    timeout: float,
    tolerate: tuple[int, ...] = (),
) -> Any:
    """Send a request; None too where the engine answers with a status that is tolerated (304: it is so already; 404: gone).

    Raises:
        StepError: the engine refused (nothing changed), failed, or gave no answer (not known).
        LinkError: the link is down.
    """
    from debugtui.sources.docker.client import AnswerError, EngineLostError

    writer = await hands.engine()
    race = _Race(writer, path)
    while True:
        try:
            return await writer.send(method, path, params, body, timeout=timeout)
        except AnswerError as error:
            answer = error
        except EngineLostError as error:
            raise StepError(str(error.problem), changed=None) from None
        if not await race.lost(answer):
            return _refused(answer, tolerate)
        await asyncio.sleep(RACE_PAUSE_S)


class _Race:
    """Whether an update met the end of the container's process, and is right a moment later.

    The engine has at least five wordings for it (`cannot update a stopped container`, `a deleted process`, `container not
    running`, `task ... not found`, `ttrpc: closed`: about 1 in 200 requests on a loop), and takes the change back each time. So
    it is not known by its words, but by the container: it has ended, or another process runs than at the refusal before.
    An update says what the settings are to be, not how they change: sent again, it does nothing twice.
    """

    def __init__(self, writer: EngineWriter, path: str) -> None:
        self._writer = writer
        self._identity = path.split("/")[1] if path.startswith("containers/") and path.endswith("/update") else ""
        self._tries = RACE_TRIES
        self._run = ""

    async def lost(self, answer: AnswerError) -> bool:
        """Return whether to send it again."""
        self._tries -= 1
        if not self._identity or not self._tries or answer.status < 500:
            return False
        try:
            box = await look(self._writer, self._identity)
        except SourceError:
            return False
        if box is None:
            return False
        before, self._run = self._run, box.started_at if box.running and not box.flag("State", "Restarting") else ""
        return not self._run or self._run != before


def _refused(error: AnswerError, tolerate: tuple[int, ...]) -> None:
    if error.status not in tolerate:
        words = redact(line(error.words, 400))
        changed = False if 400 <= error.status < 500 or error.status == 304 else None
        raise StepError(f"the Docker engine refuses: {words}", changed=changed) from None


async def same(hands: Hands, identity: str, started: str) -> Box:
    """Read a container right before something is done to it; `started` is the text of its identity.

    Raises:
        StaleError: it is gone, or was started, stopped or replaced since the plan was made.
    """
    box = await look(await hands.engine(), identity)
    if box is None:
        raise StaleError(f"the container {identity[:12]} is gone")
    now = box.identity()["started"]
    if now != started:
        raise StaleError(f"{box.shown} was {line(started, 100)}, and is {line(now, 100)}")
    return box


async def read(eyes: Eyes, name: str) -> Box | None:
    """Read a container with the monitoring connection; None where it is gone."""
    return await look(await eyes.docker(), name)


def state_text(box: Box) -> str:
    """Return a container's state for a diff: what changes by a repair."""
    lines = [f"state: {box.status}", f"started: {line(box.started_at, 40)}", f"restarts by itself: {box.restarts}"]
    if box.has_health:
        lines.append(f"health: {box.health}")
    if not box.running:
        lines.append(f"exit code: {box.number('State', 'ExitCode')}")
    return "\n".join([*lines, f"restart policy: {policy_text(box.policy)}"])
