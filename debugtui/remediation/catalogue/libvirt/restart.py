"""Restarts a guest the polite way: shut down, then start. Nothing is forced."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.hosts.link import LinkError
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
    DeadMan,
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, observe, power
from debugtui.remediation.catalogue.libvirt.domain import RUNNING, Seen, agent_connected, identity
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.libvirt.domain_xml import parse

#: What of the identity still counts between the two steps.
_KEYS = ("uuid", "persistent", "definition")


class Restart(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.restart",
        title="Restart a VM",
        summary="Asks the guest to shut down, waits until it is off, and starts it; never forces it.",
        target=common.TARGET_FORM,
        parameters=(
            Parameter("wait_s", "seconds that the guest gets to shut down", required=False, default=str(power.WAIT_S)),
        ),
        risk=(3, 4),
        undo=Undo.COMPENSATING,
        undo_says="starts the VM if it is off",
        guards=("state", "persistent", "no_job_running", "power_off_means_off", "asked_how"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what runs and is defined."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.state != "running":
            return common.offer(self.spec.name, target, False, f"it is {vm.state}, not running")
        if not vm.persistent:
            return common.offer(self.spec.name, target, False, "it is transient: shut down, it would be gone for good")
        return common.offer(self.spec.name, target, True, "interrupts everything in it for minutes", rank=60)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read what it is, who is in it, and how it can be asked."""
        wait_s = common.whole(params, "wait_s", 5, 1_800, power.WAIT_S)
        target, seen = await common.look(eyes, target)
        if not seen.active:
            raise PlanError(f"{seen.shown} is {seen.words}; libvirt.start starts it")
        uri = await _virsh(eyes, seen)
        inside = common.inside(eyes, target)
        name = seen.shown
        return Draft(
            target=target,
            problem=f"{name} runs and is to be started afresh",
            solution=f"shut {name} down within {wait_s} s, then start it",
            factors=_factors(inside),
            identity=identity(seen),
            data={"expect": identity(seen), "agent": agent_connected(seen), "wait_s": wait_s, "virsh": uri},
            diff=(DiffPart(f"state of {name}", "text", f"running, instance {seen.number}", "running, a new instance"),),
            guards=_guards(seen, wait_s),
            irreversible=_irreversible(uri),
            mitigations=_mitigations(inside),
            expected=(target, *_services(eyes, target)),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Shut down, then start."""
        return (_shut_down(job), _start(job, "start", undo=None))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Start it if it is off."""
        return (_start(job, "start if it is off", undo=None),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Another instance of it stays running, and works."""
        expect = common.expected(job)
        return (observe.stays_running(expect["uuid"], other_than=expect["instance"]), observe.works(expect["uuid"]))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It runs."""
        return (observe.stays_running(common.expected(job)["uuid"]),)


def _shut_down(job: Job) -> LiveStep:
    expect, agent, wait_s = common.expected(job), bool(job.data["agent"]), int(str(job.data["wait_s"]))
    settle = observe.settle_by(expect["uuid"], observe.is_off)
    keys = ("uuid", "state", "instance", "persistent", "definition")

    async def run(hands: Hands) -> Done:
        return await power.shut_down(hands, expect, keys, settle, agent=agent, wait_s=wait_s)

    flags = "GUEST_AGENT, else ACPI_POWER_BTN" if agent else "ACPI_POWER_BTN"
    command = f'virDomainShutdownFlags("{expect["uuid"]}", {flags}), then wait up to {wait_s} s until it is off'
    uri = str(job.data["virsh"])
    dead_man = DeadMan(("virsh", "-c", uri, "start", expect["uuid"]), wait_s + 60) if uri else None
    return LiveStep("shut down", command, True, wait_s + 30, "start", run, settle, dead_man)


def _start(job: Job, name: str, *, undo: str | None) -> LiveStep:
    expect = common.expected(job)
    settle = observe.settle_by(expect["uuid"], lambda seen: seen.active)

    async def run(hands: Hands) -> Done:
        number = await common.send(hands, lambda connection: power.create(connection, expect, _KEYS), settle, limit=60.0)
        if number is None:
            return Done(f"{expect['name']} is not off: nothing to start")
        return Done(f"libvirt started {expect['name']} as instance {number}", {"instance": str(number)})

    return LiveStep(name, f'virDomainCreate("{expect["uuid"]}")', True, 90, undo, run, settle)


async def _virsh(eyes: Eyes, seen: Seen) -> str:
    """Return the URI that the host's own virsh reaches this VM with; empty where it cannot."""
    uri = eyes.libvirt_uri
    if uri.startswith("test:"):
        return ""
    try:
        found = await eyes.run(["virsh", "-r", "-c", uri, "domstate", seen.uuid], limit=4_096)
    except LinkError:
        return ""
    return uri if found.status == 0 else ""


def _guards(seen: Seen, wait_s: int) -> tuple[Guard, ...]:
    agent = agent_connected(seen)
    how = "by its agent, which answers" if agent else "by ACPI (no agent answers); it may not react, then nothing changes"
    return (
        common.guard("state", seen.state == RUNNING, f"{seen.shown} is {seen.words}"),
        common.persistent(seen),
        common.no_job(seen),
        _power_off(seen),
        common.guard("asked_how", True, f"the guest is asked {how}", f"it has {wait_s} s"),
    )


def _power_off(seen: Seen) -> Guard:
    """Some definitions restart a guest that powers off, or keep it: then it would never be seen off."""
    root = parse(seen.live)
    action = (root.findtext("on_poweroff") or "destroy") if root is not None else None
    if action is None:
        return common.guard("power_off_means_off", None, "the definition could not be read")
    why = f"when it powers off, libvirt does: {line(action, 40)}"
    return common.guard("power_off_means_off", action == "destroy", why, "on_poweroff of the running definition")


def _irreversible(uri: str) -> tuple[str, ...]:
    lost = "what the programs in it did not write to disk; their connections break"
    if uri:
        return (lost,)
    return (lost, "the host has no virsh: if the link breaks after the shutdown, the VM stays off until somebody starts it")


def _services(eyes: Eyes, target: Target) -> tuple[Target, ...]:
    found = [
        Target.parse(text) for service in eyes.config.services if str(target) in service.resources for text in service.resources
    ]
    return tuple(one for one in dict.fromkeys(found) if one != target)


def _factors(inside: Factor) -> Factors:
    return Factors(
        interruption=Factor(3, "everything in it stops for more than 30 s"),
        reversibility=Factor(2, "the VM can be started again; what ran in it begins anew"),
        durable_data=Factor(1, "uncommitted work in it is lost; its disks are closed properly"),
        blast_radius=inside,
        blocking=common.NOT_BLOCKING,
        verifiability=common.DIRECT,
    )


def _mitigations(inside: Factor) -> tuple[Mitigation, ...]:
    if inside.level is None:
        return (Mitigation("", "name what runs in it in [[services]]: with one service the plan is severe, not stop"),)
    if inside.level < 3:
        return ()
    return (
        Mitigation("", "restart the one service that is ill, not the VM with all of them"),
        Mitigation("", "a maintenance window agreed with the owners, with each service's own check before and after"),
    )
