"""The same measures of other tools, where installed: pg_activity on the same PostgreSQL, docker stats on the same engine."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.terminal import Terminal, python
from tests.services import docker_engine
from tests.services.postgres_server import SUPERUSER, running_server

SECONDS = 20
CONTAINERS = 10


def measure(name: str, command: list[str], needle: bytes, env: dict[str, str]) -> None:
    """Print one row: seconds to the first useful frame, then processor, bytes and memory while it runs."""
    if shutil.which(command[0]) is None:
        print(f"{name:<44} not installed")
        return
    terminal = Terminal(command, env=env)
    terminal.read(15, until=needle)
    first = time.perf_counter() - terminal.started
    terminal.read(6)
    cpu = terminal.cpu()
    came = len(terminal.read(SECONDS))
    used = 100 * (terminal.cpu() - cpu) / SECONDS
    size = terminal.resident_mb()
    print(f"{name:<44} {first:5.2f} s  {used:5.1f} % of a core  {came / SECONDS:6.0f} B/s  {size:4.0f} MB resident")
    terminal.close()


def main() -> None:
    """Start the servers, measure each tool against them."""
    with tempfile.TemporaryDirectory() as folder, running_server() as server, docker_engine._engine() as engine:
        for number in range(CONTAINERS):
            engine.run(f"peer-{number:02d}", "sleep", "3600")
        config = Path(folder) / "config.toml"
        config.write_text(
            f'[[hosts]]\nname = "here"\naddress = "local"\nlibvirt = false\ndocker = "{engine.url}"\n'
            f'[[hosts.postgres]]\nname = "coach"\ndsn = "{server.dsn()}"\n',
            encoding="utf-8",
        )
        env = {"HOME": folder, "XDG_STATE_HOME": folder, "DOCKER_HOST": engine.url}
        debugtui = python("-m", "debugtui", "--config", str(config))
        measure("debugtui, live data of all of it", debugtui, b"peer-09", env)
        address = ["-h", str(server.socket_dir), "-p", str(server.port), "-U", SUPERUSER, "-d", "coach"]
        measure("pg_activity", ["pg_activity", *address], b"PostgreSQL", env)
        measure("docker stats", ["docker", "stats"], b"peer-09", env)


if __name__ == "__main__":
    main()
