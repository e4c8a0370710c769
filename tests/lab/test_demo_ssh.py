"""The demo's SSH servers, reached by the real link; and what its hosts answer to commands."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncssh
import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.demo import cast
from debugtui.demo.shell import Answer, Shell
from debugtui.demo.ssh_gate import Door
from debugtui.demo.ssh_server import DemoSshServer, Keys
from debugtui.hosts.link import LinkError, NoSuchSocketError
from debugtui.hosts.ssh import SshLink
from debugtui.model.source import LinkState
from debugtui.sources.libvirt.console import SCRIPT as CONSOLE_SCRIPT


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dtui-test-", dir="/tmp") as name:
        path = Path(name)
        (path / "host").mkdir()
        (path / "host" / "console.log").write_text("one\ntwo\nthree\n")
        (path / "secret").write_text("not for the host")
        (path / "host" / "way-out").symlink_to(path / "secret")
        yield path


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[DemoSshServer]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    echoing = await asyncio.start_unix_server(echo, folder / "host" / "echo.sock")

    def sockets() -> frozenset[str]:
        return frozenset({str(folder / "host" / "echo.sock")})

    shell = Shell(cast.HOSTS[0], folder / "host", sockets)
    served = DemoSshServer(shell, Keys(folder), sockets)
    await served.start()
    yield served
    await served.stop()
    echoing.close()
    await echoing.wait_closed()


@pytest.fixture
async def link(server: DemoSshServer) -> AsyncIterator[SshLink]:
    made = SshLink(
        "kvm-01",
        f"ssh://ops@127.0.0.1:{server.gate.port}",
        NobodyToAsk(),
        identity=server.keys.identity,
        known_hosts=server.keys.known_hosts,
        ssh_config=(),
    )
    await made.start()
    assert (await made.wait_settled(10)).state is LinkState.UP
    yield made
    await made.close()


async def test_commands_and_sockets_through_the_real_link(link: SshLink, folder: Path) -> None:
    result = await link.run(["id", "-un"], timeout=5)
    assert (result.status, result.stdout) == (0, b"ops\n")
    result = await link.run(["tail", "-c", "6", "--", str(folder / "host" / "console.log")], timeout=5)
    assert result.stdout == b"three\n"
    end = await link.reach_unix(str(folder / "host" / "echo.sock"))
    reader, writer = await asyncio.open_unix_connection(end.path)
    writer.write(b"hello")
    assert await reader.read(100) == b"hello"
    writer.close()
    await writer.wait_closed()


async def test_nothing_of_the_machine_can_be_reached(link: SshLink, folder: Path) -> None:
    canary = folder / "canary"
    for argv in (
        ["touch", str(canary)],
        ["sh", "-c", f"touch {canary}"],
        ["sh", "-c", f"id; touch {canary}"],
        ["python3", "-c", "0"],
    ):
        assert (await link.run(argv, timeout=5)).status in (126, 127)
    assert not canary.exists()
    for name in (
        "/etc/passwd",
        str(folder / "secret"),
        str(folder / "host" / "way-out"),
        str(folder / "host" / ".." / "secret"),
    ):
        assert (await link.run(["cat", name], timeout=5)).status == 1
        assert (await link.run(["test", "-e", name], timeout=5)).status == 1
    with pytest.raises(NoSuchSocketError):
        await link.reach_unix("/var/run/docker.sock")


async def test_a_stranger_does_not_get_in(server: DemoSshServer) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    for user, key in (("ops", stranger), ("root", server.keys.identity)):
        with pytest.raises(asyncssh.PermissionDenied):
            await asyncssh.connect(
                "127.0.0.1",
                server.gate.port,
                username=user,
                client_keys=[key if isinstance(key, asyncssh.SSHKey) else str(key)],
                known_hosts=str(server.keys.known_hosts),
                config=None,
                agent_path=None,
            )


def test_keys_are_private(folder: Path) -> None:
    keys = Keys(folder)
    assert keys.identity.stat().st_mode & 0o077 == 0
    assert os.listdir(folder).count("id_ed25519") == 1


async def test_a_frozen_host_is_noticed_and_comes_back(link: SshLink, server: DemoSshServer) -> None:
    await server.turn(Door.FROZEN)
    begun = time.monotonic()
    await wait_for(link, lambda: link.status.state is not LinkState.UP, 10)
    assert time.monotonic() - begun < 10
    await server.turn(Door.OPEN)
    link.retry_now()
    await wait_for(link, lambda: link.status.state is LinkState.UP, 20)
    assert (await link.run(["id", "-un"], timeout=5)).stdout == b"ops\n"


async def test_a_shut_host_throws_out_and_refuses(link: SshLink, server: DemoSshServer) -> None:
    await server.turn(Door.SHUT)
    await wait_for(link, lambda: link.status.state is not LinkState.UP, 2)
    with pytest.raises(LinkError):
        await link.run(["id"], timeout=2)
    await server.turn(Door.OPEN)
    link.retry_now()
    await wait_for(link, lambda: link.status.state is LinkState.UP, 15)
    assert not server.gate._tasks - {task for task in server.gate._tasks if not task.done()}


async def wait_for(link: SshLink, true: object, limit: float) -> None:
    async with asyncio.timeout(limit):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("exec timeout -k 2 5 tail -n 2 FILE", Answer(b"two\nthree\n")),
        ("LC_ALL=C tail -c2 FILE", Answer(b"e\n")),
        ("tail -c 0 FILE", Answer()),
        ("exec timeout 5 test -s FILE", Answer()),
        ("sh -c 'exec \"$@\"' sh cat FILE", Answer(b"one\ntwo\nthree\n")),
        ("stat -L -c %s -- FILE", Answer(b"14\n")),
        ("printenv USER", Answer(b"ops\n")),
        ("printenv NOTHING", Answer(status=1)),
        ("", Answer()),
    ],
)
def test_commands(folder: Path, command: str, answer: Answer) -> None:
    shell = Shell(cast.HOSTS[0], folder / "host", frozenset)
    assert shell.run(command.replace("FILE", str(folder / "host" / "console.log"))) == answer


@pytest.mark.parametrize(
    ("known", "position", "limit", "start", "data"),
    [
        (False, 0, 5, 9, b"hree\n"),
        (False, 0, 100, 0, b"one\ntwo\nthree\n"),
        (True, 8, 100, 8, b"three\n"),
        (True, 99, 100, 0, b"one"),
    ],
)
def test_a_piece_of_a_console(folder: Path, known: bool, position: int, limit: int, start: int, data: bytes) -> None:
    shell, file = Shell(cast.HOSTS[0], folder / "host", frozenset), folder / "host" / "console.log"
    inode = file.stat().st_ino
    words = ["sh", "-c", CONSOLE_SCRIPT, "sh", str(file), str(inode if known else 0), str(position), str(limit)]
    header, _, piece = shell.run(shlex.join(words)).stdout.partition(b"\n")
    assert header.decode() == f"{inode} {start} 14"
    assert piece.startswith(data)


def test_what_the_shell_does_not_understand_it_refuses(folder: Path) -> None:
    shell = Shell(cast.HOSTS[0], folder / "host", frozenset)
    for command in (
        "rm -rf /",
        "cat 'unclosed",
        "sh -c 'cat x | sh'",
        "sh script",
        "sh -c '$(id)'",
        "tail -f x",
        "test a = b",
        "./x",
    ):
        assert shell.run(command).status in (1, 2, 126, 127)
