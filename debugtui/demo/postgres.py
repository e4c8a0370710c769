"""A real PostgreSQL for the demo: a private folder, a UNIX socket only, nothing synced to disk, gone at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from debugtui.demo import postgres_user
from debugtui.demo.postgres_binaries import Binaries
from debugtui.demo.postgres_user import RunAs

PORT = 5432
INIT_LIMIT, START_LIMIT, STOP_LIMIT = 60.0, 20.0, 5.0

_SETTINGS = """
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 128MB
min_wal_size = 32MB
autovacuum_naptime = 20s
track_io_timing = on
log_destination = 'stderr'
logging_collector = off
log_min_messages = fatal
log_min_error_statement = panic
cluster_name = 'demo'
deadlock_timeout = 2s
"""


class PostgresFailedError(Exception):
    """The server could not be made or started; the text says why."""


class DemoPostgres:
    """The server. `start` makes and starts it, `stop` ends it. Its folder belongs to the caller, who removes it."""

    def __init__(self, binaries: Binaries, folder: Path, run_as: RunAs) -> None:
        self._binaries, self._folder, self._run_as = binaries, folder, run_as
        self.socket_dir = folder / "inner"
        self._data = folder / "data"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def socket_path(self) -> Path:
        """Its socket."""
        return self.socket_dir / f".s.PGSQL.{PORT}"

    async def prepare(self) -> None:
        """Make the folders and the data directory.

        Raises:
            PostgresFailedError: initdb refused.
        """
        for folder in (self._folder, self.socket_dir):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._run_as.own(self._folder, self.socket_dir)
        program = str(self._binaries.bin / "initdb")
        arguments = ["-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        process = await self._spawn(self._run_as.command([program, *arguments]), asyncio.subprocess.PIPE)
        try:
            async with asyncio.timeout(INIT_LIMIT):
                output, _ = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            raise PostgresFailedError(f"initdb: {_last_line(output)}")
        settings = _SETTINGS + f"unix_socket_directories = '{self.socket_dir}'\nport = {PORT}\n"
        if self._binaries.statements:
            settings += "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track = 'top'\n"
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(settings)

    async def start(self) -> None:
        """Start the server and wait until it accepts connections.

        Raises:
            PostgresFailedError: it ended, or was not ready in time.
        """
        with (self._folder / "log").open("wb") as log:
            command = self._run_as.server([str(self._binaries.bin / "postgres"), "-D", str(self._data)])
            self._process = await self._spawn(command, log.fileno())
        end = time.monotonic() + START_LIMIT
        while not self._ready():
            if self._process.returncode is not None or time.monotonic() > end:
                raise PostgresFailedError(f"postgres: {_last_line((self._folder / 'log').read_bytes())}")
            await asyncio.sleep(0.02)

    def _ready(self) -> bool:
        # The last line of postmaster.pid is the server's own word: starting, ready, stopping.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    async def stop(self) -> None:
        """End the server: at once and cleanly, else by force."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            try:
                async with asyncio.timeout(STOP_LIMIT):
                    await process.wait()
            except TimeoutError:
                continue
            return

    async def _spawn(self, command: list[str], output: int) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment = {**kept, "HOME": str(self._folder), "LC_ALL": "C", "TZ": "UTC", **self._binaries.environment}
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._folder,
                env=environment,
                start_new_session=True,
                user=self._run_as.user,
                group=self._run_as.group,
                extra_groups=None if self._run_as.user is None else [],
            )
        except OSError as error:
            raise PostgresFailedError(f"{command[0]}: {error}") from error


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it ended without a word"


def make(binaries: Binaries, folder: Path) -> DemoPostgres:
    """Return a server for this machine and user.

    Raises:
        PostgresFailedError: we are root, and there is no way to be somebody else.
    """
    run_as = postgres_user.choose()
    if run_as is None:
        raise PostgresFailedError(
            "PostgreSQL does not run as root, and there is no other account here: start as an ordinary user"
        )
    return DemoPostgres(binaries, folder, run_as)
