"""VMs are started and restarted, on the real daemon. A guest that does not react is left alone."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from debugtui.model.plan import RiskClass
from debugtui.remediation.base import NothingToDoError, Settled, StaleError, StepError
from debugtui.remediation.eyes import Surroundings
from tests.lab.repair.libvirt_tools import HOST, all_pass, booted, inactive, plan_for, state, surroundings
from tests.services.libvirt_host import OFF, WEB, LibvirtHost, wait_for

OBEYS = "lab-obeys"
# A guest that powers off by itself 20 s after its start: it goes down after it was asked, as one with an ACPI daemon would.
SCRIPT = "n=0; while [ $n -lt 20 ]; do n=$((n+1)); echo tick $n; /bin/busybox sleep 1; done; /bin/busybox poweroff -f"
CMDLINE = "console=ttyS0 quiet panic=1"


def obedient(xml: str) -> str:
    return xml.replace(CMDLINE, f'{CMDLINE} rdinit=/bin/busybox -- sh -c "{SCRIPT}"'.replace("<", "&lt;"))


@pytest.fixture
async def around(libvirt_host: LibvirtHost) -> AsyncIterator[Surroundings]:
    names = {name: [f"{HOST}/libvirt/{name}"] for name in (WEB, OBEYS)}
    around = surroundings(libvirt_host.uri, services=names)
    yield around
    await around.link.close()


@pytest.fixture
def off(libvirt_host: LibvirtHost) -> Iterator[str]:
    yield OFF
    with libvirt_host.guest(OFF) as guest:
        guest.setAutostart(0)
        if guest.isActive():
            guest.destroy()


async def test_a_vm_that_is_off_is_started(around: Surroundings, off: str, libvirt_host: LibvirtHost) -> None:
    repair = await plan_for(around, "libvirt.start", off)
    assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.CAREFUL, ())
    assert repair.guard("storage_present") == "pass"
    await repair.steps()
    assert all_pass(await repair.verify())
    assert await repair.settle() is Settled.DONE
    with pytest.raises(NothingToDoError):
        await plan_for(around, "libvirt.start", off)


async def test_a_vm_whose_disk_is_gone_is_not_started(around: Surroundings, off: str, libvirt_host: LibvirtHost) -> None:
    disk = libvirt_host.folder / f"{off}.qcow2"
    disk.rename(disk.with_suffix(".away"))
    try:
        repair = await plan_for(around, "libvirt.start", off)
        assert repair.guard("storage_present") == "fail"
        with pytest.raises(StepError) as raised:
            await repair.steps()
        assert raised.value.changed is False
        assert state(libvirt_host, off)[0] == 5
    finally:
        disk.with_suffix(".away").rename(disk)


async def test_started_meanwhile_it_is_stale(around: Surroundings, off: str, libvirt_host: LibvirtHost) -> None:
    repair = await plan_for(around, "libvirt.start", off)
    libvirt_host.start_guest(off)
    with pytest.raises(StaleError):
        await repair.steps()


@pytest.mark.timeout(120)
async def test_a_guest_that_does_not_react_goes_on(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    """libvirt says yes to the shutdown all the same."""
    with libvirt_host.guest(WEB) as guest:
        before = guest.ID()
    repair = await plan_for(around, "libvirt.restart", WEB, wait_s="5")
    assert repair.vector == (3, 2, 1, 2, 0, 0, 0, 0)
    assert repair.plan.risk.cls is RiskClass.SEVERE
    with pytest.raises(StepError, match="still runs after 5 s") as raised:
        await repair.steps()
    assert raised.value.changed is False
    with libvirt_host.guest(WEB) as guest:
        assert (guest.ID(), guest.state()[0]) == (before, 1)
    assert any("by ACPI" in said for said in repair.told)


@pytest.mark.timeout(180)
async def test_a_guest_that_obeys_is_another_instance_afterwards(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    with booted(libvirt_host, OBEYS, obedient):
        before = inactive(libvirt_host, OBEYS)
        repair = await plan_for(around, "libvirt.restart", OBEYS)
        old = dict(repair.plan.before.identity)["instance"]
        first, second = await repair.steps()
        assert "by ACPI" in first.says
        assert second.facts["instance"] != old
        assert all_pass(await repair.verify())
        assert inactive(libvirt_host, OBEYS) == before
        assert "nothing to start" in (await repair.undo())[0].says

        # A transient VM would be gone for good.
        with libvirt_host.guest(OBEYS) as guest:
            guest.undefine()
        try:
            assert (await plan_for(around, "libvirt.restart", OBEYS)).guard("persistent") == "fail"
        finally:
            with libvirt_host.connect() as connection:
                connection.defineXML(before)


@pytest.mark.timeout(120)
async def test_the_dead_man_starts_it_and_harms_nothing_else(around: Surroundings, off: str, libvirt_host: LibvirtHost) -> None:
    libvirt_host.start_guest(off)
    repair = await plan_for(around, "libvirt.restart", off)
    dead_man = repair.remediation.steps(repair.job)[0].dead_man
    assert dead_man is not None
    assert dead_man.after_s == 240
    with libvirt_host.guest(off) as guest:
        number = guest.ID()
    assert subprocess.run(dead_man.argv, capture_output=True, timeout=30).returncode != 0
    assert state(libvirt_host, off)[0] == 1
    libvirt_host.destroy(off)
    assert subprocess.run(dead_man.argv, capture_output=True, timeout=30).returncode == 0
    wait_for(lambda: state(libvirt_host, off)[0] == 1, 20, "started by the dead man")
    with libvirt_host.guest(off) as guest:
        assert guest.ID() != number


async def test_what_runs_in_it_sets_the_class(libvirt_host: LibvirtHost) -> None:
    here = f"{HOST}/libvirt/{WEB}"
    for services, cls, blast in (
        ({"web": [here]}, RiskClass.SEVERE, 2),
        ({"web": [here], "mail": [here]}, RiskClass.STOP, 3),
        ({}, RiskClass.STOP, 4),
    ):
        around = surroundings(libvirt_host.uri, services=services)
        repair = await plan_for(around, "libvirt.restart", WEB)
        assert (repair.plan.risk.cls, repair.plan.risk.vector.blast_radius) == (cls, blast)
        assert bool(repair.plan.mitigations) is (cls is RiskClass.STOP)
        await around.link.close()
