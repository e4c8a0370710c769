"""Repairs of a real nginx from plan to outcome through the repair desk, over a private sshd."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from debugtui.config.ask import NobodyToAsk
from debugtui.config.models import Config, HostConfig, WebConfig
from debugtui.hosts.link import Link
from debugtui.model.execution import Decision, Progress
from debugtui.model.plan import Plan
from debugtui.model.source import FleetView, HostView, LinkState, LinkStatus
from debugtui.model.target import Target
from debugtui.remediation.desk import Desk
from tests.lab.repair.remote_tools import linked
from tests.services.nginx_server import NginxServer
from tests.services.ssh_server import SshServer

HOST = "kvm-01"


@dataclass
class NginxLab:
    """A desk with one host, on which one nginx runs."""

    desk: Desk
    link: Link
    nginx: NginxServer
    told: list[Progress] = field(default_factory=list)

    async def plan(self, name: str, resource: str = "main", /, **params: str) -> Plan:
        found = {key.rstrip("_"): value for key, value in params.items()}
        return await self.desk.plan(name, Target(HOST, "nginx", resource), found)

    async def apply(self, plan: Plan) -> Progress:
        approval = self.desk.approve(plan, confirmed=plan.short_name, reason="test", break_glass=plan.risk.cls >= 3)
        return await self.desk.apply(plan, approval, self.told.append, _leave)

    async def edit(self, file: Path, text: str) -> Plan:
        new = self.nginx.folder / "new.txt"
        new.write_text(text)
        return await self.plan("nginx.edit_config", file=str(file), from_=str(new))


async def _leave(_: Progress) -> Decision:
    return Decision.LEAVE


@contextlib.asynccontextmanager
async def nginx_lab(
    make_ssh_server: Callable[..., SshServer], nginx: NginxServer, *webs: WebConfig, dwell: float = 0.25, env: str = ""
) -> AsyncIterator[NginxLab]:
    """Start the way to the host; the nginx itself is the test's to start."""
    server = make_ssh_server(f"SetEnv SHLVL=5 PATH=/usr/local/bin:/usr/bin:/bin {env}".strip())
    config = Config(hosts=(HostConfig(name=HOST, address=server.address, web=webs),))

    async def view(_: str) -> FleetView:
        host = HostView(name=HOST, address=server.address, link=LinkStatus(LinkState.UP), sources=())
        return FleetView(taken_at=datetime.now(UTC), hosts=(host,))

    async with linked(server) as link:
        desk = Desk(config, NobodyToAsk(), lambda _: link, view, state=nginx.folder / "desk", dwell=dwell)
        try:
            yield NginxLab(desk, link, nginx)
        finally:
            await desk.close()
