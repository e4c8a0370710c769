"""What must never stop the program: hung emulators and daemons, domains that go, dead links; and what a poll costs."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from debugtui.hosts.link import LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.source import LinkState
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt import LibvirtSource
from debugtui.sources.libvirt import source as source_module
from tests.lab.link_tools import becomes, make_link, nothing_left, started
from tests.services.libvirt_host import OFF, WEB, LibvirtHost
from tests.services.ssh_server import SshServer

VMS = 20


@pytest.fixture
async def source(ssh_server: SshServer, libvirt_host: LibvirtHost) -> AsyncIterator[LibvirtSource]:
    async with started(make_link(ssh_server)) as link:
        source = LibvirtSource(link, libvirt_host.uri)
        yield source
        await source.close()


def states(reading: LibvirtReading) -> dict[str, str]:
    return {vm.name: vm.state for vm in reading.vms}


async def heals(source: LibvirtSource) -> LibvirtReading:
    """Read until it works again, as the poller would."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await source.read(full=False)
            except SourceError:
                await asyncio.sleep(0.2)


def threads() -> int:
    return sum(thread.name == "libvirt" for thread in threading.enumerate())


async def test_an_error_amid_a_read_frees_nothing_on_the_loop(source: LibvirtSource, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forward runs on this very loop: a connection that was closed here would wait for itself, for ever."""
    import libvirt

    from debugtui.sources.libvirt import reader

    def refuse(domain: Any) -> None:
        raise libvirt.libvirtError("no more")

    def broken(_: reader.Reader, error: libvirt.libvirtError) -> None:
        raise error

    await source.read(full=False)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "_uuids", refuse)
        patch.setattr(reader.Reader, "_still_there", broken)
        for _ in range(3):
            with pytest.raises(SourceError):
                await source.read(full=True)
            gc.collect()
    assert states(await source.read(full=True))[WEB] == "running"
    assert threads() == 1


async def test_domains_that_come_and_go_meanwhile(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            name = f"churn-{(number := number + 1) % 3}"
            libvirt_host.define(name)
            libvirt_host.undefine(name)

    busy = threading.Thread(target=churn)
    busy.start()
    try:
        for turn in range(60):
            reading = await source.read(full=turn % 2 == 0)
            assert {WEB, OFF} <= set(states(reading))
            assert all(gap.feature != "definitions" for gap in reading.gaps), reading.gaps
    finally:
        stop.set()
        await asyncio.to_thread(busy.join)


async def test_a_hung_emulator_does_not_hide_the_other_vms(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    await source.read(full=True)
    libvirt_host.freeze_guest(WEB)
    try:
        worked = 0
        for _ in range(6):
            try:
                assert states(await source.read(full=True))[OFF] == "shut off"
                worked += 1
            except SourceError:
                pass
        assert worked >= 4
        assert threads() <= source_module.HUNG
    finally:
        libvirt_host.thaw_guest(WEB)
    assert states(await heals(source))[WEB] == "running"
    async with asyncio.timeout(10):
        while threads() > 1:
            await asyncio.sleep(0.1)


async def test_a_hung_daemon_holds_three_threads_at_most(
    source: LibvirtSource, libvirt_host: LibvirtHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("OPEN_LIMIT", "SAMPLE_LIMIT"):
        monkeypatch.setattr(source_module, limit, 0.5)
    await source.read(full=False)
    libvirt_host.freeze_daemon()
    try:
        for _ in range(source_module.HUNG):
            with pytest.raises(SourceError, match="did not answer"):
                await source.read(full=False)
        began = time.monotonic()
        with pytest.raises(SourceError, match="3 requests to libvirt hang"):
            await source.read(full=False)
        assert time.monotonic() - began < 0.2
        assert threads() == source_module.HUNG
    finally:
        libvirt_host.thaw_daemon()
    await heals(source)
    async with asyncio.timeout(10):
        while threads() > 1:
            await asyncio.sleep(0.1)


async def test_a_hung_pool_costs_the_pools_alone(source: LibvirtSource, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(source_module, "PART_LIMIT", 0.2)
    monkeypatch.setattr(source_module, "_pools", lambda _: release.wait(20))
    try:
        for expected in ("did not answer", "earlier request", "earlier request"):
            reading = await source.read(full=True)
            assert states(reading)[WEB] == "running"
            gap = next(gap for gap in reading.gaps if gap.feature == "storage pools")
            assert expected in gap.problem.says
        assert threads() == 2
    finally:
        release.set()


async def test_a_detail_that_is_refused_leaves_the_connection(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    await source.read(full=False)
    worker = source._worker
    with pytest.raises(SourceError, match="Domain not found"):
        await source.domain_xml("00000000-0000-0000-0000-000000000000")
    assert source._worker is worker
    assert "<domain" in await source.domain_xml(libvirt_host.uuid(OFF), inactive=True)


async def test_details_open_the_connection_themselves(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    uuid = libvirt_host.uuid(WEB)
    xml, snapshots, (path, lines) = await asyncio.gather(
        source.domain_xml(uuid), source.snapshots(uuid), source.console_log(uuid)
    )
    assert WEB in xml
    assert snapshots == ()
    assert path == str(libvirt_host.console_path(WEB))
    assert not any("hunter2" in line.text for line in lines)
    assert threads() == 1


async def test_a_vm_without_console_log_says_which_element_gives_one(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    with pytest.raises(SourceError) as raised:
        await source.console_log(libvirt_host.uuid(OFF))
    assert "<log file=" in raised.value.problem.hint


async def test_a_dead_link_frees_the_thread(ssh_server: SshServer, libvirt_host: LibvirtHost) -> None:
    async with nothing_left(), started(make_link(ssh_server)) as link:
        source = LibvirtSource(link, libvirt_host.uri)
        await source.read(full=False)
        ssh_server.kill_connections()
        with pytest.raises((SourceError, LinkError)):
            await source.read(full=False)
        await becomes(link, LinkState.UP, 15)
        assert states(await heals(source))[WEB] == "running"
        await source.close()
        await source.close()


async def test_the_words_are_those_of_virsh(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    libvirt_host.suspend(WEB)
    try:
        for vm in (await source.read(full=False)).vms:
            argv = ["virsh", "-r", "-c", libvirt_host.uri, "domstate", "--reason", vm.name]
            said = subprocess.run(
                argv, capture_output=True, text=True, timeout=20, check=True, env={"LC_ALL": "C", "PATH": "/usr/bin"}
            )
            assert said.stdout.strip() == f"{vm.state} ({vm.reason})"
    finally:
        libvirt_host.resume(WEB)


async def test_hostile_names_and_what_the_guest_says(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    name = "[@click=app.quit]x[.] \u202e$(id)"
    libvirt_host.define(name, title="[/nope] \u200b")
    try:
        reading = await source.read(full=True)
    finally:
        libvirt_host.undefine(name)
    vm = next(vm for vm in reading.vms if vm.name.startswith("[@click"))
    assert vm.name == "[@click=app.quit]x[.] <202E>$(id)"
    assert vm.title == "[/nope] <200B>"


async def test_the_guest_tells_what_it_uses(source: LibvirtSource) -> None:
    await source.read(full=False)
    await asyncio.sleep(2.5)
    web = next(vm for vm in (await source.read(full=False)).vms if vm.name == WEB)
    assert web.memory_used_bytes is not None
    assert 1 << 20 < web.memory_used_bytes < web.memory_bytes
    assert web.cpu_percent is not None
    assert web.cpu_percent > 0
    assert web.disks[0].write_bytes_s is not None
    assert web.disks[0].write_bytes_s > 10_000


# --- cost --------------------------------------------------------------------------------------------------------------------


@contextmanager
def defined(host: LibvirtHost, count: int) -> Iterator[None]:
    names = [f"many-{number:02}" for number in range(count)]
    for name in names:
        host.define(name)
    try:
        yield
    finally:
        for name in names:
            host.undefine(name)


async def cpu_ms(source: LibvirtSource, *, full: bool, times: int = 10) -> float:
    await source.read(full=True)
    began = time.process_time()
    for _ in range(times):
        await source.read(full=full)
    return (time.process_time() - began) / times * 1000


async def test_what_twenty_vms_cost(source: LibvirtSource, libvirt_host: LibvirtHost) -> None:
    with defined(libvirt_host, VMS - 3):
        plain, full = await cpu_ms(source, full=False), await cpu_ms(source, full=True)
    print(f"20 VMs over ssh: {plain:.1f} ms CPU a poll, {full:.1f} ms with the slow parts")
    assert plain < 40


async def test_what_twenty_vms_cost_on_the_test_driver(tmp_path: Path) -> None:
    domains = "".join(
        f"<domain type='test'><name>vm-{number}</name><memory>1048576</memory><vcpu>2</vcpu><os><type>hvm</type></os></domain>"
        for number in range(VMS)
    )
    (tmp_path / "node.xml").write_text(f"<node>{domains}</node>")
    link = LocalLink("here")
    source = LibvirtSource(link, f"test://{tmp_path}/node.xml")
    assert len((await source.read(full=True)).vms) == VMS
    assert await cpu_ms(source, full=False) < 40
    await source.close()
    await link.close()
