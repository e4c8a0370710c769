"""Resumes a paused guest: after an I/O error only when its store has space again."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.model.plan import DiffPart, Guard, Mitigation
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
    NothingToDoError,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Spec,
    StaleError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, observe, storage
from debugtui.remediation.catalogue.libvirt.domain import PAUSED, PAUSED_IO_ERROR, PAUSED_USER, RUNNING, Seen, by_uuid, identity
from debugtui.remediation.catalogue.libvirt.domain import same as still_same
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

SPACE_UNKNOWN = "space_unknown"
_NO_SPACE = 2  # VIR_DOMAIN_DISK_ERROR_NO_SPACE

#: Reasons of a pause (virDomainPausedReason) that forbid to resume, and why.
_FORBIDDEN = {
    2: "it is being migrated: resuming it could let two copies run",
    3: "it is being saved",
    4: "it is being dumped",
    6: "its watchdog stopped it: look at its console first",
    7: "it was restored from a snapshot and waits for whoever did that",
    8: "it is shutting down",
    9: "a snapshot of it is being taken",
    10: "it crashed",
    11: "it is just starting",
    12: "it is being migrated",
    13: "its migration failed half-way: a part of its memory is elsewhere",
}


class Resume(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.resume",
        title="Resume a VM",
        summary="Lets a paused VM run again; after an I/O error only when its store has space again.",
        target=common.TARGET_FORM,
        parameters=(
            Parameter("least_free_mib", "MiB of free space that suffice instead of 10 %", required=False),
            Parameter("even_if", f"{SPACE_UNKNOWN}: you know that there is space where it cannot be read", required=False),
        ),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="pauses the VM again",
        guards=("pause_reason", "no_job_running", "store_space", "disk_errors"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what its storage, or somebody, paused."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.state != "paused":
            return common.offer(self.spec.name, target, False, f"it is {vm.state}, not paused")
        if vm.reason in ("I/O error", "user"):
            why = "its storage failed; it goes on when there is space again" if vm.paused_for_io_error else "somebody paused it"
            return common.offer(self.spec.name, target, True, why, rank=0)
        return common.offer(self.spec.name, target, False, f"it is paused for another reason: {vm.reason}")

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read why it is paused and, after an I/O error, whether its store has space."""
        least = common.whole(params, "least_free_mib", 1, 1 << 30) if params.get("least_free_mib") else None
        if params.get("even_if", "") not in ("", SPACE_UNKNOWN):
            raise PlanError(f"even_if can be {SPACE_UNKNOWN} only")
        target, seen = await common.look(eyes, target)
        if seen.state == RUNNING:
            raise NothingToDoError(f"{seen.shown} is running")
        if seen.state != PAUSED:
            raise PlanError(f"{seen.shown} is {seen.words}, not paused")
        guards = [_reason(seen), common.no_job(seen)]
        if seen.reason == PAUSED_IO_ERROR:
            guards += await _storage(eyes, seen, least, known="even_if" not in params or not params["even_if"])
        name = seen.shown
        return Draft(
            target=target,
            problem=f"{name} is {seen.words}: nothing in it runs",
            solution=f"resume {name}",
            factors=_factors(),
            identity=identity(seen),
            data={"expect": identity(seen)},
            diff=(DiffPart(f"state of {name}", "text", seen.words, "running (unpaused)"),),
            guards=tuple(guards),
            mitigations=_mitigations(guards),
            expected=(target,),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One call."""
        expect = common.expected(job)
        settle = observe.settle_by(expect["uuid"], observe.is_running)

        async def run(hands: Hands) -> Done:
            await common.send(hands, lambda connection: still_same(connection, expect).resume() and None, settle)
            return Done(f"libvirt resumed {expect['name']}")

        return (LiveStep("resume", f'virDomainResume("{expect["uuid"]}")', True, 30, "suspend", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Pause it again."""
        expect = common.expected(job)
        settle = observe.settle_by(expect["uuid"], lambda seen: {PAUSED: True, RUNNING: False}.get(seen.state))

        async def run(hands: Hands) -> Done:
            done = await common.send(hands, lambda connection: _suspend(connection, expect), settle)
            return Done(f"libvirt suspended {expect['name']}" if done else f"{expect['name']} is paused already")

        return (LiveStep("suspend", f'virDomainSuspend("{expect["uuid"]}")', True, 30, None, run, settle),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It stays running, and works."""
        uuid = common.expected(job)["uuid"]
        return (observe.stays_running(uuid), observe.works(uuid))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is paused."""
        uuid = common.expected(job)["uuid"]
        return (observe.in_state("paused", uuid, (PAUSED,), "the VM has to be paused, as before"),)

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """It is the instance that was resumed."""
        expect = common.expected(job)
        seen = await observe.seen_of(eyes, expect["uuid"])
        here = identity(seen)["instance"] == expect["instance"]
        return (common.guard("same_instance", here, "the VM is the instance that was resumed", seen.words),)


def _suspend(connection: object, expect: Mapping[str, str]) -> bool:
    domain = by_uuid(connection, expect["uuid"])
    if str(domain.ID()) != expect["instance"]:
        raise StaleError(f"{expect['name']} was started anew since: it is another instance")
    if domain.state()[0] == PAUSED:
        return False
    domain.suspend()
    return True


def _reason(seen: Seen) -> Guard:
    name = "pause_reason"
    if seen.reason == PAUSED_IO_ERROR:
        return common.guard(name, True, "its storage failed (I/O error): it goes on once the storage works", seen.words)
    if seen.reason == PAUSED_USER:
        return common.guard(name, True, "somebody paused it; libvirt does not say who: ask, if it was not you", seen.words)
    if seen.reason in _FORBIDDEN:
        return common.guard(name, False, f"it may not be resumed: {_FORBIDDEN[seen.reason]}", seen.words)
    return common.guard(name, None, "libvirt does not say why it is paused", seen.words)


async def _storage(eyes: Eyes, seen: Seen, least: int | None, *, known: bool) -> list[Guard]:
    disks = [disk for disk in storage.disks_of(seen.live) if disk.writable]
    held = [disk for disk in disks if disk.device in dict(seen.disk_errors)] or disks
    stores = await storage.stores_of(eyes, seen.uuid, held)
    space = storage.enough_space("store_space", stores, least=None if least is None else least * common.MIB)
    if space.status is common.UNKNOWN and not known:
        space = common.guard(space.name, None, f"{space.why}; you say that there is some", space.evidence, critical=False)
    errors = "; ".join(f"{device}: {'no space' if code == _NO_SPACE else 'I/O error'}" for device, code in seen.disk_errors)
    full = bool(seen.disk_errors) and all(code == _NO_SPACE for _, code in seen.disk_errors)
    if full:
        return [space, common.guard("disk_errors", True, "the disks failed for want of space", errors, critical=False)]
    why = "a disk failed for another reason than space: is its storage well again?"
    return [space, common.guard("disk_errors", None, why, errors or "libvirt names no disk", critical=False)]


def _factors() -> Factors:
    return Factors(
        interruption=Factor(0, "the guest does nothing now; it can only go on"),
        reversibility=Factor(1, "the same interface pauses it again"),
        durable_data=Factor(0, "the guest goes on where it stopped; no write is lost"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=common.DIRECT,
    )


def _mitigations(guards: list[Guard]) -> tuple[Mitigation, ...]:
    if not any(guard.name == "store_space" and guard.refuses for guard in guards):
        return ()
    return (
        Mitigation("system.vacuum_journal", "frees space if the host's journal lies on the same filesystem as the store"),
        Mitigation("", "free or add space on the store, then plan again: resumed on a full store it pauses within seconds"),
    )
