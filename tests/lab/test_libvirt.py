"""libvirt's source against a real private libvirtd with a booted guest, over a real sshd."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.hosts.link import Link
from debugtui.hosts.ssh import SshLink
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt import LibvirtSource
from debugtui.sources.libvirt.problems import OPERATION_DENIED
from debugtui.sources.libvirt.worker import CallError
from tests.services.libvirt_host import LibvirtHost
from tests.services.ssh_server import SshServer

GUEST = "lab-web"


@pytest.fixture
async def link(ssh_server: SshServer) -> AsyncIterator[Link]:
    link = SshLink("lab", ssh_server.address, NobodyToAsk(), identity=ssh_server.key, known_hosts=ssh_server.known_hosts)
    await link.start()
    await link.wait_settled(10)
    yield link
    await link.close()


@pytest.fixture
async def source(link: Link, libvirt_host: LibvirtHost) -> AsyncIterator[LibvirtSource]:
    source = LibvirtSource(link, libvirt_host.uri)
    yield source
    await source.close()


def guest(reading: LibvirtReading, name: str = GUEST) -> Vm:
    return next(vm for vm in reading.vms if vm.name == name)


async def test_a_running_guest_tells_its_figures(source: LibvirtSource) -> None:
    await source.read(full=True)
    await asyncio.sleep(1)
    reading = await source.read(full=False)
    vm = guest(reading)
    assert (vm.state, vm.reason) == ("running", "booted") or vm.state == "running"
    assert vm.cpu_percent is not None
    assert 0 <= vm.cpu_percent <= 100
    assert vm.memory_bytes == 128 << 20
    assert vm.rss_bytes is not None
    assert vm.disks[0].device == "vda"
    assert vm.disks[0].path.endswith(".qcow2")
    assert vm.disks[0].write_bytes_s is not None
    assert reading.read_only
    assert reading.hypervisor.startswith("QEMU")


async def test_a_guest_that_is_off_has_no_rates_and_hostile_text_stays_text(source: LibvirtSource) -> None:
    vm = guest(await source.read(full=True), "lab-off")
    assert (vm.state, vm.id, vm.cpu_percent) == ("shut off", None, None)
    assert vm.title == "[@click=app.quit]x[/]"


async def test_a_suspended_guest_is_paused_and_heals(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    libvirt_host.suspend(GUEST)
    try:
        vm = guest(await source.read(full=False))
        assert (vm.state, vm.reason) == ("paused", "user")
    finally:
        libvirt_host.resume(GUEST)
    assert guest(await source.read(full=False)).state == "running"


async def test_a_full_store_pauses_its_guest_for_an_io_error(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    libvirt_host.start_guest("lab-full")
    try:
        libvirt_host.fill_store()
        async with asyncio.timeout(60):
            while not (vm := guest(await source.read(full=False), "lab-full")).paused_for_io_error:
                await asyncio.sleep(0.5)
        assert vm.reason == "I/O error"
        assert vm.disks[0].error == "no space"
    finally:
        libvirt_host.free_store()
        libvirt_host.destroy("lab-full")


async def test_snapshots_are_listed(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    libvirt_host.snapshot("lab-off", "before", "before the upgrade")
    try:
        snapshots = guest(await source.read(full=True), "lab-off").snapshots
        assert snapshots is not None
        assert [(one.name, one.description) for one in snapshots] == [("before", "before the upgrade")]
        assert snapshots[0].created_at is not None
    finally:
        libvirt_host.delete_snapshot("lab-off", "before")


async def test_the_xml_and_the_console_are_read_over_the_link(source: LibvirtSource) -> None:
    vm = guest(await source.read(full=False))
    assert (await source.domain_xml(vm.uuid)).startswith("<domain type='qemu'")
    path, lines = await source.console_log(vm.uuid)
    assert path.startswith("/")
    assert any(line.text.startswith("tick") for line in lines)
    stream = source.console_follow(vm.uuid)
    async with asyncio.timeout(20):
        first = await anext(stream)
        more = await anext(stream)
    assert first
    assert more[-1].text.startswith("tick")
    await stream.aclose()  # type: ignore[attr-defined] # it is a generator


async def test_a_guest_without_console_log_says_which_element_gives_one(
    source: LibvirtSource, libvirt_host: LibvirtHost
) -> None:
    await source.read(full=False)
    quiet = LibvirtSource(source._link, "test:///default")
    vm = (await quiet.read(full=False)).vms[0]
    with pytest.raises(SourceError, match="<log file="):
        await quiet.console_log(vm.uuid)
    await quiet.close()


async def test_nothing_can_be_written(source: LibvirtSource) -> None:
    await source.read(full=False)
    worker = source._worker
    assert worker is not None
    with pytest.raises(CallError, match="read only") as raised:
        await worker.call(lambda reader: reader.connection.lookupByName(GUEST).suspend(), 5)
    assert raised.value.code == OPERATION_DENIED


async def test_a_daemon_that_ends_is_noticed_and_heals(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    await source.read(full=False)
    began = time.monotonic()
    libvirt_host.stop_daemon(signal.SIGKILL)
    try:
        with pytest.raises(SourceError):
            await source.read(full=False)
        with pytest.raises(SourceError):
            await source.read(full=False)
        assert time.monotonic() - began < 10
    finally:
        libvirt_host.start_daemon()
    async with asyncio.timeout(10):
        while True:
            try:
                assert guest(await source.read(full=False)).state == "running"
                break
            except SourceError:
                await asyncio.sleep(0.2)


async def test_a_daemon_that_hangs_costs_one_thread_and_heals(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    await source.read(full=False)
    libvirt_host.freeze_daemon()
    try:
        with pytest.raises(SourceError, match="did not answer"):
            await source.read(full=False)
    finally:
        libvirt_host.thaw_daemon()
    assert guest(await source.read(full=False)).state == "running"
    assert sum(thread.name == "libvirt" for thread in threading.enumerate()) <= 3


async def test_no_socket_is_absent_and_says_so(link: Link) -> None:
    source = LibvirtSource(link, "qemu+unix:///session?socket=/nowhere/libvirt-sock")
    with pytest.raises(SourceError, match="/nowhere/libvirt-sock") as raised:
        await source.read(full=False)
    assert raised.value.absent
    await source.close()


async def test_the_test_driver_has_networks_and_pools(link: Link) -> None:
    source = LibvirtSource(link, "test:///default")
    reading = await source.read(full=True)
    await source.close()
    assert [network.name for network in reading.networks] == ["default"]
    assert reading.pools
    assert reading.vms[0].name == "test"
