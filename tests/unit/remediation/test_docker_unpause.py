"""Since when a container is paused, where the engine does not say so, or says nonsense."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from debugtui.remediation.catalogue.docker.common import Box
from debugtui.remediation.catalogue.docker.unpause import _since
from debugtui.sources.docker.client import AnswerError

NOW = "2026-03-14T09:00:00.5Z"


class Engine:
    def __init__(self, system_time: str | Exception, events: bytes | Exception = b"") -> None:
        self.system_time, self.events = system_time, events
        self.asked: dict[str, str] = {}

    async def docker(self) -> Engine:
        return self

    async def get_json(self, path: str) -> dict[str, str]:
        assert path == "info"
        if isinstance(self.system_time, Exception):
            raise self.system_time
        return {"SystemTime": self.system_time}

    async def get(self, path: str, params: dict[str, str], *, limit: int) -> bytes:
        assert path == "events"
        self.asked = params
        if isinstance(self.events, Exception):
            raise self.events
        return self.events


@pytest.mark.parametrize(
    "engine",
    [
        Engine(AnswerError(500, "no")),
        Engine("yesterday"),
        Engine(NOW, AnswerError(400, "no filters")),
        Engine(NOW, b"no event\n"),
    ],
)
async def test_what_the_engine_does_not_say_is_unknown(engine: Any) -> None:
    guard = await _since(engine, Box({"Id": "40d4"}, datetime.now(UTC)))
    assert (guard.status.value, guard.critical) == ("unknown", False)


async def test_the_newest_pause_counts_and_only_what_is_over_is_asked_for() -> None:
    event = '{"Type": "container", "Action": "pause", "time": %d, "Actor": {"ID": "40d4"}}\n'
    at = int(datetime(2026, 3, 14, 8, 55, tzinfo=UTC).timestamp())
    engine: Any = Engine(NOW, (event % (at - 60) + event % at).encode())
    guard = await _since(engine, Box({"Id": "40d4"}, datetime.now(UTC)))
    assert (guard.status.value, guard.evidence) == ("pass", "paused at 2026-03-14 08:55:00 UTC, 300 s ago")
    assert float(engine.asked["until"]) == datetime(2026, 3, 14, 9, 0, 0, 500_000, UTC).timestamp()
