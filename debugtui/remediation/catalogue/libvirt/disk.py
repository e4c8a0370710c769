"""Grows a disk of a running VM; never shrinks one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

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
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, observe, storage
from debugtui.remediation.catalogue.libvirt.backups import backups_of_host
from debugtui.remediation.catalogue.libvirt.domain import RUNNING, Seen, by_uuid, identity, same
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: VIR_DOMAIN_BLOCK_RESIZE_BYTES: without it libvirt takes the number for KiB.
_BYTES = 1
_LARGEST = Decimal(1 << 20)  # GiB


class GrowDisk(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.grow_disk",
        title="Grow a disk",
        summary="Makes a disk of a running VM larger; partition and filesystem in the guest are grown afterwards.",
        target=common.TARGET_FORM,
        parameters=(
            Parameter("device", "the disk as the VM has it, such as vda"),
            Parameter("gib", "its new size in GiB, such as 40 or 0.5"),
        ),
        risk=(2, 4),
        undo=Undo.NONE,
        undo_says="a disk is never made smaller",
        guards=(
            "state", "no_job_running", "grows", "no_block_job", "no_chain", "store_space", "recent_backup", "disk_layout",
            "guest_agent",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what runs and has a disk."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.state != "running":
            return common.offer(self.spec.name, target, False, f"it is {vm.state}; a disk is grown while the VM runs")
        if not vm.disks:
            return common.offer(self.spec.name, target, False, "it has no disk that is known")
        params = (("device", vm.disks[0].device),) if len(vm.disks) == 1 else ()
        return common.offer(self.spec.name, target, True, "cannot be taken back; needs a verified backup", 70, params)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read the disk, its size, its store, and the backups."""
        wanted = _bytes(params.get("gib", ""))
        target, seen = await common.look(eyes, target)
        disk = _disk(seen, params.get("device", "").strip())
        size = await common.ask(eyes, lambda connection: _capacity(connection, seen.uuid, disk.device))
        if wanted == size:
            raise NothingToDoError(f"{line(disk.device, 40)} of {seen.shown} has {_gib(size)}")
        name, device = seen.shown, line(disk.device, 40)
        return Draft(
            target=target,
            problem=f"{device} of {name} has {_gib(size)}",
            solution=f"grow {device} of {name} to {_gib(wanted)}",
            factors=_factors(),
            identity={**identity(seen), "disk": f"{device} {line(disk.path, 300)}", "capacity": str(size)},
            data={"expect": identity(seen), "device": disk.device, "path": disk.path, "old": size, "new": wanted},
            diff=(DiffPart(f"size of {device}", "text", f"{size} bytes ({_gib(size)})", f"{wanted} bytes ({_gib(wanted)})"),),
            guards=await _guards(eyes, seen, disk, size, wanted),
            irreversible=(
                "the disk stays larger: making it smaller would cut off data",
                "partition and filesystem in the guest are not grown by this: grow them there afterwards",
            ),
            mitigations=_mitigations(wanted < size),
            stop="a disk is never made smaller: it would cut off data, without a warning" if wanted < size else "",
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One call, in bytes."""
        expect, device = common.expected(job), str(job.data["device"])
        old, new = int(str(job.data["old"])), int(str(job.data["new"]))
        settle = _settle(expect["uuid"], device, old, new)

        def act(connection: Any) -> None:
            domain = same(connection, expect)
            size = _capacity(connection, expect["uuid"], device)
            if size != old:
                raise StaleError(f"{device} has {size} bytes, not {old}")
            if new <= size:
                raise StepError(f"{device} would not grow", changed=False)
            domain.blockResize(device, new, _BYTES)

        async def run(hands: Hands) -> Done:
            await common.send(hands, act, settle, limit=60.0)
            return Done(f"{device}: {old} → {new} bytes")

        command = f'virDomainBlockResize("{expect["uuid"]}", "{line(device, 40)}", {new}, BLOCK_RESIZE_BYTES)'
        return (LiveStep("grow", command, True, 90, None, run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """None: a disk is never made smaller."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The size, read anew; and the guest goes on working."""
        expect, device, new = common.expected(job), str(job.data["device"]), int(str(job.data["new"]))

        async def sample(eyes: Eyes) -> Sample:
            size = await common.ask(eyes, lambda connection: _capacity(connection, expect["uuid"], device))
            return Sample(size == new, f"{size} bytes")

        size = LiveCheck("capacity", 5, "the size that the emulator gives to the guest is read anew", sample)
        return (size, observe.stays_running(expect["uuid"]), observe.works(expect["uuid"]))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """None."""
        return ()


def _bytes(text: str) -> int:
    try:
        gib = Decimal(text.strip())
    except InvalidOperation:
        gib = Decimal(0)
    if not gib.is_finite() or not 0 < gib <= _LARGEST or (gib * common.GIB) % 4096:
        raise PlanError(f"gib is a size in GiB, such as 40 or 0.5, in whole pages of 4096 bytes; not {line(text, 40)!r}")
    return int(gib * common.GIB)


def _gib(size: int) -> str:
    return f"{size / common.GIB:.3f}".rstrip("0").rstrip(".") + " GiB"


def _disk(seen: Seen, device: str) -> storage.Disk:
    disks = storage.disks_of(seen.live)
    for disk in disks:
        if disk.device == device:
            return disk
    known = ", ".join(line(disk.device, 40) for disk in disks) or "none"
    raise PlanError(f"{seen.shown} has no disk {line(device, 40)!r} (there are: {known})")


def _capacity(connection: Any, uuid: str, device: str) -> int:
    return int(by_uuid(connection, uuid).blockInfo(device)[0])


async def _guards(eyes: Eyes, seen: Seen, disk: storage.Disk, size: int, wanted: int) -> tuple[Guard, ...]:
    stores = await storage.stores_of(eyes, seen.uuid, [disk])
    device = line(disk.device, 40)
    grows = f"{device} grows by {_gib(wanted - size)}" if wanted > size else f"{device} has {_gib(size)}: it would lose its end"
    jobless = await no_block_job(eyes, seen, (disk,))
    chain = f"{device} has {len(disk.backing)} files below it"
    return (
        common.guard("state", seen.state == RUNNING, f"{seen.shown} is {seen.words}; a disk is grown while the VM runs"),
        common.no_job(seen),
        common.guard("grows", wanted > size, grows, f"{size} → {wanted} bytes"),
        common.guard("writable", disk.writable, f"{device} is a {line(disk.role, 40)}{', read-only' if disk.readonly else ''}"),
        jobless,
        common.guard("no_chain", not disk.backing, f"{chain}: merge them first" if disk.backing else "no overlay"),
        storage.enough_space("store_space", stores, need=max(0, wanted - size)),
        *await backups_of_host(eyes, seen.shown),
        storage.layout(stores),
        common.agent(seen, "how the disk is divided in the guest is not known"),
    )


async def no_block_job(eyes: Eyes, seen: Seen, disks: tuple[storage.Disk, ...]) -> Guard:
    """No copy, commit or backup of these disks is under way."""
    devices = [disk.device for disk in disks]

    def busy(connection: Any) -> list[str]:
        domain = by_uuid(connection, seen.uuid)
        return [device for device in devices if seen.active and domain.blockJobInfo(device, 0)]

    found = sorted({*await common.ask(eyes, busy), *(disk.device for disk in disks if disk.mirror)})
    if found:
        return common.guard("no_block_job", False, f"a block job is under way on {line(', '.join(found), 100)}")
    return common.guard("no_block_job", True, "no copy, commit or backup of its disks is under way")


def _settle(uuid: str, device: str, old: int, new: int) -> Callable[[Eyes], Awaitable[Settled]]:
    async def settle(eyes: Eyes) -> Settled:
        size = await common.ask(eyes, lambda connection: _capacity(connection, uuid, device))
        found = {new: Settled.DONE, old: Settled.NOT_DONE}.get(size, Settled.UNKNOWN)
        return await observe.unless_busy(eyes, uuid, found)

    return settle


def _factors() -> Factors:
    return Factors(
        interruption=common.NO_INTERRUPTION,
        reversibility=Factor(4, "a disk cannot be made smaller again"),
        durable_data=Factor(1, "the disk's content stays; its end moves"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=common.DIRECT,
    )


def _mitigations(shrinks: bool) -> tuple[Mitigation, ...]:
    if shrinks:
        return (
            Mitigation("", "make a new, smaller disk, copy the data in the guest, change over in a maintenance window"),
            Mitigation("", "if the store is full: thin the image (fstrim in the guest), or add space to the store"),
        )
    return (Mitigation("postgres.backup", "a fresh, verified backup lets the plan be approved where it is missing"),)
