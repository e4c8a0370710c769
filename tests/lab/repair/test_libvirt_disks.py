"""Disks are grown, snapshots taken and merged, on the real daemon and under a guest that writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from debugtui.model.plan import Guard, GuardStatus, RiskClass
from debugtui.remediation.base import NothingToDoError, PlanError, Settled, StaleError
from debugtui.remediation.catalogue.libvirt import backups, common
from debugtui.remediation.eyes import Eyes, Surroundings
from tests.lab.repair.libvirt_tools import all_pass, files, inactive, live, plan_for, surroundings
from tests.services.libvirt_host import WEB, LibvirtHost

MIB = 1 << 20


@pytest.fixture
async def around(libvirt_host: LibvirtHost) -> AsyncIterator[Surroundings]:
    around = surroundings(libvirt_host.uri)
    yield around
    await around.link.close()


@pytest.fixture
def backed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def good(eyes: Eyes, vm: str) -> tuple[Guard, ...]:
        return (Guard("recent_backup", GuardStatus.PASS, "a verified backup exists"),)

    monkeypatch.setattr("debugtui.remediation.catalogue.libvirt.disk.backups_of_host", good)


@pytest.fixture
def as_before(libvirt_host: LibvirtHost) -> Iterator[None]:
    """Whatever a test leaves on WEB's disk is merged back."""
    yield
    with libvirt_host.guest(WEB) as guest:
        names = guest.snapshotListNames(0)
        for name in names:
            guest.snapshotLookupByName(name).delete(2)
    assert not names
    assert ".qcow2'" in live(libvirt_host, WEB)


def capacity(host: LibvirtHost) -> int:
    with host.guest(WEB) as guest:
        return int(guest.blockInfo("vda")[0])


async def test_a_disk_grows_by_bytes(
    around: Surroundings, backed_up: None, libvirt_host: LibvirtHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = capacity(libvirt_host)
    wanted = str((size + 32 * MIB) / (1 << 30))
    plain = await plan_for(around, "libvirt.grow_disk", WEB, device="vda", gib=wanted)
    assert plain.guard("guest_agent") == "unknown"
    assert plain.plan.risk.cls is RiskClass.SEVERE
    monkeypatch.setattr(common, "agent_connected", lambda _: True)
    repair = await plan_for(around, "libvirt.grow_disk", WEB, device="vda", gib=wanted)
    assert repair.vector == (0, 4, 1, 2, 0, 0, 0, 0)
    assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.CAREFUL, ())
    assert f"{size + 32 * MIB}, BLOCK_RESIZE_BYTES" in repair.plan.steps[0].command
    assert repair.plan.rollback == ()
    await repair.steps()
    assert capacity(libvirt_host) == size + 32 * MIB
    assert await repair.settle() is Settled.DONE
    assert all_pass(await repair.verify())
    with pytest.raises(StaleError):
        await repair.steps()
    with pytest.raises(NothingToDoError):
        await repair.redraft()


async def test_without_a_known_backup_a_disk_does_not_grow(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "agent_connected", lambda _: True)
    repair = await plan_for(around, "libvirt.grow_disk", WEB, device="vda", gib="0.5")
    assert repair.vector == (0, 4, 1, 2, 0, 0, 4, 0)
    assert repair.plan.risk.cls is RiskClass.STOP
    assert [guard.name for guard in repair.plan.refusals] == ["recent_backup"]


async def test_the_backups_of_every_database_speak_for_a_vm(around: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"a": GuardStatus.PASS, "b": GuardStatus.FAIL}

    async def of(eyes: Eyes, name: str) -> tuple[Guard, ...]:
        return (Guard("recent_backup", said[name], f"of {name}", "figures"),)

    monkeypatch.setattr("debugtui.remediation.guards.backup.backup_guards", of)
    databases = [{"name": name, "dsn": "postgresql://m@/x?host=/tmp"} for name in said]
    both = surroundings("test:///default", host={"postgres": databases})
    (guard,) = await backups.backups_of_host(Eyes(both), "vm")
    assert (guard.status, guard.why) == (GuardStatus.FAIL, "of b")
    assert "a: figures; b: figures" in guard.evidence


async def test_a_disk_never_shrinks(around: Surroundings, backed_up: None, libvirt_host: LibvirtHost) -> None:
    """libvirt would do it to a running guest without a word."""
    repair = await plan_for(around, "libvirt.grow_disk", WEB, device="vda", gib="0.03125")
    assert repair.guard("grows") == "fail"
    assert repair.plan.risk.cls is RiskClass.STOP
    assert len(repair.plan.mitigations) == 2
    size = capacity(libvirt_host)
    with pytest.raises(Exception, match="would not grow"):
        await repair.steps()
    assert capacity(libvirt_host) == size


@pytest.mark.parametrize(
    ("device", "gib"), [("vdz", "1"), ("vda", "-1"), ("vda", "nan"), ("vda", "1e9"), ("vda", "40G"), ("vda", "0.1")]
)
async def test_sizes_and_devices_that_are_none(around: Surroundings, device: str, gib: str) -> None:
    with pytest.raises(PlanError):
        await plan_for(around, "libvirt.grow_disk", WEB, device=device, gib=gib)


@pytest.mark.timeout(120)
async def test_a_snapshot_is_taken_and_merged_back_to_the_byte(
    around: Surroundings, as_before: None, libvirt_host: LibvirtHost
) -> None:
    defined, running = inactive(libvirt_host, WEB), live(libvirt_host, WEB)
    repair = await plan_for(around, "libvirt.snapshot", WEB, name="before-change")
    assert "crash-consistent" in repair.plan.solution
    assert repair.guard("guest_agent") == "unknown"
    assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.CAREFUL, ())
    assert await repair.settle() is Settled.NOT_DONE
    await repair.steps()
    assert await repair.settle() is Settled.DONE
    assert all_pass(await repair.verify())
    (overlay,) = files(libvirt_host, f"{WEB}.qcow2.before-change-*")
    assert str(overlay) in live(libvirt_host, WEB)
    await asyncio.sleep(1)
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))
    assert inactive(libvirt_host, WEB) == defined
    assert live(libvirt_host, WEB) == running
    assert overlay.exists()
    await repair.undo()
    overlay.unlink()


async def test_nothing_to_undo_where_no_snapshot_was_taken(
    around: Surroundings, as_before: None, libvirt_host: LibvirtHost
) -> None:
    repair = await plan_for(around, "libvirt.snapshot", WEB, name="never")
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))


@pytest.mark.timeout(180)
async def test_an_overlay_is_merged_and_no_file_deleted(
    around: Surroundings, as_before: None, libvirt_host: LibvirtHost
) -> None:
    with pytest.raises(NothingToDoError):
        await plan_for(around, "libvirt.commit_snapshot", WEB)
    defined = inactive(libvirt_host, WEB)
    snapshot = await plan_for(around, "libvirt.snapshot", WEB, name="s1")
    await snapshot.steps()
    (overlay,) = files(libvirt_host, f"{WEB}.qcow2.s1-*")
    repair = await plan_for(around, "libvirt.commit_snapshot", WEB)
    assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.CAREFUL, ())

    # The first step alone: overlay and file below hold the same, and the guest still writes to the overlay.
    merge, _ = repair.remediation.steps(repair.job)
    await repair.step(merge, "1")
    assert await repair.settle(1) is Settled.DONE
    assert await repair.settle(2) is Settled.NOT_DONE
    assert f"file='{overlay}'" in inactive(libvirt_host, WEB)
    busy = await plan_for(around, "libvirt.commit_snapshot", WEB)
    assert busy.guard("no_block_job") == "fail"
    assert (await plan_for(around, "libvirt.grow_disk", WEB, device="vda", gib="1")).guard("no_block_job") == "fail"

    # Ended before its pivot everything is as before.
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))
    assert await repair.settle(1) is Settled.NOT_DONE

    await repair.steps()
    assert all_pass(await repair.verify())
    assert inactive(libvirt_host, WEB) == defined
    assert overlay.exists()
    with pytest.raises(Exception, match="cannot be taken back"):
        await repair.undo()
    with libvirt_host.guest(WEB) as guest:
        guest.snapshotLookupByName("s1").delete(2)
    overlay.unlink()


@pytest.mark.timeout(120)
async def test_a_file_below_that_another_vm_uses_is_not_merged_into(
    around: Surroundings, as_before: None, libvirt_host: LibvirtHost
) -> None:
    snapshot = await plan_for(around, "libvirt.snapshot", WEB, name="s2")
    await snapshot.steps()
    libvirt_host.define("lab-twin", disk=libvirt_host.folder / f"{WEB}.qcow2")
    try:
        repair = await plan_for(around, "libvirt.commit_snapshot", WEB)
        assert repair.guard("base_not_shared") == "fail"
        assert (await plan_for(around, "libvirt.grow_disk", WEB, device="vda", gib="1")).guard("no_chain") == "fail"
    finally:
        libvirt_host.undefine("lab-twin")
        await snapshot.undo()
        for file in files(libvirt_host, f"{WEB}.qcow2.s2-*"):
            file.unlink()
