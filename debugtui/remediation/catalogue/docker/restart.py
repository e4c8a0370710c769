"""Restarts a container, and watches whether it stays up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from debugtui.model.plan import DiffPart, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Remediation,
    Settled,
    Spec,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.common import AGAIN_AND_AGAIN, Box, find, row_of
from debugtui.remediation.catalogue.docker.requests import read, same, send, shown, state_text
from debugtui.remediation.catalogue.docker.watching import begun, healthy, stays_up
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds that a restart may take beyond the time to stop.
START_LIMIT = 30


class Restart(Remediation):
    """`POST /containers/{id}/restart`, with a canary for crash loops."""

    spec: ClassVar[Spec] = Spec(
        name="docker.restart",
        title="Restart a container",
        summary="A container hangs or is unhealthy: restart it, and watch whether it stays up and becomes healthy.",
        target="HOST/docker/NAME",
        parameters=(),
        risk=(2, 3),
        undo=Undo.NONE,
        undo_says="a restart cannot be taken back; its files stay, what it held in memory is lost",
        guards=("not_auto_remove", "not_being_removed", "not_paused", "logs_read", "replicas", "dependants"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """The way out where the health check fails; the last one where it loops."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if container.looping:
            return Offer(self.spec.name, target, True, "it restarts by itself already: another restart rarely helps", rank=40)
        if container.state == "paused":
            return Offer(self.spec.name, target, False, "it is paused: docker.unpause lets it go on")
        if container.state != "running":
            return Offer(self.spec.name, target, False, f"it is {container.state}: docker.start starts it")
        if container.health == "unhealthy":
            return Offer(self.spec.name, target, True, "its health check fails", rank=0)
        return Offer(self.spec.name, target, True, "it runs; nothing says that a restart is needed", rank=60)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        box = await find(eyes, target)
        around = await guards.neighbours(eyes, box)
        gap = box.stop_timeout + max(0, box.health_span - 3 * _interval(box))
        after = "state: running\nstarted: anew\nrestarts by itself: 0"
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown}: {box.failing or 'it runs, and is to be restarted'}",
            solution=f"restart {box.shown}, and watch whether it stays up",
            factors=Factors(
                interruption=guards.interruption(box, around, gap),
                reversibility=Factor(2, "a restart is all that can follow a restart"),
                durable_data=Factor(1, "what it held in memory is lost; files and volumes stay"),
                blast_radius=guards.blast_radius(around, box),
                blocking=Factor(0, "nothing waits for it but its clients"),
                verifiability=guards.verifiability(box),
            ),
            identity=box.identity(),
            data={
                "id": box.id,
                "name": box.name,
                "started": box.identity()["started"],
                "stop_timeout": box.stop_timeout,
                "has_health": box.has_health,
                "health_span": box.health_span,
                "watch_s": box.watch_s,
            },
            diff=(DiffPart(f"state of {box.shown}", "yaml", state_text(box), after),),
            guards=(
                guards.not_auto_remove(box),
                guards.not_being_removed(box),
                guards.not_paused(box),
                await guards.logs_read(eyes, box),
                around.replicas(box),
                around.guard(),
            ),
            irreversible=("what the container holds in memory is lost; its last log lines are kept in this plan",),
            mitigations=_ways_out(box, around),
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One request."""
        data = job.data
        identity, started, wait = str(data["id"]), str(data["started"]), int(str(data["stop_timeout"]))
        path, params = f"containers/{identity}/restart", {"t": str(wait)}
        limit = wait + START_LIMIT

        async def run(hands: Hands) -> Done:
            before = await same(hands, identity, started)
            await send(hands, "POST", path, params, timeout=limit - 2)
            box = await read(hands, identity)
            if box is None:
                raise StepError("the container is gone after the restart", changed=True)
            facts = {**begun(box), "started_before": before.started_at}
            return Done(f"the engine restarted it; it is {box.status}", facts)

        async def settle(eyes: Eyes) -> Settled:
            box = await read(eyes, identity)
            if box is None or started == AGAIN_AND_AGAIN:
                return Settled.UNKNOWN
            return Settled.NOT_DONE if box.identity()["started"] == started else Settled.DONE

        return (LiveStep("Restart the container", shown("POST", path, params), True, limit, None, run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It stays up, and is healthy."""
        data = job.data
        name, identity, watch = str(data["name"]), str(data["id"]), int(str(data["watch_s"]))
        up = stays_up(name, identity, watch, job.results)
        return (up, healthy(name, identity, int(str(data["health_span"])), watch)) if data["has_health"] else (up,)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Nothing to check."""
        return ()


def _interval(box: Box) -> int:
    """Return the seconds between two health checks, as `health_span` counts them."""
    if not box.has_health:
        return 0
    return -(-(box.number("Config", "Healthcheck", "Interval") or 30_000_000_000) // 1_000_000_000)


def _ways_out(box: Box, around: guards.Neighbours) -> tuple[Mitigation, ...]:
    ways = []
    if not around.twins and not box.failing:
        ways.append(Mitigation("", "start a second container of the service first: interruption falls from 3 to 2"))
    if box.looping:
        ways.append(Mitigation("docker.recreate", "it ends by itself: another image or variable mends what a restart does not"))
        ways.append(Mitigation("docker.restart_policy", "policy=no ends the loop until the cause is found"))
    if box.oom_killed:
        ways.append(Mitigation("docker.update_limits", "it ended for want of memory"))
    return tuple(ways)
