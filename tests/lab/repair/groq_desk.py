"""Repairs of a use of the Groq API through the repair desk: the application on a real engine, or behind a real sshd."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from debugtui.config.ask import Asker, NobodyToAsk
from debugtui.config.models import Config, GroqAppConfig, GroqConfig, HostConfig, SecretRef
from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Decision, Progress
from debugtui.model.groq import GroqCall, GroqFault, GroqReading
from debugtui.model.plan import Guard, Plan
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation.desk import Desk
from debugtui.sources.docker.source import DockerSource
from tests.lab.repair.remote_tools import linked
from tests.lab.repair.system_desk import PATH
from tests.services.docker_engine import DockerEngine
from tests.services.groq_stub import GroqStub
from tests.services.ssh_server import SshServer
from tests.services.system_stand_ins import JournalFiles, Units, install

HOST, NAME = "kvm-01", "coach-ai"

#: A host that is configured, and not connected.
FAR = "kvm-09"
TARGET = Target("groq", "groq", NAME)

#: Keys of the tests. Neither looks like one of Groq's by its form, so that only what knows them can hide them.
OLD_KEY, NEW_KEY = "velvet-otter-0451-old", "copper-heron-7719-new"
OLD_ENV, NEW_ENV = "LAB_GROQ_OLD", "LAB_GROQ_NEW"


def use(stub: GroqStub, app: GroqAppConfig | None, **more: object) -> GroqConfig:
    """A use of the stub, whose keys stand in the environment."""
    fields = {"api_key": SecretRef(env=OLD_ENV), "next_key": SecretRef(env=NEW_ENV), "model": "llama-3.1-8b-instant", **more}
    return GroqConfig(name=NAME, base_url=stub.url, app=app, **fields)  # type: ignore[arg-type]


def reading(fault: GroqFault | None = None, **more: object) -> GroqReading:
    """What the screen knows of the use."""
    now = datetime.now(UTC)
    made = GroqReading(now, "http://127.0.0.1", "models", newest=GroqCall(now, fault))
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class GroqLab:
    """A desk with one host and one use of the API. `known` is what the screen knows of the use."""

    desk: Desk
    folder: Path
    told: list[Progress] = field(default_factory=list)
    known: GroqReading | None = None

    async def plan(self, name: str, **params: str) -> Plan:
        return await self.desk.plan(f"groq.{name}", TARGET, params)

    async def apply(self, plan: Plan) -> Progress:
        approval = self.desk.approve(plan, confirmed=plan.short_name, reason="test", break_glass=plan.risk.cls >= 3)
        return await self.desk.apply(plan, approval, self.told.append, _leave)

    async def back(self, done: Progress) -> Progress:
        approval = self.desk.approve_rollback(done.plan, confirmed=done.plan.short_name, reason="test")
        return await self.desk.rollback(done.execution, approval, self.told.append, _leave)

    def written(self) -> bytes:
        """Everything that was written down: journal, audit log, records."""
        return b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())


async def _leave(_: Progress) -> Decision:
    return Decision.LEAVE


def guard(plan: Plan, name: str) -> Guard:
    return next(guard for guard in plan.guards if guard.name == name)


def _groq_host(lab: GroqLab) -> tuple[HostView, ...]:
    if lab.known is None:
        return ()
    status = SourceStatus("groq", NAME, Kind.GROQ, Freshness.LIVE, reading=lab.known)
    return (HostView("groq", "", LinkStatus(LinkState.UP), (status,)),)


@contextlib.asynccontextmanager
async def container_lab(
    engine: DockerEngine, groq: GroqConfig, folder: Path, *, dwell: float = 0.05, asker: Asker | None = None
) -> AsyncIterator[GroqLab]:
    """The application is a container of this machine's engine."""
    config = Config(hosts=(HostConfig(name=HOST, address="local", docker=engine.url),), groq=(groq,))
    link = LocalLink(HOST)
    source = DockerSource(link, engine.url)

    async def view(_: str) -> FleetView:
        status = SourceStatus(HOST, "docker", Kind.DOCKER, Freshness.LIVE, reading=await source.read(full=False))
        host = HostView(HOST, "local", LinkStatus(LinkState.UP), (status,))
        return FleetView(datetime.now(UTC), (host, *_groq_host(lab)))

    desk = Desk(config, asker or NobodyToAsk(), {HOST: link}.__getitem__, view, state=folder / "desk", dwell=dwell)
    lab = GroqLab(desk, folder / "desk")
    try:
        yield lab
    finally:
        await desk.close()
        await source.close()
        await link.close()


@dataclass
class FileLab(GroqLab):
    """The same with a file on a host behind sshd; `programs` stand before all others there."""

    link: Link | None = None
    programs: Path = Path()
    units: Units | None = None
    journal: JournalFiles | None = None

    def program(self, name: str, text: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@contextlib.asynccontextmanager
async def file_lab(
    make_ssh_server: Callable[..., SshServer], groq: GroqConfig, folder: Path, *, dwell: float = 0.05
) -> AsyncIterator[FileLab]:
    """The application's settings are a file of a host."""
    programs, state = folder / "bin", folder / "state"
    programs.mkdir()
    state.mkdir()
    install(programs, state)
    server = make_ssh_server(f"SetEnv SHLVL=5 PATH={programs}:{PATH}")
    far = HostConfig(name=FAR, address="local")
    config = Config(hosts=(HostConfig(name=HOST, address=server.address), far), groq=(groq,))

    async def view(_: str) -> FleetView:
        host = HostView(HOST, server.address, LinkStatus(LinkState.UP), ())
        return FleetView(datetime.now(UTC), (host, *_groq_host(lab)))

    async with linked(server) as link:
        desk = Desk(config, NobodyToAsk(), {HOST: link}.__getitem__, view, state=folder / "desk", dwell=dwell)
        units, journal = Units(state), JournalFiles(state)
        journal.put([], 0, lines=["the application says nothing"])
        lab = FileLab(desk, folder / "desk", link=link, programs=programs, units=units, journal=journal)
        try:
            yield lab
        finally:
            await desk.close()
