"""Aliases, jump hosts, dead peers and the way back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from debugtui.model.source import LinkState
from tests.lab.link_tools import Answers, becomes, echo_server, echoes, failure, make_link, started
from tests.services.ssh_server import SshServer, free_port

pytestmark = pytest.mark.lab


def write_config(path: Path, *servers: tuple[str, SshServer], extra: str = "") -> Path:
    """An ssh configuration with an alias for each server."""
    blocks = [
        f"Host {alias}\n  HostName 127.0.0.1\n  Port {server.port}\n  User {server.user}\n"
        f"  IdentityFile {server.key}\n  UserKnownHostsFile {server.known_hosts}\n  GlobalKnownHostsFile none\n"
        for alias, server in servers
    ]
    path.write_text(extra + "".join(blocks))
    return path


def without_config(config: Path) -> dict[str, object]:
    return {"identity": None, "known_hosts": None, "ssh_config": (config,)}


async def test_alias(ssh_server: SshServer, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", ("prod", ssh_server))
    async with started(make_link(ssh_server, address="prod", **without_config(config))) as link:
        assert link.address == "prod"
        assert (await link.run(["id", "-un"], timeout=5)).stdout.decode().strip() == ssh_server.user


async def test_broken_configuration_is_refused_with_its_line(ssh_server: SshServer, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config", ("prod", ssh_server), extra="Port many\n")
    async with started(make_link(ssh_server, address="prod", **without_config(config)), LinkState.REFUSED) as link:
        assert "line 1" in str(link.status.problem)


@pytest.mark.parametrize("how", ["option", "config", "chain"])
async def test_jump(make_ssh_server: Callable[..., SshServer], tmp_path: Path, how: str) -> None:
    first, second, target = make_ssh_server(), make_ssh_server(), make_ssh_server()
    extra = {"config": "Host target\n  ProxyJump first,second\n", "chain": "Host second\n  ProxyJump first\n"}.get(how, "")
    config = write_config(tmp_path / "config", ("first", first), ("second", second), ("target", target), extra=extra)
    jump = {"option": "first,second", "chain": "second"}.get(how)
    link = make_link(target, address="target", jump=jump, **without_config(config))
    async with started(link), echo_server(tmp_path / "s"):
        assert (await link.run(["echo", "hello"], timeout=5)).stdout == b"hello\n"
        assert await echoes((await link.reach_unix(str(tmp_path / "s"))).path) == b"ping"
        for server in (first, second, target):
            assert "Accepted publickey" in server.log
        assert link.traffic[0] > 1000
        # Names the hop that died, not the one behind it.
        second.stop()
        await becomes(link, LinkState.LOST, 5)
        assert "jump host second" in str(link.status.problem)
        assert "on the way to kvm-01" in str(link.status.problem)
        await becomes(link, LinkState.CONNECTING, 5)
        await becomes(link, LinkState.LOST, 15)
        assert "jump host second" in str(link.status.problem)
        second.start()
        link.retry_now()
        await becomes(link, LinkState.UP, 15)


async def test_jump_that_is_down(ssh_server: SshServer, tmp_path: Path) -> None:
    jump = f"{ssh_server.user}@127.0.0.1:{free_port()}"
    async with started(make_link(ssh_server, jump=jump), LinkState.LOST) as link:
        assert f"jump host {jump}" in str(link.status.problem)
        assert "TCP connection refused" in str(link.status.problem)


async def test_target_behind_a_jump_is_down(ssh_server: SshServer, make_ssh_server: Callable[..., SshServer]) -> None:
    port = free_port()
    jump = f"{ssh_server.user}@127.0.0.1:{ssh_server.port}"
    async with started(make_link(ssh_server, jump=jump, address=f"ssh://127.0.0.1:{port}"), LinkState.LOST) as link:
        assert link.status.problem is not None
        assert link.status.problem.says.startswith("kvm-01 (")
        assert "not reachable from the jump host before it" in link.status.problem.says
        assert "refused" in link.status.problem.says
    closed = make_ssh_server("AllowTcpForwarding no")
    asker = Answers(trust=True)
    jump = f"{closed.user}@127.0.0.1:{closed.port}"
    async with started(make_link(closed, asker, jump=jump, address=ssh_server.address), LinkState.LOST) as link:
        assert "AllowTcpForwarding yes" in str(link.status.problem)


async def test_every_hop_has_its_key_checked(
    ssh_server: SshServer, make_ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    jump = make_ssh_server()
    jump.authorize(ssh_server.folder / "user_key.pub")
    name = f"{jump.user}@127.0.0.1:{jump.port}"
    asker = Answers()
    async with started(make_link(ssh_server, asker, jump=name), LinkState.REFUSED) as link:
        assert f"jump host {name}" in str(link.status.problem)
        assert [question.host for question in asker.keys] == [name]
    file = tmp_path / "known_hosts"
    asker = Answers(trust=True)
    async with started(make_link(ssh_server, asker, jump=name, known_hosts=file)):
        assert [question.host for question in asker.keys] == [name, "kvm-01"]
    jump.stop()
    jump.new_host_key()
    jump.start()
    async with started(make_link(ssh_server, asker, jump=name, known_hosts=file), LinkState.REFUSED) as link:
        assert f"jump host {name}" in str(link.status.problem)
        assert "CHANGED" in str(link.status.problem)


async def test_jump_that_refuses_the_login(ssh_server: SshServer, make_ssh_server: Callable[..., SshServer]) -> None:
    jump = make_ssh_server()
    ssh_server_key = make_link(ssh_server, Answers(trust=True), jump=f"{jump.user}@127.0.0.1:{jump.port}")
    async with started(ssh_server_key, LinkState.REFUSED) as link:
        assert "jump host" in str(link.status.problem)
        assert "authentication refused" in str(link.status.problem)


async def test_circle_of_jumps(ssh_server: SshServer, tmp_path: Path) -> None:
    config = write_config(
        tmp_path / "config", ("a", ssh_server), ("b", ssh_server), extra="Host a\n ProxyJump b\nHost b\n ProxyJump a\n"
    )
    async with started(make_link(ssh_server, address="a", **without_config(config)), LinkState.REFUSED) as link:
        assert "circle" in str(link.status.problem)


async def test_proxy_command(ssh_server: SshServer, tmp_path: Path) -> None:
    script = tmp_path / "proxy"
    script.write_text(
        "import socket,sys,threading,os\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
        "def up():\n while d:=os.read(0,65536): s.sendall(d)\n s.close(); os._exit(0)\n"
        "threading.Thread(target=up,daemon=True).start()\nwhile d:=s.recv(65536): os.write(1,d)\n"
    )
    config = write_config(tmp_path / "config", ("prod", ssh_server), extra=f"Host prod\n ProxyCommand python3 {script} %h %p\n")
    async with started(make_link(ssh_server, address="prod", **without_config(config))) as link:
        assert (await link.run(["echo", "x"], timeout=5)).stdout == b"x\n"


# --- dead peers ----------------------------------------------------------------------------------------------------------


async def test_killed_sshd_is_noticed_and_heals(make_ssh_server: Callable[..., SshServer]) -> None:
    server = make_ssh_server()
    async with started(make_link(server)) as link:
        begun = time.monotonic()
        server.stop()
        await becomes(link, LinkState.LOST, 2)
        assert time.monotonic() - begun < 1
        assert "kvm-01" in str(link.status.problem)
        assert link.status.retry_at is not None or link.status.state is LinkState.LOST
        error = await failure(link.run(["true"], timeout=5))
        assert error.problem.says
        await becomes(link, LinkState.CONNECTING, 3)
        assert link.status.problem is not None
        await becomes(link, LinkState.LOST, 3)
        assert "TCP connection refused" in str(link.status.problem)
        server.start()
        await becomes(link, LinkState.UP, 10)
        assert link.status.problem is None
        assert (await link.run(["echo", "again"], timeout=5)).stdout == b"again\n"


async def test_hung_sshd_is_noticed(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    server = make_ssh_server()
    async with echo_server(tmp_path / "s"), started(make_link(server)) as link:
        endpoint = await link.reach_unix(str(tmp_path / "s"))
        reader, writer = await asyncio.open_unix_connection(endpoint.path)
        command = asyncio.create_task(failure(link.run(["sleep", "30"], timeout=40)))
        await asyncio.sleep(0.3)
        server.freeze()
        begun = time.monotonic()
        await becomes(link, LinkState.LOST, 10)
        took = time.monotonic() - begun
        assert 4 < took < 9
        assert "no answer" in str(link.status.problem)
        assert "lost" in (await command).problem.says
        async with asyncio.timeout(2):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        server.thaw()
        await becomes(link, LinkState.UP, 25)


async def test_hung_jump_is_named(make_ssh_server: Callable[..., SshServer], ssh_server: SshServer) -> None:
    jump = make_ssh_server()
    jump.authorize(ssh_server.folder / "user_key.pub")
    jump_name = f"{jump.user}@127.0.0.1:{jump.port}"
    async with started(make_link(ssh_server, Answers(trust=True), jump=jump_name)) as link:
        await asyncio.sleep(0.5)
        jump.freeze()
        begun = time.monotonic()
        await becomes(link, LinkState.LOST, 10)
        assert time.monotonic() - begun < 9
        assert f"jump host {jump_name}" in str(link.status.problem)


async def test_retries_grow_slower_and_can_be_hurried(ssh_server: SshServer) -> None:
    link = make_link(ssh_server, address=f"ssh://127.0.0.1:{free_port()}")
    waits: list[float] = []

    def note() -> None:
        if link.status.retry_at is not None and link.status.since is not None:
            waits.append((link.status.retry_at - link.status.since).total_seconds())

    link.on_change(note)
    async with started(link, LinkState.LOST):
        await asyncio.sleep(3.5)
        assert [round(wait) for wait in waits] == [1, 2, 4]
        link.retry_now()
        await asyncio.sleep(0.3)
        assert [round(wait) for wait in waits] == [1, 2, 4, 1]
