"""Definitions, autostart, processors and memory, on the real daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from debugtui.model.execution import Verdict
from debugtui.model.plan import RiskClass
from debugtui.remediation.base import NothingToDoError, PlanError, Settled, StaleError, StepError
from debugtui.remediation.eyes import Surroundings
from debugtui.remediation.hands import Hands
from tests.lab.repair.libvirt_tools import all_pass, booted, inactive, plan_for, surroundings
from tests.services.libvirt_host import OFF, WEB, LibvirtHost, wait_for

MORE = "lab-more"


@pytest.fixture
async def around(libvirt_host: LibvirtHost) -> AsyncIterator[Surroundings]:
    around = surroundings(libvirt_host.uri)
    yield around
    await around.link.close()


@pytest.fixture
def kept(libvirt_host: LibvirtHost) -> Iterator[str]:
    """The definition of OFF, put back afterwards."""
    before = inactive(libvirt_host, OFF)
    yield before
    with libvirt_host.connect() as connection:
        connection.defineXML(before)


def wanted(tmp_path: Path, xml: str) -> str:
    file = tmp_path / "wanted.xml"
    file.write_text(xml, encoding="utf-8")
    return str(file)


async def test_a_definition_is_changed_and_taken_back_to_the_byte(
    around: Surroundings, kept: str, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    new = kept.replace("<memory unit='KiB'>131072<", "<memory unit='MiB'>192<").replace(
        "<on_crash>destroy<", "<on_crash>restart<"
    )
    repair = await plan_for(around, "libvirt.define_xml", OFF, file=wanted(tmp_path, new))
    assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.CAREFUL, ())
    assert await repair.settle() is Settled.NOT_DONE
    await repair.steps()
    assert await repair.settle() is Settled.DONE
    assert all_pass(await repair.verify())
    assert "<memory unit='KiB'>196608<" in inactive(libvirt_host, OFF)
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))
    assert inactive(libvirt_host, OFF) == kept
    assert "already" in (await repair.undo())[0].says


async def test_of_a_running_vm_it_shows_what_the_next_start_brings(
    around: Surroundings, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    before = inactive(libvirt_host, WEB)
    repair = await plan_for(around, "libvirt.define_xml", WEB, file=wanted(tmp_path, before.replace("panic=1", "panic=2")))
    assert [part.title for part in repair.plan.diff] == ["definition", "running now, and from the next start on"]
    await repair.steps()
    assert all_pass(await repair.verify())
    await repair.undo()
    assert inactive(libvirt_host, WEB) == before


async def test_somebody_elses_change_is_not_overwritten(
    around: Surroundings, kept: str, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    """libvirt itself would define the older one without a word."""
    repair = await plan_for(around, "libvirt.define_xml", OFF, file=wanted(tmp_path, kept.replace("panic=1", "panic=3")))
    with libvirt_host.guest(OFF) as guest:
        guest.setMemoryFlags(100 << 10, 2)
    theirs = inactive(libvirt_host, OFF)
    with pytest.raises(StaleError, match="definition"):
        await repair.steps()
    assert inactive(libvirt_host, OFF) == theirs
    assert (await repair.redraft()).before.fingerprint != repair.plan.before.fingerprint


async def test_a_change_after_ours_is_not_taken_back_with_it(
    around: Surroundings, kept: str, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    repair = await plan_for(around, "libvirt.define_xml", OFF, file=wanted(tmp_path, kept.replace("panic=1", "panic=3")))
    await repair.steps()
    with libvirt_host.guest(OFF) as guest:
        guest.setMemoryFlags(100 << 10, 2)
    assert not all_pass(await repair.verify())
    with pytest.raises(StaleError, match="somebody else"):
        await repair.undo()


async def test_what_libvirt_does_not_know_is_refused(
    around: Surroundings, kept: str, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    repair = await plan_for(
        around, "libvirt.define_xml", OFF, file=wanted(tmp_path, kept.replace("<devices>", "<mermory>1</mermory><devices>"))
    )
    with pytest.raises(StepError, match="libvirt refused") as raised:
        await repair.steps()
    assert raised.value.changed is False
    assert inactive(libvirt_host, OFF) == kept


async def test_name_and_uuid_stay_and_secrets_are_kept_out(
    around: Surroundings, kept: str, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    for change in (
        lambda xml: xml.replace(f"<name>{OFF}<", "<name>other<"),
        lambda xml: xml.replace("<uuid>", "<uuid>0000"[:10]).replace(libvirt_host.uuid(OFF), libvirt_host.uuid(WEB)),
    ):
        repair = await plan_for(
            around, "libvirt.define_xml", OFF, file=wanted(tmp_path, change(kept).replace("<uuid>000", "<uuid>"))
        )
        assert repair.guard("same_vm") == "fail"
    screen = "<graphics type='vnc' port='-1' passwd='hunter2-vnc'/></devices>"
    repair = await plan_for(around, "libvirt.define_xml", OFF, file=wanted(tmp_path, kept.replace("</devices>", screen)))
    assert repair.guard("no_secrets") == "fail"
    for text in ("", "<domain>", "<!DOCTYPE x><domain/>", "<network/>"):
        with pytest.raises(PlanError):
            await plan_for(around, "libvirt.define_xml", OFF, file=wanted(tmp_path, text))


async def test_a_password_that_only_a_writer_sees_is_not_lost(
    around: Surroundings, kept: str, libvirt_host: LibvirtHost, tmp_path: Path
) -> None:
    hidden = kept.replace("</devices>", "<graphics type='vnc' port='-1' autoport='yes' passwd='hunter2'/></devices>")
    with libvirt_host.connect() as connection:
        connection.defineXML(hidden)
    old = inactive(libvirt_host, OFF)
    repair = await plan_for(around, "libvirt.define_xml", OFF, file=wanted(tmp_path, old.replace("panic=1", "panic=4")))
    assert "hunter2" not in str(repair.plan.to_json())
    with pytest.raises(StepError, match="secret") as raised:
        await repair.steps()
    assert raised.value.changed is False
    with libvirt_host.guest(OFF) as guest:
        assert "hunter2" in guest.XMLDesc(3)


async def test_autostart_goes_on_and_off(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    before = inactive(libvirt_host, OFF)
    repair = await plan_for(around, "libvirt.autostart", OFF, state="on")
    assert repair.plan.risk.cls is RiskClass.ROUTINE
    await repair.steps()
    assert all_pass(await repair.verify())
    with pytest.raises(NothingToDoError):
        await plan_for(around, "libvirt.autostart", OFF, state="on")
    with pytest.raises(StaleError):
        await repair.steps()
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))
    assert inactive(libvirt_host, OFF) == before
    with pytest.raises(PlanError):
        await plan_for(around, "libvirt.autostart", OFF, state="perhaps")


def _room(xml: str) -> str:
    xml = xml.replace("<vcpu placement='static'>1</vcpu>", "<vcpu placement='static' current='1'>2</vcpu>")
    return xml.replace("panic=1", "panic=1 module_blacklist=virtio_balloon")


@pytest.mark.timeout(180)
async def test_processors_are_added_and_never_taken(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    with booted(libvirt_host, MORE, _room):
        before = inactive(libvirt_host, MORE)
        assert (await plan_for(around, "libvirt.set_vcpus", MORE, count="4")).guard("within_maximum") == "fail"
        repair = await plan_for(around, "libvirt.set_vcpus", MORE, count="2")
        assert repair.guard("guest_agent") == "unknown"
        assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.SEVERE, ())
        assert repair.plan.irreversible
        await repair.steps()
        assert [await repair.settle(number) for number in (1, 2)] == [Settled.DONE] * 2
        assert all_pass(await repair.verify())
        fewer = await plan_for(around, "libvirt.set_vcpus", MORE, count="1")
        assert fewer.plan.risk.cls is RiskClass.STOP
        assert len(fewer.plan.mitigations) == 2
        await repair.undo()
        assert all_pass(await repair.verify(undo=True))
        assert inactive(libvirt_host, MORE) == before

        # Without a balloon driver libvirt says yes to everything: the plan says so.
        with libvirt_host.guest(MORE) as guest:
            guest.setMemoryFlags(96 << 10, 1)
            assert guest.memoryStats()["actual"] == 128 << 10
        lower = await plan_for(around, "libvirt.set_memory", MORE, mib="64")
        assert lower.plan.risk.cls is RiskClass.STOP
        assert lower.guard("balloon_driver") == "unknown"


@pytest.fixture
def squeezed(libvirt_host: LibvirtHost) -> Iterator[str]:
    """WEB with a balloon of 32 MiB."""

    def actual() -> int:
        with libvirt_host.guest(WEB) as guest:
            return int(guest.memoryStats()["actual"]) >> 10

    def ask(mib: int) -> None:
        with libvirt_host.guest(WEB) as guest:
            guest.setMemoryFlags(mib << 10, 1)
        wait_for(lambda: actual() == mib, 30, f"balloon at {mib} MiB")

    ask(96)
    yield WEB
    ask(128)


@pytest.mark.timeout(120)
async def test_memory_is_raised_in_the_running_guest(around: Surroundings, squeezed: str, libvirt_host: LibvirtHost) -> None:
    before = inactive(libvirt_host, WEB)
    repair = await plan_for(around, "libvirt.set_memory", WEB, mib="120")
    assert (repair.plan.risk.cls, repair.plan.refusals) == (RiskClass.CAREFUL, ())
    assert repair.guard("balloon_driver") == "pass"
    await repair.steps()
    assert all_pass(await repair.verify())
    await repair.undo()
    assert all_pass(await repair.verify(undo=True))
    assert inactive(libvirt_host, WEB) == before
    assert (await plan_for(around, "libvirt.set_memory", WEB, mib="200")).guard("within_maximum") == "fail"
    assert (await plan_for(around, "libvirt.set_memory", WEB, mib="64")).plan.risk.cls is RiskClass.STOP


async def test_a_yes_without_effect_is_no_success(around: Surroundings, squeezed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    repair = await plan_for(around, "libvirt.set_memory", WEB, mib="112")

    async def yes(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(Hands, "libvirt_write", yes)
    await repair.steps()
    assert await repair.verify() == {"memory": Verdict.FAIL}
