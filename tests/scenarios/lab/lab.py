"""The whole lab: two hosts over real sshds, and on the first a shop that is watched from every side.

kvm-07  libvirt (guests intra-01, batch-01, mail-01), Docker (the shop), PostgreSQL, Redis, nginx with TLS, Prometheus
kvm-08  the way to the Alertmanager
groq/shop-ai  an emulator of the Groq API; Loki and Grafana are emulators, too
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debugtui.demo.grafana_emulator import EmulatedSource, GrafanaEmulator
from debugtui.demo.groq_emulator import MODELS, GroqEmulator
from debugtui.demo.loki_emulator import LokiEmulator
from tests.scenarios.lab import configuration, sweep
from tests.scenarios.lab.containers import Containers
from tests.scenarios.lab.database import DATABASE, OWNER, Database
from tests.scenarios.lab.disks import Disk
from tests.scenarios.lab.guests import Guests
from tests.scenarios.lab.monitoring import Monitoring
from tests.scenarios.lab.programs import LabError, lasting_port
from tests.scenarios.lab.queue import Queue
from tests.scenarios.lab.site import Site
from tests.services.ssh_server import SshServer, new_server

ROOT = Path(__file__).parents[3]
HOST, SECOND = "kvm-07", "kvm-08"
INTRANET, BATCH, MAIL = "intra-01", "batch-01", "mail-01"
GROQ_KEY, MODEL = "gsk_lab0123456789abcdefghij", "llama-3.3-70b-versatile"
GRAFANA_TOKEN = "glsa_of_the_emulator"
#: Seconds for one run of the command line.
RUN_LIMIT = 90.0


async def finished(work: Awaitable[object]) -> None:
    """Wait for work that cannot be interrupted, such as a thread's; a cancellation takes effect when it is done."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


@dataclass
class Run:
    """One run of the command line."""

    code: int
    out: str
    err: str
    took_s: float

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise LabError(f"no JSON (exit code {self.code}): {self.out[-300:]}{self.err[-1500:]}") from error


class Lab:
    """What scenarios break and heal. Its parts are attributes; each knows how to break."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "pg")
        url = self.database.tcp_dsn(user=OWNER, database=DATABASE)
        self.queue = Queue(folder / "redis")
        settings = {"GROQ_API_KEY": GROQ_KEY, "GROQ_MODEL": MODEL}
        self.containers = Containers(folder / "docker", url, self.queue.url, settings)
        #: Where the disk of `intra-01` lies; where uploads lie.
        self.store = Disk(folder / "store.img", folder / "store", 48)
        self.uploads = Disk(folder / "uploads.img", folder / "uploads", 24, inodes=1024)
        guests = folder / "guests"
        (folder / "disks").mkdir()
        self.guests = Guests(
            guests,
            {
                INTRANET: self.store.mount / f"{INTRANET}.img",
                BATCH: folder / "disks" / f"{BATCH}.img",
            },
            hidden=MAIL,
        )
        self.site = Site(folder / "nginx")
        self.monitoring = Monitoring(folder / "monitoring", self.containers.api_port, self.containers.exporter_port)
        self.groq = GroqEmulator(keys=[GROQ_KEY])
        self.loki = LokiEmulator()
        self.grafana = GrafanaEmulator()
        self.sshd: SshServer | None = None
        self.second_sshd: SshServer | None = None

    # -- life

    async def start(self) -> None:
        """Start everything; the slow parts at once."""
        for disk in (self.store, self.uploads):
            disk.make()
        for name in ("ssh", "ssh2", "home"):
            (self.folder / name).mkdir()
        self.sshd = new_server(folder=self.folder / "ssh", port=lasting_port())
        self.second_sshd = new_server(folder=self.folder / "ssh2", port=lasting_port())
        for emulator in (self.groq, self.loki, self.grafana):
            await emulator.start(lasting_port())
        self.grafana.sources = self.datasources()
        self.queue.start()
        await finished(
            asyncio.gather(
                asyncio.to_thread(self.guests.start), asyncio.to_thread(self.containers.begin), self._start_database()
            )
        )
        await finished(asyncio.to_thread(self.containers.put_all))
        self.site.make(self.containers.api_port, self.containers.thumbs_port)
        self.site.age()
        self.site.start()
        await finished(asyncio.to_thread(self.monitoring.start))
        configuration.write(self)
        await self.assert_healthy()

    async def _start_database(self) -> None:
        await asyncio.to_thread(self.database.create)
        await asyncio.to_thread(self.database.start)
        await self.database.prepare()

    async def stop(self) -> None:
        """End everything, whatever state a scenario has left it in; each part, even where another one fails."""
        failed: list[str] = []
        servers = [server for server in (self.sshd, self.second_sshd) if server is not None]
        for part in (
            self._stop_database,
            self.groq.stop,
            self.loki.stop,
            self.grafana.stop,
            self.queue.stop,
            self.monitoring.stop,
            self.site.stop,
            self.containers.close,
            self.guests.stop,
            self.store.remove,
            self.uploads.remove,
            *(server.stop for server in servers),
        ):
            try:
                done = part()
                if asyncio.iscoroutine(done):
                    await done
            except Exception as error:  # noqa: BLE001 - the others have to end, too
                failed.append(f"{getattr(part, '__qualname__', part)}: {type(error).__name__}: {error}")
        sweep.clear(self.folder)
        if failed:
            raise LabError(f"the lab did not end well: {failed}")

    async def _stop_database(self) -> None:
        await self.database.release()
        if self.database.running:
            self.database.stop("immediate")

    # -- use

    def facts(self) -> dict[str, str]:
        """What the truth of a scenario may name: where things lie, which ports they have."""
        return {
            "store": str(self.store.mount),
            "uploads": str(self.uploads.mount),
            "docker": str(self.containers.disk.mount),
            "api_port": str(self.containers.api_port),
            "thumbs_port": str(self.containers.thumbs_port),
            "exporter_port": str(self.containers.exporter_port),
            "tls_port": str(self.site.tls_port),
            "port": str(self.site.port),
            "prometheus_port": str(self.monitoring.port),
        }

    def environment(self, state: Path) -> dict[str, str]:
        home = self.folder / "home"
        return {
            **os.environ,
            "HOME": str(home),
            "XDG_STATE_HOME": str(state),
            "LAB_GROQ_KEY": GROQ_KEY,
            "LAB_GRAFANA_TOKEN": GRAFANA_TOKEN,
            "PYTHONPATH": str(ROOT),
        }

    async def run(self, *arguments: str, chrome: bool = False, state: Path | None = None) -> Run:
        """Run the command line, in a session of its own; end it with this task."""
        config = self.folder / ("chrome.toml" if chrome else "config.toml")
        command = [sys.executable, "-m", "debugtui", "--config", str(config), *arguments]
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(state or self.folder / "home" / "state"),
            cwd=self.folder,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(RUN_LIMIT):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        return Run(process.returncode or 0, out.decode(), err.decode(errors="replace"), time.monotonic() - began)

    def datasources(self) -> list[EmulatedSource]:
        """What Grafana shows the figures of."""
        return [
            EmulatedSource("prom", "Prometheus", url=self.monitoring.url),
            EmulatedSource("loki", "Loki", "loki", self.loki.url),
        ]

    def fill_store(self) -> None:
        """Fill the file system on which the disk of `intra-01` lies, so that its next write fails."""
        for _ in range(2):
            self.guests.punch(INTRANET)
            self.store.fill()

    async def groq_status(self, path: str) -> int:
        """The status that the Groq API answers with to the shop's key; 0: nobody listens."""
        if path == "models":
            return await asyncio.to_thread(self._groq_status, path, None)
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        return await asyncio.to_thread(self._groq_status, path, json.dumps(body).encode())

    def _groq_status(self, path: str, body: bytes | None) -> int:
        headers = {"Authorization": f"Bearer {GROQ_KEY}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.groq.url}/openai/v1/{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    async def heal_groq(self) -> None:
        """Have the Groq API answer as it should, at the same address."""
        self.groq.heal()
        self.groq.keys, self.groq.models = {GROQ_KEY}, list(MODELS)
        if await self.groq_status("models") == 0:
            await self.groq.start(self.groq.port)

    async def settle(self) -> None:
        """After a healing: release what clients hold, and begin new logs, as a night later."""
        await self.database.release()
        self.groq.heal()
        self.site.rotate()

    async def assert_healthy(self) -> None:
        """Fail where anything is not as it should be."""
        await self.database.assert_healthy()
        if await self.groq_status("models") != 200:
            raise LabError("the Groq API does not answer")
        for disk in (self.store, self.uploads, self.containers.disk):
            if max(disk.used_percent, disk.inodes_percent) > 75:
                raise LabError(f"{disk.mount} is full: {disk.used_percent:.0f} %, inodes {disk.inodes_percent:.0f} %")
        for look in (
            self.queue.assert_healthy,
            self.containers.assert_healthy,
            self.guests.wait_serving,
            self.site.assert_healthy,
            self.monitoring.assert_healthy,
        ):
            await finished(asyncio.to_thread(look))


@contextlib.asynccontextmanager
async def open_lab() -> AsyncIterator[Lab]:
    """Give a running lab; nothing of it is left afterwards. Remains of labs whose owner was killed are removed first."""
    sweep.sweep()
    folder = Path(tempfile.mkdtemp(prefix=sweep.PREFIX, dir="/tmp"))
    sweep.sign(folder)
    folder.chmod(0o711)
    lab = Lab(folder)
    try:
        await lab.start()
        yield lab
    finally:
        await lab.stop()
        if left := sweep.leftovers(folder):
            raise LabError(f"the lab has left {', '.join(left)}")
