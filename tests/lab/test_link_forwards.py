"""Reaching services of a host through a link: sockets and ports, and why they cannot be reached."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from debugtui.hosts.link import NoSuchSocketError
from debugtui.hosts.local import LocalLink
from debugtui.model.source import LinkState
from tests.lab.link_tools import (
    becomes,
    echo_server,
    echoes,
    failure,
    make_link,
    nothing_left,
    private_folders,
    started,
)
from tests.services.ssh_server import SshServer, free_port

pytestmark = pytest.mark.lab


async def test_unix_socket(ssh_server: SshServer, tmp_path: Path) -> None:
    async with started(make_link(ssh_server)) as link, echo_server(tmp_path / ".s.PGSQL.5432"):
        endpoint = await link.reach_unix(str(tmp_path / ".s.PGSQL.5432"))
        local = Path(endpoint.path)
        assert local.name == ".s.PGSQL.5432"
        assert len(endpoint.path) <= 100
        assert stat.S_IMODE(local.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(local.parent.parent.stat().st_mode) == 0o700
        assert await echoes(endpoint.path, b"x" * 500_000) == b"x" * 500_000
        again = await asyncio.gather(*(link.reach_unix(str(tmp_path / ".s.PGSQL.5432")) for _ in range(5)))
        assert set(again) == {endpoint}
    assert not local.parent.parent.exists()


async def test_long_and_odd_names(ssh_server: SshServer, tmp_path: Path) -> None:
    async with started(make_link(ssh_server)) as link:
        for name in ("n" * 60, "it's; $(id) \u202e"):
            folder = Path("/tmp") / f"dt{os.getpid()}"
            folder.mkdir(exist_ok=True)
            try:
                async with echo_server(folder / name):
                    assert await echoes((await link.reach_unix(str(folder / name))).path) == b"ping"
                (folder / name).unlink(missing_ok=True)
                error = await failure(link.reach_unix(str(folder / f"{name}2")))
                assert isinstance(error, NoSuchSocketError)
                assert "\u202e" not in str(error.problem)
            finally:
                folder.rmdir()


async def test_tcp(ssh_server: SshServer) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    local = LocalLink("here")
    async with started(make_link(ssh_server)) as link:
        endpoint = await link.reach_tcp("127.0.0.1", port)
        assert Path(endpoint.path).name == f".s.PGSQL.{port}"
        assert await echoes(endpoint.path, b"") == b"hello"
        here = await local.reach_tcp("127.0.0.1", port)
        assert (here.host, here.port, here.path) == ("127.0.0.1", port, "")
        server.close()
        await server.wait_closed()
        closed = free_port()
        for one in (link, local):
            error = await failure(one.reach_tcp("127.0.0.1", closed))
            assert f"127.0.0.1:{closed}" in error.problem.says
            assert "refused" in error.problem.says.lower()


@pytest.mark.parametrize("kind", ["ssh", "local"])
async def test_why_a_socket_cannot_be_reached(ssh_server: SshServer, tmp_path: Path, kind: str) -> None:
    link = make_link(ssh_server) if kind == "ssh" else LocalLink("kvm-01")
    await link.start()
    await link.wait_settled(10)
    try:
        error = await failure(link.reach_unix("/run/nowhere/docker.sock"))
        assert isinstance(error, NoSuchSocketError)
        assert error.problem.says == "no such socket on kvm-01: /run/nowhere/docker.sock"
        assert "Docker" in error.problem.hint

        (tmp_path / "file").write_text("x")
        assert "not a socket" in (await failure(link.reach_unix(str(tmp_path / "file")))).problem.says

        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / "dead"))
        assert "not listening" in (await failure(link.reach_unix(str(tmp_path / "dead")))).problem.says
        assert "not an absolute path" in (await failure(link.reach_unix("run/x"))).problem.says
    finally:
        await link.close()


async def test_forbidden_socket(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    server = make_ssh_server(drop=("dac_override", "dac_read_search"))
    path = tmp_path / "closed.sock"
    async with echo_server(path), started(make_link(server)) as link:
        path.chmod(0o000)
        error = await failure(link.reach_unix(str(path)))
        assert error.problem.says.startswith("permission denied on kvm-01: ")
        assert f"{server.user} may not open {path} (s--------- " in error.problem.says
        folder = tmp_path / "folder"
        folder.mkdir()
        folder.chmod(0o600)
        error = await failure(link.reach_unix(str(folder / "sub" / "x.sock")))
        assert f"may not open {folder} (d" in error.problem.says
        folder.chmod(0o700)
        path.chmod(0o700)
        assert await echoes((await link.reach_unix(str(path))).path) == b"ping"


async def test_forwarding_to_sockets_switched_off(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    server = make_ssh_server("AllowStreamLocalForwarding no\nAllowTcpForwarding no")
    async with echo_server(tmp_path / "s"), started(make_link(server)) as link:
        error = await failure(link.reach_unix(str(tmp_path / "s")))
        assert "AllowStreamLocalForwarding yes" in error.problem.hint
        error = await failure(link.reach_unix(str(tmp_path / "t")))
        assert isinstance(error, NoSuchSocketError)
        error = await failure(link.reach_tcp("127.0.0.1", server.port))
        assert "AllowTcpForwarding yes" in error.problem.hint


async def test_service_that_stops_later(ssh_server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(make_link(ssh_server)) as link:
        async with echo_server(tmp_path / "s"):
            endpoint = await link.reach_unix(str(tmp_path / "s"))
        # The forward closes at once instead of hanging...
        async with asyncio.timeout(2):
            assert await echoes(endpoint.path, b"") == b""
        # ... and soon the link knows why.
        monkeypatch.setattr("debugtui.hosts.forwards.PROBE_GOOD_FOR", 0.0)
        assert "not listening" in (await failure(link.reach_unix(str(tmp_path / "s")))).problem.says
        (tmp_path / "s").unlink()
        async with echo_server(tmp_path / "s"):
            assert await link.reach_unix(str(tmp_path / "s")) == endpoint
            assert await echoes(endpoint.path) == b"ping"


async def test_forwards_are_made_anew(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    server = make_ssh_server()
    async with echo_server(tmp_path / "s"), started(make_link(server)) as link:
        before = await link.reach_unix(str(tmp_path / "s"))
        server.kill_connections()
        await becomes(link, LinkState.LOST, 5)
        await becomes(link, LinkState.UP, 5)
        assert not Path(before.path).exists()
        after = await link.reach_unix(str(tmp_path / "s"))
        assert await echoes(after.path) == b"ping"


async def test_a_client_that_hangs_on_does_not_hold_up_closing(
    make_ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    server = make_ssh_server()
    async with echo_server(tmp_path / "s"):
        link = make_link(server)
        async with started(link):
            endpoint = await link.reach_unix(str(tmp_path / "s"))
            reader, writer = await asyncio.open_unix_connection(endpoint.path)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            async with asyncio.timeout(3):
                await link.close()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
    assert private_folders() == 0


async def test_nothing_is_left_after_twenty_killed_connections(
    make_ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    server = make_ssh_server("MaxStartups 100")
    async with echo_server(tmp_path / "s"):

        async def cycle(*, kill: bool) -> None:
            async with started(make_link(server)) as link:
                assert await echoes((await link.reach_unix(str(tmp_path / "s"))).path) == b"ping"
                task = asyncio.create_task(failure(link.run(["sleep", "30"], timeout=40)))
                await link.run(["true"], timeout=5)
                if kill:
                    server.kill_connections()
                    await becomes(link, LinkState.LOST, 5)
                else:
                    await link.close()
                await task
            await asyncio.sleep(0.05)

        await cycle(kill=True)
        async with nothing_left():
            for number in range(20):
                await cycle(kill=number % 4 != 0)
