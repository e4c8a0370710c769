"""Repairs of VMs while emulator or daemon hang: what is not known is never taken for done, or for not done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from debugtui.remediation import hands as hands_module
from debugtui.remediation.base import Settled, StepError
from debugtui.remediation.catalogue.libvirt import common
from debugtui.remediation.eyes import Surroundings
from debugtui.sources.base import SourceError
from tests.lab.repair.libvirt_tools import eyes_on, plan_for, state, surroundings
from tests.services.libvirt_host import OFF, WEB, LibvirtHost

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
async def around(libvirt_host: LibvirtHost) -> AsyncIterator[Surroundings]:
    around = surroundings(libvirt_host.uri)
    yield around
    await around.link.close()


async def test_a_call_into_a_hung_emulator_is_in_doubt_until_it_ends(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    libvirt_host.suspend(WEB)
    repair = await plan_for(around, "libvirt.resume", WEB)
    libvirt_host.freeze_guest(WEB)
    try:
        with pytest.raises(StepError) as raised:
            await repair.steps()
        assert raised.value.changed is None
        async with eyes_on(around) as eyes:
            assert await common.settled(eyes, repair.remediation.steps(repair.job)[0].settle) is Settled.UNKNOWN
    finally:
        libvirt_host.thaw_guest(WEB)
    async with asyncio.timeout(20):
        async with eyes_on(around) as eyes:
            while await common.settled(eyes, repair.remediation.steps(repair.job)[0].settle) is not Settled.DONE:
                await asyncio.sleep(0.2)
    assert state(libvirt_host, WEB)[0] == 1


async def test_a_hung_daemon_takes_nothing(around: Surroundings, libvirt_host: LibvirtHost) -> None:
    repair = await plan_for(around, "libvirt.autostart", OFF, state="on")
    libvirt_host.freeze_daemon()
    try:
        with pytest.raises((StepError, SourceError)) as raised:
            await repair.steps()
        if isinstance(raised.value, StepError):
            assert raised.value.changed is False
        async with eyes_on(around) as eyes:
            with pytest.raises(SourceError):
                await repair.remediation.checks(repair.job)[0].sample(eyes)
    finally:
        libvirt_host.thaw_daemon()
    async with asyncio.timeout(20):
        while True:
            try:
                assert await repair.settle() is Settled.NOT_DONE
                break
            except SourceError:
                await asyncio.sleep(0.2)
    with libvirt_host.guest(OFF) as guest:
        assert not guest.autostart()


async def test_an_answer_that_comes_too_late_is_not_known(
    around: Surroundings, libvirt_host: LibvirtHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon hangs between the opening and the call: the call is sent, and done when it goes on."""
    repair = await plan_for(around, "libvirt.autostart", OFF, state="on")
    write = hands_module.Hands.libvirt_write

    async def slow(self: hands_module.Hands, function: object, limit: float = 3.0) -> object:
        if self._libvirt_write is not None:
            libvirt_host.freeze_daemon()
        return await write(self, function, 3.0)  # type: ignore[arg-type]

    monkeypatch.setattr(hands_module.Hands, "libvirt_write", slow)
    try:
        with pytest.raises(StepError) as raised:
            await repair.steps()
        assert raised.value.changed is None
    finally:
        libvirt_host.thaw_daemon()
    async with eyes_on(around) as eyes:
        assert await common.settled(eyes, repair.remediation.steps(repair.job)[0].settle) in tuple(Settled)
    with libvirt_host.guest(OFF) as guest:
        guest.setAutostart(0)
