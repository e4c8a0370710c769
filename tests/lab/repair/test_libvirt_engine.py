"""VM repairs from plan to outcome through the repair desk, as the screen and the command line do them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Decision, Progress, State
from debugtui.model.plan import Plan
from debugtui.remediation.desk import Desk
from tests.lab.repair.libvirt_tools import DWELL, HOST, files, inactive, live, state, surroundings, target
from tests.services.libvirt_host import FULL, OFF, WEB, LibvirtHost, wait_for

pytestmark = pytest.mark.timeout(180)


@dataclass
class Lab:
    desk: Desk
    host: LibvirtHost

    async def plan(self, remediation: str, vm: str, **params: str) -> Plan:
        return await self.desk.plan(remediation, target(vm), params)

    async def apply(self, plan: Plan, tell: Callable[[Progress], None] = lambda _: None) -> Progress:
        approval = self.desk.approve(plan, confirmed=plan.short_name, reason="test", break_glass=plan.risk.cls >= 3)
        return await self.desk.apply(plan, approval, tell, _leave)

    async def back(self, done: Progress) -> Progress:
        approval = self.desk.approve_rollback(done.plan, confirmed=done.plan.short_name, reason="test")
        return await self.desk.rollback(done.execution, approval, lambda _: None, _leave)


async def _leave(_: Progress) -> Decision:
    return Decision.LEAVE


@pytest.fixture
async def lab(libvirt_host: LibvirtHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    around = surroundings(libvirt_host.uri, services={"web": [f"{HOST}/libvirt/{WEB}"]})
    config: Config = around.config
    link = LocalLink(HOST)

    async def view(_: str) -> Any:
        return await around.view()

    desk = Desk(config, NobodyToAsk(), lambda _: link, view, state=tmp_path / "desk", dwell=DWELL)
    yield Lab(desk, libvirt_host)
    await desk.close()
    await link.close()
    await around.link.close()


async def test_a_paused_guest_is_resumed_and_taken_back(lab: Lab) -> None:
    lab.host.suspend(WEB)
    try:
        before = inactive(lab.host, WEB)
        done = await lab.apply(await lab.plan("libvirt.resume", WEB))
        assert (done.state, done.exit_code) == (State.VERIFIED, 0), done.says
        assert state(lab.host, WEB)[0] == 1
        back = await lab.back(done)
        assert back.state is State.ROLLED_BACK, back.says
        assert state(lab.host, WEB)[0] == 3
        assert inactive(lab.host, WEB) == before
    finally:
        if state(lab.host, WEB)[0] == 3:
            lab.host.resume(WEB)


async def test_a_resume_that_does_not_hold_is_rolled_back(lab: Lab) -> None:
    """The store fills up again while the guest is watched."""
    lab.host.fill_store()
    lab.host.start_guest(FULL)
    try:
        wait_for(lambda: state(lab.host, FULL) == (3, 5), 90, "paused for an I/O error")
        lab.host.free_store()
        plan = await lab.plan("libvirt.resume", FULL)
        filled = False

        def fill(progress: Progress) -> None:
            nonlocal filled
            if progress.state is State.VERIFYING and not filled:
                filled = True
                lab.host.fill_store()

        done = await lab.apply(plan, fill)
        assert filled
        assert (done.state, done.exit_code) == (State.ROLLED_BACK, 4), done.says
        assert state(lab.host, FULL)[0] == 3
    finally:
        lab.host.free_store()
        lab.host.destroy(FULL)


async def test_a_plan_whose_guest_was_resumed_meanwhile_is_refused(lab: Lab) -> None:
    lab.host.suspend(WEB)
    plan = await lab.plan("libvirt.resume", WEB)
    lab.host.resume(WEB)
    done = await lab.apply(plan)
    assert (done.state, done.exit_code) == (State.REFUSED, 5), done.says


async def test_a_definition_goes_there_and_back_to_the_byte(lab: Lab, tmp_path: Path) -> None:
    before = inactive(lab.host, OFF)
    file = tmp_path / "new.xml"
    file.write_text(before.replace("panic=1", "panic=9"))
    done = await lab.apply(await lab.plan("libvirt.define_xml", OFF, file=str(file)))
    assert done.state is State.VERIFIED, done.says
    assert "panic=9" in inactive(lab.host, OFF)
    back = await lab.back(done)
    assert back.state is State.ROLLED_BACK, back.says
    assert inactive(lab.host, OFF) == before


async def test_a_snapshot_goes_there_and_back_to_the_byte(lab: Lab) -> None:
    before = inactive(lab.host, WEB), live(lab.host, WEB)
    done = await lab.apply(await lab.plan("libvirt.snapshot", WEB, name="desk"))
    assert done.state is State.VERIFIED, done.says
    back = await lab.back(done)
    assert back.state is State.ROLLED_BACK, back.says
    assert (inactive(lab.host, WEB), live(lab.host, WEB)) == before
    (overlay,) = files(lab.host, f"{WEB}.qcow2.desk-*")
    overlay.unlink()


async def test_autostart_goes_there_and_back(lab: Lab) -> None:
    done = await lab.apply(await lab.plan("libvirt.autostart", OFF, state="on"))
    assert done.state is State.VERIFIED, done.says
    back = await lab.back(done)
    assert back.state is State.ROLLED_BACK, back.says
    with lab.host.guest(OFF) as guest:
        assert not guest.autostart()


async def test_a_guest_that_does_not_react_is_a_failure_without_change(lab: Lab) -> None:
    done = await lab.apply(await lab.plan("libvirt.restart", WEB, wait_s="5"))
    assert (done.state, done.exit_code) == (State.FAILED, 1), done.says
    await asyncio.sleep(0)
    assert state(lab.host, WEB)[0] == 1
