"""Changes a container's restart policy; `no` ends a crash loop."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from debugtui.model.plan import DiffPart, Mitigation
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
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.common import Box, find, policy_text, row_of
from debugtui.remediation.catalogue.docker.requests import read, same, send, shown
from debugtui.remediation.catalogue.docker.start_stop import start_step
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds for the request, and that the new policy is watched.
STEP_LIMIT, WATCH = 15, 60

#: Seconds within which a loop has to have ended: its last run may take a while.
ENDS_WITHIN = 90.0

_POLICY = re.compile(r"(no|always|unless-stopped)|(on-failure)(?::(\d{1,6}))?")


def parse_policy(value: str) -> dict[str, Any]:
    """Read `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`.

    Raises:
        PlanError: it is none of them.
    """
    match = _POLICY.fullmatch(value.strip())
    if match is None:
        raise PlanError(f"a restart policy is no, always, unless-stopped or on-failure[:N], not {line(value, 40)!r}")
    return {"Name": match[1] or match[2], "MaximumRetryCount": int(match[3] or 0)}


def policy_step(identity: str, policy: Mapping[str, Any], title: str, *, expect: str = "", undo: str | None = None) -> LiveStep:
    """Return the step that gives a container a restart policy; one that has it already is left alone."""
    path, body = f"containers/{identity}/update", {"RestartPolicy": dict(policy)}

    async def run(hands: Hands) -> Done:
        box = await same(hands, identity, expect) if expect else await read(hands, identity)
        if box is not None and same_policy(box.policy, policy):
            return Done(f"its restart policy is {policy_text(dict(policy))} already")
        await send(hands, "POST", path, None, body, timeout=STEP_LIMIT - 2)
        after = await read(hands, identity)
        facts = {"restarts": after.restarts} if after else {}
        return Done("the engine took the policy", facts)

    async def settle(eyes: Eyes) -> Settled:
        box = await read(eyes, identity)
        if box is None:
            return Settled.UNKNOWN
        return Settled.DONE if same_policy(box.policy, policy) else Settled.NOT_DONE

    return LiveStep(title, shown("POST", path, None, body), True, STEP_LIMIT, undo, run, settle)


def same_policy(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two policies mean the same; none at all means `no`."""
    return policy_text(dict(one)) == policy_text(dict(other))


class RestartPolicy(Remediation):
    """`POST /containers/{id}/update {"RestartPolicy": ...}`."""

    spec: ClassVar[Spec] = Spec(
        name="docker.restart_policy",
        title="Change a restart policy",
        summary="A container crashes again and again, or does not come back: change its restart policy; no ends a loop.",
        target="HOST/docker/NAME",
        parameters=(Parameter("policy", "no, always, unless-stopped or on-failure[:N]"),),
        risk=(1, 1),
        undo=Undo.EXACT,
        undo_says="the previous policy is set again, and the container started again where ending the loop ended it",
        guards=("not_auto_remove", "not_being_removed", "logs_read", "dependants"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It ends a loop."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if container.looping:
            why = "it crashes again and again: policy=no ends that until the cause is found"
            return Offer(self.spec.name, target, True, why, (("policy", "no"),), rank=10)
        if container.state == "exited" and container.restart_policy in ("", "no"):
            why = "it does not come back by itself: its restart policy is no"
            return Offer(self.spec.name, target, True, why, (("policy", "unless-stopped"),), rank=30)
        return Offer(
            self.spec.name, target, True, f"its restart policy is {line(container.restart_policy, 40) or 'no'}", rank=70
        )

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        wanted = parse_policy(params["policy"])
        box = await find(eyes, target)
        if same_policy(wanted, box.policy):
            raise NothingToDoError(f"the restart policy of {box.shown} is {policy_text(wanted)} already")
        around = await guards.neighbours(eyes, box)
        before, after = policy_text(box.policy), policy_text(wanted)
        ends = box.looping and after == "no"
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown}: {box.failing or f'its restart policy is {before}'}",
            solution=f"set its restart policy to {after}" + (", which ends the loop" if ends else ""),
            factors=_factors(box, around, ends=ends),
            identity=box.identity(),
            data={
                "id": box.id,
                "name": box.name,
                "started": box.identity()["started"],
                "before": box.policy,
                "wanted": wanted,
                "loop_ends": ends,
                "was_up": box.running or box.looping,
            },
            diff=(DiffPart(f"restart policy of {box.shown}", "text", before, after),),
            guards=(
                guards.not_auto_remove(box),
                guards.not_being_removed(box),
                await guards.logs_read(eyes, box),
                around.guard(),
            ),
            irreversible=(_drift(box),) if box.service else (),
            mitigations=(Mitigation("docker.recreate", "mends the cause, where it is the image or a variable"),)
            if ends
            else (),
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One request."""
        data = job.data
        before, wanted = _policy(data["before"]), _policy(data["wanted"])
        undo = shown("POST", f"containers/{data['id']}/update", None, {"RestartPolicy": before})
        title = f"Set the restart policy to {policy_text(wanted)}"
        return (policy_step(str(data["id"]), wanted, title, expect=str(data["started"]), undo=undo),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Set the previous one; start it again where the end of the loop ended it."""
        data = job.data
        identity, before = str(data["id"]), _settable(_policy(data["before"]))
        back = policy_step(identity, before, f"Set the restart policy to {policy_text(before)}")
        return (back, start_step(identity, str(data["name"]))) if data["loop_ends"] else (back,)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The policy is set; the loop has ended."""
        data = job.data
        policy = _policy_check(data, _policy(data["wanted"]))
        return (policy, _loop_check(data)) if data["loop_ends"] else (policy,)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The previous policy is set; it runs, or loops, as before."""
        data = job.data
        return (_policy_check(data, _policy(data["before"]), up=bool(data["loop_ends"])),)


def _policy(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _settable(policy: dict[str, Any]) -> dict[str, Any]:
    """The engine takes an empty name for "leave it as it is"; it means `no`."""
    return {**policy, "Name": policy["Name"] or "no"}


def _factors(box: Box, around: guards.Neighbours, *, ends: bool) -> Factors:
    interruption = Factor(0, "it only says what happens after its next end")
    if ends:
        interruption = Factor(1, f"{box.failing}: its clients get little from it already")
    return Factors(
        interruption=interruption,
        reversibility=Factor(1, "the previous policy is set by the same request"),
        durable_data=Factor(1, "configuration with its old value saved"),
        blast_radius=guards.blast_radius(around, box),
        blocking=Factor(0, "nothing waits for it"),
        verifiability=Factor(0, "the engine tells the policy, and whether it still restarts"),
    )


def _drift(box: Box) -> str:
    return f"the compose file of {line(box.project, 60)} still says otherwise: its next `up` sets that policy again"


def _policy_check(data: Mapping[str, object], wanted: dict[str, Any], *, up: bool = False) -> LiveCheck:
    identity = str(data["id"])

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        works = same_policy(box.policy, wanted) and (not up or box.running or box.looping)
        return Sample(works, f"restart policy {policy_text(box.policy)}, {box.status}")

    name = f"its restart policy is {policy_text(wanted)}" + (", and it is started again" if up else "")
    return LiveCheck(name, 5, "as the engine tells it", sample)


def _loop_check(data: Mapping[str, object]) -> LiveCheck:
    identity = str(data["id"])
    known: dict[str, int] = {}

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        says = f"{box.status}, {box.restarts} restarts"
        if box.flag("State", "Restarting"):
            return Sample(False, says)
        calm = known.setdefault("restarts", box.restarts) == box.restarts
        known["restarts"] = box.restarts
        return Sample(calm, says)

    return LiveCheck("the loop has ended", WATCH, "it is not started again by itself", sample, within_s=ENDS_WITHIN)
