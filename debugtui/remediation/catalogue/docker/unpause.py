"""Lets a paused container go on; the way back freezes it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from debugtui.config.redaction import redact
from debugtui.model.plan import DiffPart, Guard
from debugtui.model.source import FleetView, Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
    Offer,
    Remediation,
    Sample,
    Settled,
    Spec,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.cgroup import frozen
from debugtui.remediation.catalogue.docker.common import Box, find, row_of
from debugtui.remediation.catalogue.docker.requests import read, same, send, shown, state_text
from debugtui.remediation.catalogue.docker.watching import begun, healthy, stays_up
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError
from debugtui.sources.docker.client import AnswerError, EngineClient
from debugtui.sources.docker.events import parse_event
from debugtui.sources.docker.fields import moment, obj

#: Seconds that the request may take, and that a container has to stay frozen after the way back.
STEP_LIMIT, FROZEN_WATCH = 15, 5

#: Seconds of the engine's events that are looked through, and most bytes of them.
HISTORY_S, EVENTS_LIMIT = 600, 1_000_000

#: A pause that began less than so many seconds ago may be that of a `docker commit` or of a backup, which ends it by itself.
FRESH_S = 60.0


class Unpause(Remediation):
    """`POST /containers/{id}/unpause`."""

    spec: ClassVar[Spec] = Spec(
        name="docker.unpause",
        title="Let a container go on",
        summary="A container is paused: its processes are frozen; let them go on where they stopped.",
        target="HOST/docker/NAME",
        parameters=(),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="it is paused again",
        guards=("paused_since", "not_being_removed", "logs_read", "dependants"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """The way out where it is paused."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if container.state == "paused":
            return Offer(self.spec.name, target, True, "it is paused: its processes are frozen", rank=0)
        return Offer(self.spec.name, target, False, "it is not paused")

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        box = await find(eyes, target)
        if not paused(box):
            raise NothingToDoError(f"{box.shown} is not paused: it is {box.status}")
        around = await guards.neighbours(eyes, box)
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown} is paused: its processes are frozen",
            solution=f"let {box.shown} go on where it stopped, and watch whether it stays up",
            factors=Factors(
                interruption=Factor(0, "it is frozen: nothing is interrupted"),
                reversibility=Factor(1, "docker pause takes it back"),
                durable_data=Factor(
                    1, "it goes on with what it held in memory: connections and clocks have moved on meanwhile"
                ),
                blast_radius=guards.blast_radius(around, box),
                blocking=Factor(0, "nothing waits for it but its clients"),
                verifiability=Factor(0, "whether the kernel lets its processes run can be seen"),
            ),
            identity=box.identity(),
            data={
                "id": box.id,
                "name": box.name,
                "expect": box.identity()["started"],
                "has_health": box.has_health,
                "health_span": box.health_span,
                "watch_s": box.watch_s,
                **begun(box),
            },
            diff=(
                DiffPart(f"state of {box.shown}", "yaml", state_text(box), state_text(box).replace(box.status, "running", 1)),
            ),
            guards=(
                await _since(eyes, box),
                guards.not_being_removed(box),
                await guards.logs_read(eyes, box),
                around.guard(),
            ),
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One request."""
        return (_step(job, "unpause", expect=str(job.data["expect"])),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Pause it again."""
        return (_step(job, "pause"),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The kernel lets its processes run, it is the same run as before, and it is healthy where it can say so."""
        data = job.data
        name, identity, watch = str(data["name"]), str(data["id"]), int(str(data["watch_s"]))

        def wrong(box: Box) -> str:
            return "it is paused" if paused(box) else ""

        up = stays_up(name, identity, watch, data, also=wrong)
        checks = (_freezer(identity, wanted=False, watch_s=watch), up)
        if not data["has_health"]:
            return checks
        return (*checks, healthy(name, identity, int(str(data["health_span"])), watch))

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """It is the run that went on: one that was started since was never paused."""
        box = await read(eyes, str(job.data["id"]))
        other = "the container is gone" if box is None else _another_run(box, job)
        if other:
            return (Guard("same_run", guards.FAIL, other),)
        return (Guard("same_run", guards.PASS, "it is the run that went on", f"started {job.data['started']}"),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Its processes are frozen."""
        return (_freezer(str(job.data["id"]), wanted=True, watch_s=FROZEN_WATCH),)


def paused(box: Box) -> bool:
    """Return whether the engine says that its processes are frozen."""
    return box.flag("State", "Paused")


def _another_run(box: Box, job: Job) -> str:
    """Return why it is not the run that was planned for, in words; empty where it is."""
    if not box.running:
        return f"it does not run any more: it is {box.status}"
    return "" if box.started_at == job.data["started"] else "it was started anew since: that run was never paused"


def _step(job: Job, verb: str, *, expect: str = "") -> LiveStep:
    identity, freeze = str(job.data["id"]), verb == "pause"
    path = f"containers/{identity}/{verb}"

    async def run(hands: Hands) -> Done:
        box = await same(hands, identity, expect) if expect else await read(hands, identity)
        if box is None:
            raise StepError("the container is gone", changed=False)
        if other := _another_run(box, job):
            raise StepError(other, changed=False)
        if paused(box) == freeze:
            return Done(f"it is {box.status} already")
        await send(hands, "POST", path, timeout=STEP_LIMIT - 2)
        after = await read(hands, identity)
        return Done(f"the engine did so; it is {after.status if after else 'gone'}")

    async def settle(eyes: Eyes) -> Settled:
        box = await read(eyes, identity)
        if box is None or not box.running:
            return Settled.UNKNOWN
        return Settled.DONE if paused(box) == freeze else Settled.NOT_DONE

    title = "Freeze its processes again" if freeze else "Let its processes go on"
    undo = None if freeze else shown("POST", f"containers/{identity}/pause")
    return LiveStep(title, shown("POST", path), True, STEP_LIMIT, undo, run, settle)


def _freezer(identity: str, *, wanted: bool, watch_s: int) -> LiveCheck:
    """The kernel's own word, beside the engine's."""
    says = {True: "frozen", False: "not frozen"}

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        if paused(box) != wanted:
            return Sample(False, f"the engine says that it is {box.status}")
        kernel = await frozen(eyes, box.number("State", "Pid"))
        if kernel is None:
            return Sample(None, f"the engine says that it is {box.status}; its cgroup cannot be read")
        return Sample(kernel == wanted, f"the engine says {box.status}, the kernel that it is {says[kernel]}")

    title = "its processes are frozen" if wanted else "its processes go on"
    return LiveCheck(title, watch_s, "engine and cgroup both say so", sample)


async def _since(eyes: Eyes, box: Box) -> Guard:
    try:
        at, now = await _paused_at(await eyes.docker(), box)
    except (SourceError, AnswerError) as error:
        why = f"the engine does not say since when it is paused: {redact(line(str(error), 200))}"
        return Guard("paused_since", guards.UNKNOWN, why, "GET /events", critical=False)
    if at is None:
        why = "somebody paused it; the engine does not say who, nor any more since when: ask, if it was not you"
        return Guard("paused_since", guards.PASS, why, f"no pause among the engine's events of the last {HISTORY_S} s")
    age = (now - at).total_seconds()
    evidence = f"paused at {at:%Y-%m-%d %H:%M:%S} UTC, {max(0, age):.0f} s ago"
    if age < FRESH_S:
        why = "docker commit and some backups pause a container while they copy it, and end that by themselves: make sure of it"
        return Guard("paused_since", guards.UNKNOWN, why, evidence, critical=False)
    why = "somebody paused it; the engine does not say who: ask, if it was not you"
    return Guard("paused_since", guards.PASS, why, evidence)


async def _paused_at(client: EngineClient, box: Box) -> tuple[datetime | None, datetime]:
    """Return when the engine paused a container, as far as it remembers, and what time it is there."""
    now = moment(obj(await client.get_json("info")).get("SystemTime"))
    if now is None:
        raise SourceError(Problem("it does not tell its time"))
    # A time that is over by the engine's own clock: it answers at once, and with everything until then.
    params = {
        "since": str(int(now.timestamp()) - HISTORY_S),
        "until": f"{now.timestamp():.6f}",
        "filters": json.dumps({"container": [box.id], "event": ["pause"]}),
    }
    found = await client.get("events", params, limit=EVENTS_LIMIT)
    try:
        times = [parse_event(one).event.at for one in found.splitlines() if one.strip()]
    except ValueError:
        raise SourceError(Problem("its events are not understood")) from None
    return max(times, default=None), now
