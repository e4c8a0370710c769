"""A paused guest is resumed, on the real daemon; a full store pauses one for a real I/O error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from debugtui.model.execution import Verdict
from debugtui.model.plan import RiskClass
from debugtui.remediation.base import NothingToDoError, PlanError, Settled, StaleError
from debugtui.remediation.eyes import Surroundings
from tests.lab.repair.libvirt_tools import all_pass, inactive, plan_for, state, surroundings
from tests.services.libvirt_host import FULL, OFF, WEB, LibvirtHost, wait_for

PAUSED, RUNNING = 3, 1


@pytest.fixture
async def around(libvirt_host: LibvirtHost) -> AsyncIterator[Surroundings]:
    around = surroundings(libvirt_host.uri)
    yield around
    await around.link.close()


@pytest.fixture
def suspended(libvirt_host: LibvirtHost) -> Iterator[str]:
    libvirt_host.suspend(WEB)
    yield WEB
    if state(libvirt_host, WEB)[0] == PAUSED:
        libvirt_host.resume(WEB)


@pytest.fixture
def full(libvirt_host: LibvirtHost) -> Iterator[str]:
    """A guest that a full store has paused."""
    libvirt_host.fill_store()
    libvirt_host.start_guest(FULL)
    try:
        wait_for(lambda: state(libvirt_host, FULL) == (PAUSED, 5), 90, "paused for an I/O error")
        yield FULL
    finally:
        libvirt_host.free_store()
        libvirt_host.destroy(FULL)


async def test_a_guest_that_somebody_paused_is_resumed_and_taken_back(
    around: Surroundings, suspended: str, libvirt_host: LibvirtHost
) -> None:
    before = inactive(libvirt_host, WEB)
    repair = await plan_for(around, "libvirt.resume", suspended)
    assert repair.plan.risk.cls is RiskClass.ROUTINE
    assert not repair.plan.refusals
    assert await repair.settle() is Settled.NOT_DONE
    await repair.steps()
    assert await repair.settle() is Settled.DONE
    assert all_pass(await repair.verify())
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))
    assert state(libvirt_host, WEB)[0] == PAUSED
    assert inactive(libvirt_host, WEB) == before
    assert "already" in (await repair.undo())[0].says


async def test_a_guest_resumed_meanwhile_is_stale(around: Surroundings, suspended: str, libvirt_host: LibvirtHost) -> None:
    repair = await plan_for(around, "libvirt.resume", suspended)
    libvirt_host.resume(WEB)
    with pytest.raises(StaleError, match="state was paused"):
        await repair.steps()
    with pytest.raises(NothingToDoError):
        await repair.redraft()


async def test_what_is_not_paused_or_not_there_has_no_plan(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    with pytest.raises(NothingToDoError):
        await plan_for(around, "libvirt.resume", WEB)
    with pytest.raises(PlanError, match="shut off"):
        await plan_for(around, "libvirt.resume", OFF)
    with pytest.raises(PlanError, match="there is no VM 'nobody'"):
        await plan_for(around, "libvirt.resume", "nobody")


async def test_by_uuid_it_is_the_same_target(around: Surroundings, suspended: str, libvirt_host: LibvirtHost) -> None:
    repair = await plan_for(around, "libvirt.resume", libvirt_host.uuid(WEB))
    assert repair.plan.target.name == WEB


async def test_on_a_full_store_it_may_not_be_resumed(around: Surroundings, full: str, libvirt_host: LibvirtHost) -> None:
    """libvirt would say yes, and the guest would pause again within two seconds."""
    repair = await plan_for(around, "libvirt.resume", full)
    assert repair.guard("store_space") == "fail"
    assert repair.guard("disk_errors") == "pass"
    assert repair.plan.refusals
    # Sent all the same, as one who approves what is refused would: the checks must not be taken in.
    await repair.steps()
    assert Verdict.PASS not in (await repair.verify()).values()
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))


async def test_with_space_again_it_goes_on_though_libvirt_still_tells_of_the_error(
    around: Surroundings, full: str, libvirt_host: LibvirtHost
) -> None:
    libvirt_host.free_store()
    repair = await plan_for(around, "libvirt.resume", full)
    assert repair.guard("store_space") == "pass"
    assert repair.vector == (0, 1, 0, 2, 0, 0, 0, 0)
    assert repair.plan.risk.cls is RiskClass.ROUTINE
    await repair.steps()
    assert all_pass(await repair.verify())
    with libvirt_host.guest(full) as guest:
        assert guest.diskErrors() == {"vda": 2}


async def test_a_store_that_cannot_be_seen_refuses_unless_told(
    around: Surroundings, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from debugtui.remediation.catalogue.libvirt import storage

    async def nothing(*_: object) -> str:
        return "Permission denied"

    monkeypatch.setattr(storage, "space_of", nothing)
    repair = await plan_for(around, "libvirt.resume", full)
    assert (repair.guard("store_space"), repair.plan.risk.cls) == ("unknown", RiskClass.STOP)
    told = await plan_for(around, "libvirt.resume", full, even_if="space_unknown")
    assert (bool(told.plan.refusals), told.plan.risk.cls) == (False, RiskClass.CAREFUL)


async def test_a_stated_amount_stands_for_the_tenth(around: Surroundings, full: str, libvirt_host: LibvirtHost) -> None:
    libvirt_host.free_store()
    assert (await plan_for(around, "libvirt.resume", full, least_free_mib="1")).guard("store_space") == "pass"
    assert (await plan_for(around, "libvirt.resume", full, least_free_mib="1000")).guard("store_space") == "fail"
