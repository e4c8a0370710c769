"""Changes a container's memory and processor limits while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from debugtui.model.plan import DiffPart
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
    Settled,
    Spec,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.cgroup import held, used
from debugtui.remediation.catalogue.docker.common import Box, find, row_of, size_text
from debugtui.remediation.catalogue.docker.limit_checks import applied, as_before, fits, no_kills, same_run
from debugtui.remediation.catalogue.docker.limit_guards import headroom, kernel_says, not_below_use, swap_counted
from debugtui.remediation.catalogue.docker.limit_values import Change, change_of, limits_of, text_of
from debugtui.remediation.catalogue.docker.requests import read, same, send, shown
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds for the request.
STEP_LIMIT = 15

#: A limit is suggested this much above the present one where a container ran out of memory.
_SUGGESTED = 2


class UpdateLimits(Remediation):
    """`POST /containers/{id}/update` with memory and swap in one request, or processors."""

    spec: ClassVar[Spec] = Spec(
        name="docker.update_limits",
        title="Change memory or processor limits",
        summary="A container runs out of memory or is throttled: change its limits while it runs.",
        target="HOST/docker/NAME",
        parameters=(
            Parameter("memory", "the new memory limit: 512m, 2g, or bytes", required=False),
            Parameter("cpus", "how many processors it may use: 1.5", required=False),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="the previous limits; a container without a limit cannot be given none again, only recreated",
        guards=(
            "not_auto_remove", "not_being_removed", "logs_read", "not_below_use", "host_headroom", "kernel_limits",
            "swap_counted",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """The way out where it ended for want of memory."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        limit, use = container.memory_limit_bytes, container.memory_bytes
        params = (("memory", text_of(limit * _SUGGESTED)),) if limit else ()
        if container.oom_killed:
            return Offer(self.spec.name, target, True, "it ended for want of memory", params, rank=0)
        if limit and use and use > 0.9 * limit:
            return Offer(self.spec.name, target, True, f"it uses {use * 100 // limit} % of its memory limit", params, rank=5)
        why = "it has a limit, and room below it" if limit else "it has no memory limit, and did not run out of memory"
        return Offer(self.spec.name, target, False, why)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        box = await find(eyes, target)
        info = await _info(eyes)
        change = change_of(box, params, info)
        if change.before == change.after:
            raise NothingToDoError(f"{box.shown} has these limits already")
        if change.first and change.back:
            raise PlanError("one of the two limits can be taken back and the other cannot: plan them one after the other")
        around = await guards.neighbours(eyes, box)
        now = await used(eyes, box) if box.running else None
        kernel = await held(eyes, box.number("State", "Pid")) if box.running else None
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown}: {_problem(box, change)}",
            solution=f"give it {change.words} while it runs",
            factors=_factors(box, around, change),
            identity={**box.identity(), "limits": _limits_text(change.before)},
            data={
                "id": box.id,
                "name": box.name,
                "started": box.identity()["started"],
                "body": change.after,
                "before": change.before,
                "back": change.back,
                "watch_s": box.watch_s,
            },
            diff=(DiffPart(f"limits of {box.shown}", "yaml", _limits_text(change.before), _limits_text(change.after)),),
            guards=(
                guards.not_auto_remove(box),
                guards.not_being_removed(box),
                await guards.logs_read(eyes, box),
                not_below_use(box, change, now),
                await headroom(eyes, change, info),
                kernel_says(box, change, kernel),
                swap_counted(change, info),
            ),
            irreversible=_for_good(box, change),
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One request."""
        data = job.data
        back = data["back"]
        undo = shown("POST", f"containers/{data['id']}/update", None, back) if back else None
        return (_step(data, data["body"], "Set the limits", expect=str(data["started"]), undo=undo),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Set the previous limits, where there were some."""
        return (_step(job.data, job.data["back"], "Set the previous limits"),) if job.data["back"] else ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The engine and the kernel say so, it is the same run, and nothing was ended for want of memory."""
        data, results = job.data, job.results
        identity, watch = str(data["id"]), int(str(data["watch_s"]))
        body = _body(data["body"])
        return (applied(identity, body), same_run(identity, results, watch), no_kills(identity, results, watch))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The engine and the kernel say so."""
        back = _body(job.data["back"])
        return (applied(str(job.data["id"]), back), as_before(str(job.data["id"]), back)) if back else ()

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Any, ...]:
        """It uses less than the previous limit."""
        box = await read(eyes, str(job.data["id"]))
        return (await fits(eyes, box, _body(job.data["back"])),)


def _body(value: object) -> dict[str, int]:
    return {str(key): int(number) for key, number in value.items()} if isinstance(value, dict) else {}


def _step(data: Mapping[str, object], body: object, title: str, *, expect: str = "", undo: str | None = None) -> LiveStep:
    identity, wanted = str(data["id"]), _body(body)
    path = f"containers/{identity}/update"

    async def run(hands: Hands) -> Done:
        box = await same(hands, identity, expect) if expect else await read(hands, identity)
        if box is None:
            raise StepError("the container is gone", changed=False)
        kernel = await held(hands, box.number("State", "Pid"))
        await send(hands, "POST", path, None, wanted, timeout=STEP_LIMIT - 2)
        facts: dict[str, Any] = {"pid": box.number("State", "Pid"), "began": box.started_at, "looped": box.looping}
        facts["flagged"] = box.oom_killed
        if kernel is not None and kernel.kills is not None:
            facts["kills"] = kernel.kills
        return Done("the engine took the limits", facts)

    async def settle(eyes: Eyes) -> Settled:
        box = await read(eyes, identity)
        if box is None:
            return Settled.UNKNOWN
        return Settled.DONE if limits_of(box, wanted) == wanted else Settled.NOT_DONE

    return LiveStep(title, shown("POST", path, None, wanted), True, STEP_LIMIT, undo, run, settle)


async def _info(eyes: Eyes) -> dict[str, Any]:
    from debugtui.remediation.catalogue.docker.common import refused
    from debugtui.sources.docker.client import AnswerError

    try:
        answer = await (await eyes.docker()).get_json("info")
    except AnswerError as error:
        raise refused(error) from None
    return answer if isinstance(answer, dict) else {}


def _problem(box: Box, change: Change) -> str:
    if box.oom_killed:
        return "it ended for want of memory"
    return "it has no limit" if change.first else "its limits do not fit"


def _limits_text(limits: Mapping[str, int]) -> str:
    lines = []
    for name in sorted(limits):
        value = limits[name]
        if name in ("Memory", "MemorySwap"):
            shown_value = "unlimited" if value <= 0 else f"{value} ({size_text(value)})"
        elif name == "NanoCpus":
            shown_value = f"{value} ({value / 1e9:g} processors)" if value else "unlimited"
        else:
            shown_value = str(value) if value > 0 else "unlimited"
        lines.append(f"{name}: {shown_value}")
    return "\n".join(lines)


def _factors(box: Box, around: guards.Neighbours, change: Change) -> Factors:
    if change.first:
        interruption = Factor(1, "it runs on; what goes beyond the new limit is slowed or ended")
    elif change.lower_memory:
        level = 1 if box.failing else 2 if around.twins else 3
        interruption = Factor(level, "less memory than before: a peak may end it")
    elif change.lower_cpus:
        interruption = Factor(1, "less processor time than before: it may answer more slowly")
    else:
        interruption = Factor(0, "it runs on, with more room")
    back = Factor(2, "a container that was limited cannot be made unlimited again: only recreating it does that")
    return Factors(
        interruption=interruption,
        reversibility=back if change.first else Factor(1, "the previous limits are set by the same request"),
        durable_data=Factor(1, "configuration with its old value saved"),
        blast_radius=Factor(1, "one container"),
        blocking=Factor(0, "nothing waits for it"),
        verifiability=Factor(0, "the engine tells the limits, and so does the kernel"),
    )


def _for_good(box: Box, change: Change) -> tuple[str, ...]:
    says = []
    if change.first:
        says.append(
            "it had no limit: an update cannot take a limit away again, only recreating the container does (docker.recreate)"
        )
    if box.service:
        name = line(box.project, 60)
        says.append(f"the compose file of {name} still says otherwise: its next `up` sets those limits again")
    return tuple(says)
