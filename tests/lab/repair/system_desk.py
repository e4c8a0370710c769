"""Repairs of a host from plan to outcome through the repair desk, over a private sshd whose programs a test may shadow."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig
from debugtui.hosts.link import Link
from debugtui.model.execution import Decision, Progress
from debugtui.model.plan import Guard, Plan
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation.desk import Desk
from tests.lab.repair.remote_tools import linked
from tests.services.ssh_server import SshServer
from tests.services.system_stand_ins import JournalFiles, Units, install

HOST = "kvm-01"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class SystemLab:
    """A desk with one host; `programs` stand before all others there."""

    desk: Desk
    link: Link
    folder: Path
    programs: Path
    units: Units
    journal: JournalFiles
    told: list[Progress] = field(default_factory=list)

    async def plan(self, name: str, resource: str = "", /, **params: str) -> Plan:
        return await self.desk.plan(name, Target(HOST, "system", resource), params)

    async def apply(self, plan: Plan) -> Progress:
        approval = self.desk.approve(plan, confirmed=plan.short_name, reason="test", break_glass=plan.risk.cls >= 3)
        return await self.desk.apply(plan, approval, self.told.append, _leave)

    async def run(self, name: str, resource: str = "", /, **params: str) -> Progress:
        return await self.apply(await self.plan(name, resource, **params))

    def program(self, name: str, text: str) -> None:
        """Put a program before all others of its name."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def unprivileged(self, *, sudo: str | None) -> None:
        """Be a login that is not root. `sudo`: what its sudo does, as a script; None: there is none."""
        self.program("id", 'case "$1" in -u) echo 52361;; *) exec /usr/bin/id "$@";; esac')
        if sudo is not None:
            self.program("sudo", sudo)


async def _leave(_: Progress) -> Decision:
    return Decision.LEAVE


def guard(plan: Plan, name: str) -> Guard:
    return next(guard for guard in plan.guards if guard.name == name)


@contextlib.asynccontextmanager
async def system_lab(
    make_ssh_server: Callable[..., SshServer], folder: Path, *, dwell: float = 0.05, env: str = "", systemd: bool = True
) -> AsyncIterator[SystemLab]:
    """Start the host. `env`: more of its environment; `systemd`: with the stand-ins for systemctl and journalctl."""
    programs, state = folder / "bin", folder / "state"
    programs.mkdir()
    state.mkdir()
    if systemd:
        install(programs, state)
    server = make_ssh_server(f"SetEnv SHLVL=5 PATH={programs}:{PATH} {env}".strip())
    config = Config(hosts=(HostConfig(name=HOST, address=server.address),))

    async def view(_: str) -> FleetView:
        host = HostView(name=HOST, address=server.address, link=LinkStatus(LinkState.UP), sources=())
        return FleetView(taken_at=datetime.now(UTC), hosts=(host,))

    async with linked(server) as link:
        desk = Desk(config, NobodyToAsk(), lambda _: link, view, state=folder / "desk", dwell=dwell)
        try:
            yield SystemLab(desk, link, folder, programs, Units(state), JournalFiles(state))
        finally:
            await desk.close()
