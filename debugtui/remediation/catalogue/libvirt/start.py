"""Starts a VM that is off and should run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from debugtui.model.libvirt import LibvirtReading
from debugtui.model.plan import DiffPart, Guard
from debugtui.model.source import FleetView, Kind
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
    PlanError,
    Remediation,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, memory_guard, observe, power, storage
from debugtui.remediation.catalogue.libvirt.domain import CRASHED, SHUTOFF, Seen, by_uuid, identity
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds that the rollback's shutdown may take, beyond the waiting itself.
_MORE_S = 30
_SAVED = 5  # VIR_DOMAIN_SHUTOFF_SAVED
_ACTIVE = ("running", "idle", "paused", "in shutdown", "pmsuspended")


class Start(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.start",
        title="Start a VM",
        summary="Starts a VM that is off, when its disks are there and no second copy of it runs elsewhere.",
        target=common.TARGET_FORM,
        parameters=(),
        risk=(2, 3),
        undo=Undo.COMPENSATING,
        undo_says="asks the guest to shut down; what it wrote meanwhile stays",
        guards=("persistent", "storage_present", "no_second_copy", "managed_save", "host_memory", "meant_to_run"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what is off."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.state not in ("shut off", "crashed"):
            return common.offer(self.spec.name, target, False, f"it is {vm.state}")
        if vm.autostart:
            return common.offer(self.spec.name, target, True, "it is off, and set to start by itself", rank=0)
        return common.offer(self.spec.name, target, True, f"it is off ({vm.reason}); it may be so on purpose", rank=20)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read whether it may and can be started."""
        target, seen = await common.look(eyes, target)
        if seen.state not in (SHUTOFF, CRASHED):
            kind = NothingToDoError if seen.state == 1 else PlanError
            raise kind(f"{seen.shown} is {seen.words}")
        disks = [disk for disk in storage.disks_of(seen.inactive) if disk.path]
        stores = await storage.stores_of(eyes, seen.uuid, disks)
        guards = (
            common.persistent(seen),
            await _storage_present(eyes, seen, disks),
            _no_second_copy(await eyes.view(), eyes, seen, stores),
            _managed_save(seen),
            await memory_guard.enough(eyes, seen),
            _meant_to_run(seen),
        )
        name = seen.shown
        return Draft(
            target=target,
            problem=f"{name} is {seen.words}",
            solution=f"start {name}",
            factors=_factors(),
            identity={**identity(seen), "managed_save": "yes" if seen.managed_save else "no"},
            data={"expect": identity(seen)},
            diff=(DiffPart(f"state of {name}", "text", seen.words, "running (booted)"),),
            guards=guards,
            irreversible=("what the guest writes to its disks once it runs",),
            expected=(target,),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One call."""
        expect = common.expected(job)
        settle = observe.settle_by(expect["uuid"], lambda seen: seen.active if seen.state != CRASHED else None)

        async def run(hands: Hands) -> Done:
            keys = ("uuid", "state", "instance", "persistent", "definition")
            number = await common.send(hands, lambda connection: power.create(connection, expect, keys), settle, limit=60.0)
            return Done(f"libvirt started {expect['name']} as instance {number}", {"instance": str(number)})

        return (LiveStep("start", f'virDomainCreate("{expect["uuid"]}")', True, 90, "shut down", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Ask it to shut down."""
        expect = common.expected(job)
        settle = observe.settle_by(expect["uuid"], observe.is_off)

        async def run(hands: Hands) -> Done:
            keys = ("uuid",)
            return await power.shut_down(hands, expect, keys, settle, agent=True, wait_s=power.WAIT_S)

        command = f'virDomainShutdownFlags("{expect["uuid"]}", GUEST_AGENT, else ACPI_POWER_BTN)'
        return (LiveStep("shut down", command, True, power.WAIT_S + _MORE_S, None, run, settle),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It stays running, and works."""
        uuid = common.expected(job)["uuid"]
        return (observe.stays_running(uuid), observe.works(uuid))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is off."""
        uuid = common.expected(job)["uuid"]
        return (observe.in_state("off", uuid, (SHUTOFF,), "the VM has to be off, as before"),)


async def _storage_present(eyes: Eyes, seen: Seen, disks: Sequence[storage.Disk]) -> Guard:
    """Let libvirt open every image: it looks with the emulator's eyes."""
    devices = [disk.device for disk in disks]

    def try_all(connection: object) -> list[str]:
        import libvirt

        domain, wrong = by_uuid(connection, seen.uuid), []
        for device in devices:
            try:
                domain.blockInfo(device)
            except libvirt.libvirtError as error:
                wrong.append(f"{device}: {error}")
        return wrong

    wrong = await common.ask(eyes, try_all)
    evidence = "; ".join(line(says, 200) for says in wrong) or f"opened: {', '.join(devices) or 'no disk'}"
    why = "a disk cannot be opened" if wrong else "libvirt can open every disk"
    return common.guard("storage_present", not wrong, why, evidence)


def _no_second_copy(view: FleetView, eyes: Eyes, seen: Seen, stores: Sequence[storage.Store]) -> Guard:
    name, read = "no_second_copy", []
    for host in view.hosts:
        if host.name == eyes.host.name:
            continue
        for status in host.of_kind(Kind.LIBVIRT):
            if not isinstance(status.reading, LibvirtReading):
                continue
            read.append(host.name)
            for vm in status.reading.vms:
                if vm.uuid == seen.uuid and vm.state in _ACTIVE:
                    return common.guard(name, False, f"it is {vm.state} on {host.name}: two copies would spoil its disks")
    others = [host.name for host in eyes.config.hosts if host.name not in (eyes.host.name, *read) and host.libvirt is not False]
    evidence = f"read: {', '.join(read) or 'no other host'}"
    local = all(isinstance(store.space, storage.Space) and not store.space.shared for store in stores)
    if others and not local:
        why = f"its disks may be shared, and these hosts could not be looked at: {', '.join(others[:5])}"
        return common.guard(name, None, why, evidence, critical=False)
    return common.guard(name, True, "it runs on no other host that could have its disks", evidence)


def _managed_save(seen: Seen) -> Guard:
    if seen.managed_save:
        why = "it was saved: it goes on from that memory image, whose soundness only shows when it starts"
        return common.guard("managed_save", None, why, critical=False)
    if seen.reason == _SAVED:
        return common.guard(
            "managed_save", None, "it was saved, but its memory image is not there: it will boot", critical=False
        )
    return common.guard("managed_save", True, "no saved memory image: it boots", critical=False)


def _meant_to_run(seen: Seen) -> Guard:
    how = f"autostart is {'on' if seen.autostart else 'off'}; {seen.words}"
    if seen.autostart:
        return common.guard("meant_to_run", True, "it is set to start by itself", how, critical=False)
    why = "it does not start by itself: it may be off on purpose, and you say that it should run"
    return common.guard("meant_to_run", True, why, how, critical=False)


def _factors() -> Factors:
    return Factors(
        interruption=Factor(0, "it is off: nothing is interrupted"),
        reversibility=Factor(3, "it can be shut down again; what it did meanwhile stays"),
        durable_data=Factor(1, "the guest writes to its own disks"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=common.DIRECT,
    )
