"""Merges a VM's newest overlays into the files below, while it runs. No file is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from debugtui.model.plan import DiffPart, Guard
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
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import blockjobs, common, observe, storage
from debugtui.remediation.catalogue.libvirt.disk import no_block_job
from debugtui.remediation.catalogue.libvirt.domain import INACTIVE, MOST, RUNNING, Seen, by_uuid, identity, sha
from debugtui.remediation.catalogue.libvirt.snapshot import merge_step, pivot_step
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands


class CommitSnapshot(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.commit_snapshot",
        title="Merge an overlay",
        summary="Merges the newest overlay of each disk into the file below while the VM runs; deletes no file.",
        target=common.TARGET_FORM,
        parameters=(
            Parameter("device", "only this disk, such as vda", required=False),
            Parameter("wait_s", "seconds that merging may take", required=False, default=str(blockjobs.WAIT_S)),
        ),
        risk=(2, 3),
        undo=Undo.COMPENSATING,
        undo_says="before the pivot: ends the merge, the guest keeps its overlay; afterwards nothing is left to undo",
        guards=("state", "persistent", "no_job_running", "no_block_job", "base_not_shared", "store_space", "disk_layout"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what runs and has snapshots."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.state != "running":
            return common.offer(self.spec.name, target, False, f"it is {vm.state}; overlays are merged while the VM runs")
        if vm.snapshots is not None and not vm.snapshots:
            return common.offer(self.spec.name, target, False, "it has no snapshot", rank=90)
        return common.offer(self.spec.name, target, True, "if it runs on an overlay, it is merged into the file below", rank=75)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read the chains, and who else uses the files below."""
        wait_s = common.whole(params, "wait_s", 10, 86_400, blockjobs.WAIT_S)
        target, seen = await common.look(eyes, target)
        disks = _chosen(seen, params.get("device", "").strip())
        name = seen.shown
        parts = [{"device": disk.device, "top": disk.path, "base": disk.backing[0]} for disk in disks]
        return Draft(
            target=target,
            problem=f"{name} runs on {len(disks)} overlay(s)",
            solution=f"merge the newest overlay of {', '.join(line(disk.device, 40) for disk in disks)} into the file below",
            factors=_factors(),
            identity={**identity(seen), "chains": sha(repr([(disk.device, disk.path, disk.backing) for disk in disks]))},
            data={"expect": identity(seen), "disks": parts, "wait_s": wait_s},
            diff=tuple(_diff(disk) for disk in disks),
            guards=await _guards(eyes, seen, disks),
            irreversible=(
                "after the pivot the overlay's writes are in the file below: going back to the snapshot is not possible",
                "the overlay files stay on the store and are no longer used; libvirt still lists their snapshot",
            ),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Merge every disk, then pivot every disk."""
        wait_s = int(str(job.data["wait_s"]))
        merging = [merge_step(job, disk["device"], disk["top"], disk["base"], wait_s) for disk in _parts(job)]
        return (*merging, *(pivot_step(job, disk["device"], disk["base"]) for disk in _parts(job)))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """End the merges that are not pivoted."""
        return tuple(_abort_step(job, disk["device"], disk["base"]) for disk in _parts(job))

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The guest, running and defined, is on the lower files; no job is left; it works."""
        uuid, wanted = common.expected(job)["uuid"], {disk["device"]: disk["base"] for disk in _parts(job)}
        why = "until the pivot the guest still writes to the overlay: its disks are read anew"
        merged = observe.seen_check("merged", uuid, why, lambda seen: _on(seen, wanted), 5)
        return (merged, observe.stays_running(uuid), observe.works(uuid))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The guest is on its overlays, and no job is left."""
        uuid, wanted = common.expected(job)["uuid"], {disk["device"]: disk["top"] for disk in _parts(job)}
        return (observe.seen_check("on the overlays", uuid, "as before", lambda seen: _on(seen, wanted)), observe.works(uuid))


def _parts(job: Job) -> list[Mapping[str, str]]:
    return cast("list[Mapping[str, str]]", job.data["disks"])


def _chosen(seen: Seen, device: str) -> list[storage.Disk]:
    disks = storage.disks_of(seen.live)
    if device and device not in [disk.device for disk in disks]:
        known = ", ".join(line(disk.device, 40) for disk in disks) or "none"
        raise PlanError(f"{seen.shown} has no disk {line(device, 40)!r} (there are: {known})")
    found = [disk for disk in disks if disk.backing and disk.writable and device in ("", disk.device)]
    if not found:
        raise NothingToDoError(f"{seen.shown} runs on no overlay")
    if any("?" in disk.backing[:1] for disk in found):
        raise PlanError(f"a disk of {seen.shown} lies over something that is no file")
    return found


def _on(seen: Seen, wanted: Mapping[str, str]) -> Sample:
    live = {disk.device: disk for disk in storage.disks_of(seen.live) if disk.device in wanted}
    defined = {disk.device: disk.path for disk in storage.disks_of(seen.inactive) if disk.device in wanted}
    good = {device: disk.path for device, disk in live.items()} == wanted and defined == wanted
    idle = not any(disk.mirror for disk in live.values())
    says = ", ".join(f"{line(device, 40)} on {line(disk.path, 120)}" for device, disk in live.items())
    return Sample(good and idle, says + ("" if idle else ", a job is left"))


def _abort_step(job: Job, device: str, base: str) -> LiveStep:
    expect = common.expected(job)

    async def settle(eyes: Eyes) -> Settled:
        disk = blockjobs.disk_now((await observe.seen_of(eyes, expect["uuid"])).live, device)
        return Settled.NOT_DONE if disk.mirror else Settled.DONE

    async def run(hands: Hands) -> Done:
        disk = blockjobs.disk_now((await observe.seen_of(hands, expect["uuid"])).live, device)
        if disk.path == base:
            raise StepError(f"{device} is on the lower file: its overlay was merged, which cannot be taken back", changed=False)
        if not await blockjobs.abort(hands, expect, device):
            raise StepError(f"the merge of {device} could not be ended", changed=None)
        return Done(f"no merge of {device} is under way")

    command = f'virDomainBlockJobAbort("{expect["uuid"]}", "{line(device, 40)}", 0)'
    return LiveStep(f"end the merge of {line(device, 40)}", command, True, 60, None, run, settle)


def _diff(disk: storage.Disk) -> DiffPart:
    top, base = line(disk.path, 300), line(disk.backing[0], 300)
    return DiffPart(f"files of {line(disk.device, 40)}", "text", f"{top}\n  over {base}", base)


async def _guards(eyes: Eyes, seen: Seen, disks: list[storage.Disk]) -> tuple[Guard, ...]:
    stores = await storage.stores_of(eyes, seen.uuid, disks)
    below = [storage.Store(disk, await storage.space_of(eyes, seen.uuid, disk.backing[0])) for disk in disks]
    need = await common.ask(eyes, lambda connection: _allocated(connection, seen.uuid, [disk.device for disk in disks]))
    return (
        common.guard("state", seen.state == RUNNING, f"{seen.shown} is {seen.words}; overlays are merged while the VM runs"),
        common.persistent(seen),
        common.no_job(seen),
        await no_block_job(eyes, seen, tuple(disks)),
        await _base_not_shared(eyes, seen, disks),
        storage.enough_space("store_space", below, need=need, least=need),
        storage.layout(stores),
    )


def _allocated(connection: Any, uuid: str, devices: list[str]) -> int:
    domain = by_uuid(connection, uuid)
    return sum(int(domain.blockInfo(device)[1]) for device in devices)


async def _base_not_shared(eyes: Eyes, seen: Seen, disks: list[storage.Disk]) -> Guard:
    """A file below that another VM uses, too, would be changed under it."""
    bases = {disk.backing[0] for disk in disks}

    def users(connection: Any) -> list[str]:
        found = []
        for domain in connection.listAllDomains(0)[:MOST]:
            if str(domain.UUIDString()) == seen.uuid:
                continue
            files = {
                path
                for xml in {domain.XMLDesc(0), domain.XMLDesc(INACTIVE)}
                for disk in storage.disks_of(xml)
                for path in (disk.path, *disk.backing)
            }
            if files & bases:
                found.append(line(domain.name(), 80))
        return found

    others = await common.ask(eyes, users)
    why = f"the file below is used by {', '.join(others[:5])}: it would change under it" if others else "no other VM uses it"
    return common.guard("base_not_shared", not others, why, ", ".join(line(base, 200) for base in sorted(bases)))


def _factors() -> Factors:
    return Factors(
        interruption=Factor(1, "disk access pauses for a moment at the pivot"),
        reversibility=Factor(4, "after the pivot the overlay cannot be taken off again"),
        durable_data=Factor(1, "no data is lost: what the guest wrote moves into the file below"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=common.DIRECT,
    )
