"""Checks of containers: it stays up, it is healthy, it is as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from debugtui.model.text import line
from debugtui.remediation.base import LiveCheck, Sample
from debugtui.remediation.catalogue.docker.common import Box
from debugtui.remediation.catalogue.docker.requests import read
from debugtui.remediation.eyes import Eyes

#: Seconds after a start within which a container has to run.
UP_WITHIN = 15.0


def begun(box: Box) -> dict[str, Any]:
    """Return what a step leaves after a start: what has to stay the same from then on."""
    return {"started": box.started_at, "restarts": box.restarts}


def stays_up(
    name: str, identity: str, watch_s: int, facts: Mapping[str, object], *, also: Callable[[Box], str] | None = None
) -> LiveCheck:
    """Return the check that a container runs and is not started again by itself: a return code proves nothing.

    Args:
        name: the container's name, to show.
        identity: its id or name.
        watch_s: how long it has to stay up.
        facts: what the step left (`begun`); without them the first look at it running is what has to stay.
        also: returns what else is wrong, in words; empty: nothing.
    """
    known = {key: facts[key] for key in ("started", "restarts") if key in facts}

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        if also is not None and (wrong := also(box)):
            return Sample(False, wrong)
        if not box.running:
            return Sample(False, f"{box.status}, exit code {box.number('State', 'ExitCode')}, {box.restarts} restarts")
        known.setdefault("started", box.started_at)
        known.setdefault("restarts", box.restarts)
        if (box.started_at, box.restarts) != (known["started"], known["restarts"]):
            return Sample(False, f"it ended and was started again: {box.restarts} restarts")
        return Sample(True, f"running since {line(box.started_at)[:19]}, {box.restarts} restarts")

    why = "it runs, and neither its start nor its restart count moves"
    return LiveCheck(f"{line(name, 80)} stays up", watch_s, why, sample, within_s=UP_WITHIN)


def healthy(name: str, identity: str, box_span: int, watch_s: int) -> LiveCheck:
    """Return the check that a container's own health check passes; `box_span` is how long that takes to speak, in seconds."""

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        return Sample(box.health == "healthy", box.health)

    why = "its own health check says so"
    within = box_span + 2 * UP_WITHIN
    return LiveCheck(f"{line(name, 80)} is healthy", watch_s, why, sample, within_s=within)


def not_running(name: str, identity: str, watch_s: int) -> LiveCheck:
    """Return the check that a container does not run, and does not come back."""

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        return Sample(not box.running and box.status in ("exited", "created"), f"{box.status}, {box.restarts} restarts")

    return LiveCheck(f"{line(name, 80)} is down", watch_s, "it does not run, and does not come back", sample, within_s=30.0)
