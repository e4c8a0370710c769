"""VM repairs without a hypervisor: libvirt's own test driver, on a node that the test describes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig
from debugtui.model.clock import SystemClock
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.libvirt_calls import _close, _open
from debugtui.sources.libvirt.worker import Worker
from tests.unit.fakes import START, FakeLink

T = TypeVar("T")
HOST = "kvm-01"

DOMAIN = """<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>1024</memory><currentMemory unit='MiB'>512</currentMemory>
<vcpu current='1'>4</vcpu><os><type arch='x86_64'>hvm</type></os>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/images/{uuid}.qcow2'/>
<target dev='vda' bus='virtio'/></disk></devices>
<test:runstate>{state}</test:runstate></domain>"""


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def target(name: str) -> Target:
    return Target(HOST, "libvirt", name)


class Shared:
    """One connection for reading and writing: a test driver lives in its connection."""

    def __init__(self, uri: str) -> None:
        self.worker: Worker[Any] = Worker(lambda: _open(uri, True), _close)

    async def call(self, function: Callable[[Any], T], limit: float) -> T:
        return await self.worker.call(function, limit)

    async def close(self) -> None:
        return


@contextlib.asynccontextmanager
async def world(
    tmp_path: Path,
    domains: Mapping[str, int],
    *,
    services: Mapping[str, Sequence[str]] | None = None,
    hosts: Sequence[HostView] = (),
    others: Sequence[str] = (),
) -> AsyncIterator[tuple[Surroundings, Eyes, Shared]]:
    """A host with domains by XML-escaped name, each in a state of the test driver: 1 running, 3 paused, 5 off."""
    text = "".join(
        DOMAIN.format(name=name, uuid=uuid(number), state=state) for number, (name, state) in enumerate(domains.items(), 1)
    )
    (tmp_path / "node.xml").write_text(f"<node>{text}</node>", encoding="utf-8")
    uri = f"test://{tmp_path}/node.xml"
    host = HostConfig.model_validate({"name": HOST, "address": "local", "libvirt": uri})
    more = [{"name": name, "address": "local"} for name in others]
    named = [{"name": name, "resources": tuple(resources)} for name, resources in (services or {}).items()]
    config = Config.model_validate({"hosts": (host, *more), "services": named})

    async def view() -> FleetView:
        return FleetView(START, (HostView(HOST, "local", LinkStatus(LinkState.UP)), *hosts))

    shared = Shared(uri)
    around = Surroundings(
        config, host, FakeLink(), NobodyToAsk(), view, clock=SystemClock(), dwell=0.01, libvirt=lambda _: shared
    )  # type: ignore[arg-type] # a link that runs nothing
    eyes = Eyes(around)
    try:
        yield around, eyes, shared
    finally:
        await eyes.close()
        await shared.worker.close(2)
