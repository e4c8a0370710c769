"""Starts a container that does not run, and stops one that does; each takes the other back exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
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
    Settled,
    Spec,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.common import Box, find, row_of
from debugtui.remediation.catalogue.docker.requests import read, same, send, shown, state_text
from debugtui.remediation.catalogue.docker.watching import begun, healthy, not_running, stays_up
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds that a start may take, and a stop beyond the time that the container is given.
START_LIMIT, STOP_MORE = 30, 15

#: Seconds that a stopped container has to stay down.
DOWN_WATCH = 10

#: What a factor says while nothing waits.
_NO_BLOCK = Factor(0, "nothing waits for it but its clients")


def start_step(identity: str, name: str, *, expect: str = "", undo: str | None = None) -> LiveStep:
    """Return the step that starts a container; `expect`: what its identity has to say before, where that matters."""
    path = f"containers/{identity}/start"

    async def run(hands: Hands) -> Done:
        if expect:
            await same(hands, identity, expect)
        answer = await read(hands, identity)
        if answer is None:
            raise StepError("the container is gone", changed=False)
        await send(hands, "POST", path, timeout=START_LIMIT - 2, tolerate=(304,))
        box = await read(hands, identity)
        if box is None:
            raise StepError("the container is gone after the start", changed=True)
        return Done(f"the engine started it; it is {box.status}", begun(box))

    async def settle(eyes: Eyes) -> Settled:
        box = await read(eyes, identity)
        if box is None:
            return Settled.UNKNOWN
        return Settled.DONE if box.running or box.looping else Settled.NOT_DONE

    return LiveStep(f"Start {line(name, 80)}", shown("POST", path), True, START_LIMIT, undo, run, settle)


def stop_step(identity: str, name: str, wait: int, *, expect: str = "", undo: str | None = None) -> LiveStep:
    """Return the step that stops a container; stopped already is fine."""
    path, params, limit = f"containers/{identity}/stop", {"t": str(wait)}, wait + STOP_MORE

    async def run(hands: Hands) -> Done:
        if expect:
            await same(hands, identity, expect)
        await send(hands, "POST", path, params, timeout=limit - 2, tolerate=(304, 404))
        box = await read(hands, identity)
        return Done(f"the engine stopped it; it is {box.status if box else 'gone'}")

    async def settle(eyes: Eyes) -> Settled:
        box = await read(eyes, identity)
        if box is None:
            return Settled.DONE
        return Settled.NOT_DONE if box.running or box.looping else Settled.DONE

    return LiveStep(f"Stop {line(name, 80)}", shown("POST", path, params), True, limit, undo, run, settle)


def _data(box: Box) -> dict[str, object]:
    return {
        "id": box.id,
        "name": box.name,
        "started": box.identity()["started"],
        "stop_timeout": box.stop_timeout,
        "has_health": box.has_health,
        "health_span": box.health_span,
        "watch_s": box.watch_s,
    }


def up_checks(job: Job) -> tuple[LiveCheck, ...]:
    """Return the checks that it stays up, and is healthy where it can say so."""
    data = job.data
    name, identity, watch = str(data["name"]), str(data["id"]), int(str(data["watch_s"]))
    up = stays_up(name, identity, watch, job.results)
    return (up, healthy(name, identity, int(str(data["health_span"])), watch)) if data["has_health"] else (up,)


class Start(Remediation):
    """`POST /containers/{id}/start`."""

    spec: ClassVar[Spec] = Spec(
        name="docker.start",
        title="Start a container",
        summary="A container does not run: start it, and watch whether it stays up.",
        target="HOST/docker/NAME",
        parameters=(),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="it is stopped again",
        guards=("not_auto_remove", "not_being_removed", "logs_read", "dependants"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """The way out where it does not run."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if container.state in ("exited", "created"):
            code = f", exit code {container.exit_code}" if container.exit_code is not None else ""
            rank = 15 if container.oom_killed else 0  # more memory comes first: else it ends again
            return Offer(self.spec.name, target, True, f"it does not run ({container.state}{code})", rank=rank)
        return Offer(self.spec.name, target, False, f"it is {container.state} already")

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        box = await find(eyes, target)
        if box.running or box.looping:
            raise NothingToDoError(f"{box.shown} is {box.status} already")
        around = await guards.neighbours(eyes, box)
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown} does not run ({box.status})",
            solution=f"start {box.shown}, and watch whether it stays up",
            factors=Factors(
                interruption=Factor(0, "it does not run: nothing is interrupted"),
                reversibility=Factor(1, "docker stop takes it back"),
                durable_data=Factor(1, "it begins to work with its volumes again"),
                blast_radius=guards.blast_radius(around, box),
                blocking=_NO_BLOCK,
                verifiability=guards.verifiability(box),
            ),
            identity=box.identity(),
            data=_data(box),
            diff=(DiffPart(f"state of {box.shown}", "yaml", state_text(box), "state: running\nstarted: anew"),),
            guards=(
                guards.not_auto_remove(box),
                guards.not_being_removed(box),
                await guards.logs_read(eyes, box),
                around.guard(),
            ),
            mitigations=_before_start(box),
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One request."""
        data = job.data
        undo = shown("POST", f"containers/{data['id']}/stop")
        return (start_step(str(data["id"]), str(data["name"]), expect=str(data["started"]), undo=undo),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Stop it."""
        data = job.data
        return (stop_step(str(data["id"]), str(data["name"]), int(str(data["stop_timeout"]))),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It stays up, and is healthy."""
        return up_checks(job)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is down, and stays so."""
        return (not_running(str(job.data["name"]), str(job.data["id"]), DOWN_WATCH),)


def _before_start(box: Box) -> tuple[Mitigation, ...]:
    if box.oom_killed:
        return (Mitigation("docker.update_limits", "its last run ended for want of memory: raise the limit first"),)
    if box.restarts:
        return (Mitigation("docker.recreate", "it gave up after several restarts: another image or variable may be needed"),)
    return ()


class Stop(Remediation):
    """`POST /containers/{id}/stop`."""

    spec: ClassVar[Spec] = Spec(
        name="docker.stop",
        title="Stop a container",
        summary="A container does harm while it runs: stop it; it stays, and can be started again.",
        target="HOST/docker/NAME",
        parameters=(),
        risk=(1, 4),
        undo=Undo.EXACT,
        undo_says="it is started again",
        guards=("not_auto_remove", "not_being_removed", "not_looping", "not_paused", "logs_read", "replicas", "dependants"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Never the usual way out: it only ends harm."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if container.looping:
            why = "it restarts by itself: docker.restart_policy policy=no ends the loop"
            return Offer(self.spec.name, target, False, why)
        if container.state != "running":
            return Offer(self.spec.name, target, False, f"it is {container.state}: it does not run")
        return Offer(self.spec.name, target, True, "it runs", rank=80)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        box = await find(eyes, target)
        if not box.running and not box.looping and not box.flag("State", "Paused"):
            raise NothingToDoError(f"{box.shown} does not run: it is {box.status}")
        around = await guards.neighbours(eyes, box)
        sole = not around.twins and not box.failing
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown}: {box.failing or 'it runs, and is to be stopped'}",
            solution=f"stop {box.shown}; it stays as it is, and can be started again",
            factors=Factors(
                interruption=_stopping(box, around),
                reversibility=Factor(1, "docker start takes it back"),
                durable_data=Factor(1, "what it holds in memory is lost; files and volumes stay"),
                blast_radius=guards.blast_radius(around, box),
                blocking=_NO_BLOCK,
                verifiability=Factor(0, "whether it runs can be seen"),
            ),
            identity=box.identity(),
            data=_data(box),
            diff=(DiffPart(f"state of {box.shown}", "yaml", state_text(box), "state: exited"),),
            guards=(
                guards.not_auto_remove(box),
                guards.not_being_removed(box),
                _not_looping(box),
                guards.not_paused(box),
                await guards.logs_read(eyes, box),
                around.replicas(box),
                around.guard(),
            ),
            irreversible=("what the container holds in memory is lost; its last log lines are kept in this plan",),
            mitigations=_instead(box, sole=sole),
            stop="the last healthy replica is not stopped without a bounded gap" if sole else "",
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One request."""
        data = job.data
        undo = shown("POST", f"containers/{data['id']}/start")
        wait, expect = int(str(data["stop_timeout"])), str(data["started"])
        return (stop_step(str(data["id"]), str(data["name"]), wait, expect=expect, undo=undo),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Start it."""
        return (start_step(str(job.data["id"]), str(job.data["name"])),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is down, and stays so."""
        return (not_running(str(job.data["name"]), str(job.data["id"]), DOWN_WATCH),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It stays up, and is healthy."""
        return up_checks(job)


def _stopping(box: Box, around: guards.Neighbours) -> Factor:
    if box.failing:
        return Factor(1, f"{box.failing}: little is left to interrupt")
    if around.twins:
        return Factor(2, f"one replica of several is gone; {around.twins[0]}, a healthy twin, serves")
    return Factor(4, "the sole healthy replica is gone until somebody starts it: unbounded")


def _not_looping(box: Box) -> Guard:
    if box.looping:
        why = "it restarts by itself: docker.restart_policy policy=no ends the loop, and can be taken back exactly"
        return Guard("not_looping", guards.FAIL, why, f"{box.status}, {box.restarts} restarts")
    return Guard("not_looping", guards.PASS, "it does not restart by itself", f"{box.restarts} restarts, read just now")


def _instead(box: Box, *, sole: bool) -> tuple[Mitigation, ...]:
    if box.looping:
        return (Mitigation("docker.restart_policy", "policy=no ends a crash loop"),)
    if sole:
        return (
            Mitigation("docker.restart", "a gap that ends by itself, where it only has to begin anew: class 3"),
            Mitigation("docker.update_limits", "bound what it takes of the host instead"),
            Mitigation("", "start a second container of the service first: interruption falls from 4 to 2"),
        )
    return ()
