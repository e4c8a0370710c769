"""Puts an overlay over a running VM's disks, so that what is written from now on can be told from what was there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from xml.sax.saxutils import escape, quoteattr

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
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import blockjobs, common, observe, storage
from debugtui.remediation.catalogue.libvirt.disk import no_block_job
from debugtui.remediation.catalogue.libvirt.domain import RUNNING, Seen, agent_connected, by_uuid, identity, read, same, sha
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.libvirt.problems import NO_SNAPSHOT

#: virDomainSnapshotCreateFlags, virDomainSnapshotDeleteFlags.
DISK_ONLY, QUIESCE, ATOMIC = 16, 64, 128
METADATA_ONLY = 2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
_STEP_S = 60


class Snapshot(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.snapshot",
        title="Snapshot a VM",
        summary="Takes an external snapshot of a running VM's disks, quiesced where its agent answers. It is no backup.",
        target=common.TARGET_FORM,
        parameters=(Parameter("name", "name of the snapshot: letters, digits, dot, dash, underscore"),),
        risk=(2, 3),
        undo=Undo.EXACT,
        undo_says="merges the overlays back and forgets the snapshot; the empty overlay files stay on the store",
        guards=(
            "state", "persistent", "no_job_running", "no_block_job", "name_free", "plain_files", "chain_depth", "store_space",
            "guest_agent", "disk_layout",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what runs."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.state != "running":
            return common.offer(self.spec.name, target, False, f"it is {vm.state}; this takes it of a running VM")
        return common.offer(self.spec.name, target, True, "before a change in it; it is no backup", rank=65)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read the disks, their chains and their stores."""
        name = params.get("name", "").strip()
        if not _NAME.fullmatch(name):
            raise PlanError(f"name takes letters, digits, dot, dash and underscore, not {line(name, 80)!r}")
        target, seen = await common.look(eyes, target)
        disks = [disk for disk in storage.disks_of(seen.live) if disk.writable]
        if not disks:
            raise PlanError(f"{seen.shown} has no disk that it could write to")
        others = sorted(disk.device for disk in storage.disks_of(seen.live) if not disk.writable)
        agent = agent_connected(seen)
        kind = "quiesced" if agent else "crash-consistent"
        data = {
            "expect": identity(seen),
            "name": name,
            "disks": [{"device": disk.device, "path": disk.path} for disk in disks],
            "others": others,
            "quiesce": agent,
        }
        return Draft(
            target=target,
            problem=f"{seen.shown} has no snapshot {name} to tell later writes from earlier ones",
            solution=f"take the {kind} snapshot {name} of {len(disks)} disk(s) of {seen.shown}",
            factors=_factors(agent),
            identity=identity(seen),
            data=data,
            diff=tuple(_diff(disk, name) for disk in disks),
            guards=await _guards(eyes, seen, disks, name),
            irreversible=("it is no backup: both files are on the same store, and the lower one is needed for ever",),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One call; libvirt does all disks or none."""
        expect, xml = common.expected(job), snapshot_xml(job)
        flags = DISK_ONLY | ATOMIC | (QUIESCE if job.data["quiesce"] else 0)
        name = str(job.data["name"])

        async def settle(eyes: Eyes) -> Settled:
            done = await common.ask(eyes, lambda connection: _ours(connection, expect["uuid"], name, job.mark) is not None)
            return await observe.unless_busy(eyes, expect["uuid"], Settled.DONE if done else Settled.NOT_DONE)

        def act(connection: Any) -> None:
            same(connection, expect).snapshotCreateXML(xml, flags)

        async def run(hands: Hands) -> Done:
            await common.send(hands, act, settle, limit=40.0)
            return Done(f"libvirt took the snapshot {name}")

        words = "DISK_ONLY|ATOMIC" + ("|QUIESCE" if job.data["quiesce"] else "")
        command = f'virDomainSnapshotCreateXML("{expect["uuid"]}", {words})\n{xml}'
        return (LiveStep("take the snapshot", command, True, _STEP_S, "merge the overlays back", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Merge every overlay back, pivot, then let libvirt forget the snapshot."""
        steps: list[LiveStep] = []
        for device, base, top in overlays(job):
            steps += [merge_step(job, device, top, base, blockjobs.WAIT_S), pivot_step(job, device, base)]
        return (*steps, _forget(job))

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The guest writes to the overlays, and goes on working."""
        uuid, wanted = common.expected(job)["uuid"], {device: top for device, _, top in overlays(job)}

        def judge(seen: Seen) -> Sample:
            now = _paths(seen.live, wanted)
            good = now == wanted == _paths(seen.inactive, wanted)
            return Sample(good, ", ".join(f"{device} on {line(path, 120)}" for device, path in now.items()))

        why = "the running and the defined disks have to be the overlays"
        on_overlays = observe.seen_check("overlays", uuid, why, judge, 5)
        return (on_overlays, observe.stays_running(uuid), observe.works(uuid))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The definition is as before, to the byte, and the guest works."""
        expect, wanted = common.expected(job), {device: base for device, base, _ in overlays(job)}

        def judge(seen: Seen) -> Sample:
            good = sha(seen.inactive) == expect["definition"] and _paths(seen.live, wanted) == wanted
            return Sample(good, "the definition is as before" if good else "the definition is another one")

        why = "the definition has to be the same to the byte, and the guest on its old files"
        return (observe.seen_check("definition", expect["uuid"], why, judge), observe.works(expect["uuid"]))


def overlays(job: Job) -> list[tuple[str, str, str]]:
    """Return device, lower file and overlay of each disk."""
    name = f"{job.data['name']}-{job.mark}"
    disks = cast("list[Mapping[str, str]]", job.data["disks"])
    return [(disk["device"], disk["path"], f"{disk['path']}.{name}") for disk in disks]


def snapshot_xml(job: Job) -> str:
    """Return what libvirt is given."""
    parts = [
        f"<disk name={quoteattr(device)} snapshot='external' type='file'>"
        f"<driver type='qcow2'/><source file={quoteattr(top)}/></disk>"
        for device, _, top in overlays(job)
    ]
    parts += [f"<disk name={quoteattr(str(device))} snapshot='no'/>" for device in cast("list[str]", job.data["others"])]
    return (
        f"<domainsnapshot><name>{escape(str(job.data['name']))}</name><description>debugtui {job.mark}</description>"
        f"<disks>{''.join(parts)}</disks></domainsnapshot>"
    )


def merge_step(job: Job, device: str, top: str, base: str, wait_s: int) -> LiveStep:
    """Return the step that merges an overlay into the file below, up to where both are the same."""
    expect = common.expected(job)

    async def run(hands: Hands) -> Done:
        return await blockjobs.merge(hands, expect, device, top, base, wait_s=wait_s)

    async def settle(eyes: Eyes) -> Settled:
        return await blockjobs.merge_settled(eyes, expect["uuid"], device, base)

    command = (
        f'virDomainBlockCommit("{expect["uuid"]}", "{line(device, 40)}", ACTIVE|SHALLOW), '
        f"then wait up to {wait_s} s for the mirror\n{line(top, 300)} into {line(base, 300)}"
    )
    return LiveStep(f"merge {line(device, 40)}", command, True, wait_s + 60, "end the job before its pivot", run, settle)


def pivot_step(job: Job, device: str, base: str) -> LiveStep:
    """Return the step that lets the guest go on with the lower file."""
    expect = common.expected(job)

    async def run(hands: Hands) -> Done:
        return await blockjobs.pivot(hands, expect, device, base)

    async def settle(eyes: Eyes) -> Settled:
        return await blockjobs.pivot_settled(eyes, expect["uuid"], device, base)

    command = f'virDomainBlockJobAbort("{expect["uuid"]}", "{line(device, 40)}", PIVOT)'
    return LiveStep(f"pivot {line(device, 40)}", command, True, 60, None, run, settle)


def _forget(job: Job) -> LiveStep:
    expect, name = common.expected(job), str(job.data["name"])

    async def settle(eyes: Eyes) -> Settled:
        there = await common.ask(eyes, lambda connection: _ours(connection, expect["uuid"], name, job.mark) is not None)
        return Settled.NOT_DONE if there else Settled.DONE

    def act(connection: Any) -> bool:
        found = _find(connection, expect["uuid"], name, job.mark)
        if found is None:
            return False
        tops = {top for _, _, top in overlays(job)}
        if tops & {disk.path for disk in storage.disks_of(read(by_uuid(connection, expect["uuid"])).live)}:
            raise StaleError("the guest still writes to an overlay of this snapshot")
        found.delete(METADATA_ONLY)
        return True

    async def run(hands: Hands) -> Done:
        done = await common.send(hands, act, settle)
        return Done(f"libvirt forgot the snapshot {name}" if done else f"there is no snapshot {name} of this plan")

    command = f'virDomainSnapshotDelete("{expect["uuid"]}", "{name}", METADATA_ONLY)'
    return LiveStep("forget the snapshot", command, True, 30, None, run, settle)


def _find(connection: Any, uuid: str, name: str, mark: str) -> Any:
    """Return this plan's snapshot, or None; in libvirt's thread. One of that name without the mark is somebody else's."""
    import libvirt

    try:
        found = by_uuid(connection, uuid).snapshotLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_SNAPSHOT:
            raise
        return None
    return found if f"<description>debugtui {mark}</description>" in found.getXMLDesc(0) else None


def _ours(connection: Any, uuid: str, name: str, mark: str) -> str | None:
    found = _find(connection, uuid, name, mark)
    return None if found is None else str(found.getName())


def _paths(xml: str, devices: Mapping[str, str]) -> dict[str, str]:
    return {disk.device: disk.path for disk in storage.disks_of(xml) if disk.device in devices}


def _diff(disk: storage.Disk, name: str) -> DiffPart:
    device, path = line(disk.device, 40), line(disk.path, 300)
    return DiffPart(f"files of {device}", "text", path, f"{path}.{name}-(this plan)\n  over {path}")


async def _guards(eyes: Eyes, seen: Seen, disks: list[storage.Disk], name: str) -> tuple[Guard, ...]:
    stores = await storage.stores_of(eyes, seen.uuid, disks)
    taken = await common.ask(eyes, lambda connection: _taken(connection, seen.uuid, name))
    plain = all(disk.kind == "file" for disk in disks)
    deep = max(len(disk.backing) for disk in disks) + 1
    return (
        common.guard("state", seen.state == RUNNING, f"{seen.shown} is {seen.words}; this takes it of a running VM"),
        common.persistent(seen),
        common.no_job(seen),
        await no_block_job(eyes, seen, tuple(disks)),
        common.guard("name_free", not taken, f"the name {name} is {'taken' if taken else 'free'}"),
        common.guard("plain_files", plain, "every disk is a file" if plain else "a disk is no file: its overlay has no place"),
        common.guard("chain_depth", deep <= storage.DEPTH, f"{deep} overlays then, of at most {storage.DEPTH}"),
        storage.enough_space("store_space", stores),
        common.agent(seen, "its filesystems are not quiesced, so the snapshot is crash-consistent only"),
        storage.layout(stores),
    )


def _taken(connection: Any, uuid: str, name: str) -> bool:
    return name in by_uuid(connection, uuid).snapshotListNames(0)


def _factors(agent: bool) -> Factors:
    blocking = Factor(2, "the guest's filesystems are frozen for a moment") if agent else Factor(0, "writes go on")
    return Factors(
        interruption=Factor(1, "disk access pauses for a moment"),
        reversibility=Factor(1, "the overlays can be merged back while the guest runs"),
        durable_data=Factor(1, "new writes go to other files; the old ones stay as they are"),
        blast_radius=common.ONE_VM,
        blocking=blocking,
        verifiability=common.DIRECT,
    )
