"""A real PostgreSQL server in a private directory, on a UNIX socket and a loopback port, for one test session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

BINARIES = Path("/usr/lib/postgresql")
SUPERUSER = "postgres"
#: May see everything that monitoring needs.
MONITOR = "monitor"
#: May log in, and no more.
NOBODY = "nobody_role"
#: Logs in with a password (SCRAM).
SCRAM_USER, SCRAM_PASSWORD = "scram_user", "s3cret-пароль"


def newest_binaries() -> Path:
    """The bin directory of the newest PostgreSQL installed."""
    found = [path for path in BINARIES.glob("*/bin") if (path / "initdb").exists() and re.fullmatch(r"\d+", path.parent.name)]
    if not found:
        raise FileNotFoundError(f"no PostgreSQL server under {BINARIES}: apt-get install postgresql")
    return max(found, key=lambda path: int(path.parent.name))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PostgresServer:
    """One server. `socket_dir` holds its socket; TCP listens on 127.0.0.1 at the same port.

    Started as root it runs as the user `nobody`, because PostgreSQL refuses root.
    """

    root: Path
    port: int = field(default_factory=free_port)
    settings: dict[str, str] = field(default_factory=dict)
    hba: Sequence[str] = ()
    initdb_options: Sequence[str] = ("-E", "UTF8", "--locale=C.UTF-8")
    bin: Path = field(default_factory=newest_binaries)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def socket_dir(self) -> Path:
        return self.root / "run"

    @property
    def socket_path(self) -> Path:
        return self.socket_dir / f".s.PGSQL.{self.port}"

    @property
    def log(self) -> str:
        return (self.root / "log").read_text(errors="replace")

    def dsn(self, user: str = MONITOR, database: str = "coach", password: str = "", **options: str) -> str:
        """A DSN through the UNIX socket."""
        secret = f":{quote(password, safe='')}" if password else ""
        query = "&".join([f"host={quote(str(self.socket_dir), safe='/')}", f"port={self.port}"])
        query += "".join(f"&{key}={value}" for key, value in options.items())
        return f"postgresql://{user}{secret}@/{database}?{query}"

    def tcp_dsn(self, user: str = MONITOR, database: str = "coach", **options: str) -> str:
        """A DSN over TCP."""
        query = "&".join(f"{key}={value}" for key, value in options.items())
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}" + (f"?{query}" if query else "")

    # -- life

    def create(self) -> None:
        """Make the data directory, and write the settings."""
        self.socket_dir.mkdir(parents=True)
        self.data.mkdir()
        (self.root / "log").touch()
        self._own(self.root, self.socket_dir, self.data, self.root / "log")
        self._tool("initdb", "-D", str(self.data), "-U", SUPERUSER, "-A", "trust", "--no-sync", *self.initdb_options)
        self._configure()

    def _own(self, *paths: Path) -> None:
        if os.geteuid() == 0:
            entry = pwd.getpwnam("nobody")
            for path in paths:
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def _configure(self) -> None:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.socket_dir),
            "shared_preload_libraries": "pg_stat_statements",
            "max_connections": "120",
            "max_prepared_transactions": "10",
            "track_activity_query_size": "8kB",
            "fsync": "off",
            "full_page_writes": "off",
            "wal_level": "replica",
            "log_statement": "none",
            "autovacuum_naptime": "60min",
            "timezone": "Europe/Paris",
            **self.settings,
        }
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(lines)
        rules = [
            *self.hba,
            f"local all {SCRAM_USER} scram-sha-256",
            f"host all {SCRAM_USER} 127.0.0.1/32 scram-sha-256",
            "local all all trust",
            "host all all 127.0.0.1/32 trust",
            "local replication all trust",
        ]
        (self.data / "pg_hba.conf").write_text("\n".join(rules) + "\n")

    def start(self) -> None:
        self._tool("pg_ctl", "-D", str(self.data), "-w", "-t", "30", "-l", str(self.root / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        self._tool("pg_ctl", "-D", str(self.data), "-w", "-t", "30", "-m", mode, "stop")

    def restart(self) -> None:
        self.stop()
        self.start()

    def crash(self) -> None:
        """Kill the postmaster the hard way; what it started ends by itself."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and any(self._children()):
            time.sleep(0.05)
        # The pid may live on as a zombie; both lock files would then keep the next start out.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.socket_path.with_name(f"{self.socket_path.name}.lock").unlink(missing_ok=True)

    def _children(self) -> Iterator[int]:
        """Processes whose working directory is the data directory."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if os.readlink(entry / "cwd") == str(self.data):
                        yield int(entry.name)

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    @property
    def running(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except (OSError, ValueError):
            return False
        return True

    def destroy(self) -> None:
        """Stop it if it runs, and remove its directory."""
        if self.running:
            self.stop("immediate")
        shutil.rmtree(self.root)

    def _tool(self, name: str, *arguments: str) -> None:
        prefix: list[str] = []
        if os.geteuid() == 0:
            prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "HOME": str(self.root)}
        if (self.bin.parent / "lib" / "libpq.so.5").exists():  # a build that carries its own
            env["LD_LIBRARY_PATH"] = str(self.bin.parent / "lib")
        # Output goes to a file: a server that inherited a pipe would keep the reader waiting.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [*prefix, str(self.bin / name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.root,
                timeout=60,
                check=False,
            )
            if done.returncode:
                output.seek(0)
                text = output.read().decode(errors="replace")
                raise RuntimeError(f"{name} failed ({done.returncode}): {text}\n{self.log[-2000:]}")

    # -- use

    async def connect(self, user: str = SUPERUSER, database: str = "coach", **options: Any) -> asyncpg.Connection:
        return await asyncpg.connect(host=str(self.socket_dir), port=self.port, user=user, database=database, **options)

    async def prepare(self) -> None:
        """Make the roles and the database that most tests use."""
        admin = await self.connect(database="postgres")
        try:
            for statement in (
                f"CREATE ROLE {MONITOR} LOGIN",
                f"GRANT pg_monitor TO {MONITOR}",
                f"CREATE ROLE {NOBODY} LOGIN",
                f"CREATE ROLE {SCRAM_USER} LOGIN PASSWORD '{SCRAM_PASSWORD}'",
                f"GRANT pg_monitor TO {SCRAM_USER}",
                "CREATE ROLE app LOGIN",
                "CREATE DATABASE coach OWNER app",
            ):
                await admin.execute(statement)
        finally:
            await admin.close()
        owner = await self.connect(user="app")
        try:
            await owner.execute("CREATE TABLE activities (id int PRIMARY KEY, title text, done boolean DEFAULT false)")
            await owner.execute("INSERT INTO activities SELECT n, 'activity ' || n FROM generate_series(1, 100) n")
        finally:
            await owner.close()


def new_server(**options: Any) -> PostgresServer:
    """A server in a fresh directory with a short name (a socket path may have 107 bytes), created but not started."""
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="dtpg-", dir="/tmp")), **options)
    try:
        server.create()
    except BaseException:
        shutil.rmtree(server.root, ignore_errors=True)
        raise
    return server


@contextlib.contextmanager
def running_server(**options: Any) -> Iterator[PostgresServer]:
    """A started server with the usual roles and the database `coach`, removed afterwards."""
    server = new_server(**options)
    try:
        server.start()
        with ThreadPoolExecutor(1) as pool:  # a test may have a loop of its own in this thread
            pool.submit(lambda: asyncio.run(server.prepare())).result(30)
        yield server
    finally:
        server.destroy()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests; a test that stops or breaks it takes a `running_server` of its own."""
    with running_server() as server:
        yield server


@dataclass
class LockChain:
    """A real chain: `root` is idle in transaction; each of `waiters` waits for the one before it."""

    root: int
    waiters: tuple[int, ...]


@contextlib.asynccontextmanager
async def lock_chain(server: PostgresServer, waiters: int = 2, table: str = "activities") -> AsyncIterator[LockChain]:
    """Hold a row in a session that then idles in its transaction, and let `waiters` sessions queue behind it.

    The first waiter updates the same row; the others ask for the whole table, one behind the other.
    """
    connections: list[asyncpg.Connection] = []
    opened: list[int] = []
    tasks: list[asyncio.Task[str]] = []

    async def open_session(name: str) -> asyncpg.Connection:
        connection = await server.connect(user="app", server_settings={"application_name": name})
        connections.append(connection)
        opened.append(connection.get_server_pid())
        return connection

    try:
        root = await open_session("coach-web")
        await root.execute("BEGIN")
        await root.execute(f"UPDATE {table} SET done = true WHERE id = 1")
        pids = []
        for number in range(waiters):
            connection = await open_session(f"coach-worker-{number + 1}")
            sql = (
                f"UPDATE {table} SET title = 'x' WHERE id = 1"
                if number == 0
                else f"ALTER TABLE {table} ADD IF NOT EXISTS note text"
            )
            tasks.append(asyncio.create_task(connection.execute(sql)))
            pids.append(connection.get_server_pid())
            await wait_until_blocked(server, pids[-1])
        yield LockChain(root.get_server_pid(), tuple(pids))
    finally:
        for task in tasks:
            task.cancel()
        for connection in connections:
            connection.terminate()
        await asyncio.gather(*tasks, return_exceptions=True)
        if server.running:
            await gone(server, opened)


async def wait_until_blocked(server: PostgresServer, pid: int) -> None:
    """Wait until that session waits for a lock."""
    watcher = await server.connect()
    try:
        async with asyncio.timeout(10):
            while not await watcher.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)", pid):
                await asyncio.sleep(0.01)
    finally:
        await watcher.close()


async def gone(server: PostgresServer, pids: Sequence[int]) -> None:
    """End those sessions, and wait until they have left (a session that waits for a lock does not notice a lost client)."""
    watcher = await server.connect()
    try:
        async with asyncio.timeout(10):
            while await watcher.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = ANY($1)", list(pids)
            ):
                await asyncio.sleep(0.02)
    finally:
        await watcher.close()
