"""The lab: everything that the demo serves, in one private folder, in one process of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from debugtui.demo import cast, postgres, postgres_binaries
from debugtui.demo.cast import HostPart
from debugtui.demo.consoles import write_consoles
from debugtui.demo.docker_api import DockerApi
from debugtui.demo.docker_engine import SimEngine
from debugtui.demo.host_figures import HostFigures
from debugtui.demo.layout import Layout
from debugtui.demo.libvirt_node import write_node
from debugtui.demo.outer import Outer
from debugtui.demo.postgres import DemoPostgres, PostgresFailedError
from debugtui.demo.postgres_absent import STARTING, SYSTEM_ERROR, AbsentPostgres
from debugtui.demo.repair_scripts import RepairScripts
from debugtui.demo.scenarios import SCENARIOS, Fault, Timeline
from debugtui.demo.shell import Shell
from debugtui.demo.ssh_gate import Door
from debugtui.demo.ssh_server import DemoSshServer, Keys
from debugtui.demo.system_script import SystemScript

_log = logging.getLogger(__name__)

Progress = Callable[[str], None]

#: Seconds between two looks at the scenario.
_TICK = 0.25
#: A lost host hangs for this many seconds, then refuses connections.
HANGS = 15.0


class DemoLab:
    """Starts and stops it all. Runs on the event loop of the demo's own process, or of a test."""

    def __init__(self, folder: Path, scenario: str, say: Progress = lambda _: None) -> None:
        """Prepare.

        Args:
            folder: private, with a short name, made by the caller, who also removes it.
            scenario: a name of `SCENARIOS`.
            say: takes what happens, in one line.
        """
        self.layout = Layout(folder)
        self.timeline = Timeline(SCENARIOS[scenario], time.time())
        self.servers: dict[str, DemoSshServer] = {}
        self.engines: dict[str, DockerApi] = {}
        self.outer = Outer(self.timeline, self._stuck)
        self.postgres_ready = asyncio.Event()
        self._say = say
        self._absent: AbsentPostgres | None = None
        self._postgres: DemoPostgres | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._chain: asyncio.Task[None] | None = None

    @property
    def ports(self) -> dict[str, int]:
        """The SSH port of each host, and where the outer layers listen."""
        return {**{name: server.gate.port for name, server in self.servers.items()}, **self.outer.ports}

    async def start(self) -> None:
        """Start everything. Returns when all hosts can be reached; PostgreSQL follows a second later."""
        await self.outer.start()
        folder = self.layout.folder
        # The way down to the server's folder, should another user run it; the folders below are closed.
        folder.chmod(0o711)
        self.layout.keys.mkdir(mode=0o700)
        for host in cast.HOSTS:
            (folder / host.name).mkdir(mode=0o700)
        self._tasks.append(asyncio.create_task(self._run_postgres(), name="postgres"))
        self._say("three hosts: SSH servers and Docker engines")
        keys = Keys(self.layout.keys)
        for host in cast.HOSTS:
            await self._start_host(host, keys)
        self._tasks.append(asyncio.create_task(self._follow(), name="scenario"))

    async def _start_host(self, host: HostPart, keys: Keys) -> None:
        write_consoles(self.layout.folder, host)
        write_node(self.layout.node(host.name), self.layout.folder, host)
        engine = DockerApi(SimEngine(host, self.timeline), self.layout.docker(host.name))
        self.engines[host.name] = engine
        await engine.start()
        sockets = partial(self._sockets, host.name)
        script = SystemScript(HostFigures(host, self.timeline))
        shell = Shell(host, self.layout.folder / host.name, sockets, script.answer)
        shell.also(RepairScripts(shell.argv))
        server = DemoSshServer(shell, keys, sockets)
        self.servers[host.name] = server
        await server.start()

    def _sockets(self, host: str) -> frozenset[str]:
        paths = {str(self.layout.docker(host))}
        if host == cast.LOCK_HOST:
            paths.add(str(self.layout.postgres_socket))
        return frozenset(paths)

    async def stop(self) -> None:
        """End everything. Safe to call twice, and while starting."""
        tasks = [*self._tasks, *([self._chain] if self._chain else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks, self._chain = [], None
        await asyncio.gather(
            *(server.stop() for server in self.servers.values()), *(engine.stop() for engine in self.engines.values())
        )
        await self.outer.stop()
        if self._absent is not None:
            await self._absent.stop()
        if self._postgres is not None:
            await self._postgres.stop()

    # PostgreSQL

    async def _run_postgres(self) -> None:
        await self._stand_in("The demo's PostgreSQL is starting", STARTING)
        try:
            await self._start_postgres()
        except PostgresFailedError as error:
            self._say(str(error))
            await self._stand_in(str(error), SYSTEM_ERROR)

    async def _start_postgres(self) -> None:
        binaries = await asyncio.to_thread(postgres_binaries.find, self.layout.folder)
        if binaries is None:
            raise PostgresFailedError(f"{postgres_binaries.MISSING}: {postgres_binaries.HINT}")
        self._say(f"PostgreSQL from {binaries.bin}")
        server = await asyncio.to_thread(postgres.make, binaries, self.layout.postgres)
        self._postgres = server
        await server.prepare()
        await server.start()
        from debugtui.demo.postgres_load import DemoLoad
        from debugtui.demo.postgres_seed import seed

        await seed(server.socket_dir, statements=binaries.statements)
        self.load = DemoLoad(server.socket_dir)
        await self._open_postgres(server)
        self.postgres_ready.set()
        self._say("PostgreSQL is ready")
        await self.load.run()

    async def _open_postgres(self, server: DemoPostgres) -> None:
        # Only now, when it holds what it should: until here the stand-in answers at the place that everybody knows.
        if self._absent is not None:
            await self._absent.stop()
        self.layout.postgres_socket.symlink_to(server.socket_path)

    async def _stand_in(self, reason: str, code: str) -> None:
        if self._absent is not None:
            await self._absent.stop()
        path = self.layout.postgres_socket
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._absent = AbsentPostgres(path, reason, code=code)
        await self._absent.start()

    # The scenario

    def _stuck(self) -> bool:
        load = getattr(self, "load", None)  # there is none before PostgreSQL is ready
        return load is not None and load.holds_lock

    async def _follow(self) -> None:
        while True:
            now = time.time()
            self.outer.turn(now)
            await self._turn_door(self.timeline.since(Fault.LINK_LOST, now))
            await self._turn_chain(self.timeline.since(Fault.LOCK_CHAIN, now) is not None)
            await asyncio.sleep(_TICK)

    async def _turn_door(self, since: float | None) -> None:
        door = Door.OPEN if since is None else Door.FROZEN if since < HANGS else Door.SHUT
        await self.servers[cast.LOST_HOST].turn(door)

    async def _turn_chain(self, wanted: bool) -> None:
        if wanted and self._chain is None and self.postgres_ready.is_set():
            self._chain = asyncio.create_task(self._hold_chain(), name="lock chain")
        elif not wanted and self._chain is not None:
            chain, self._chain = self._chain, None
            chain.cancel()
            await asyncio.gather(chain, return_exceptions=True)

    async def _hold_chain(self) -> None:
        try:
            await self.load.lock_chain()
        except (OSError, TimeoutError) as error:
            _log.warning("the lock chain could not be made: %s", error)
