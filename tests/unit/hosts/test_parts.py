"""The small parts of the links."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from debugtui.hosts import problems, sockets
from debugtui.hosts.backoff import Backoff
from debugtui.hosts.commands import signal_status
from debugtui.hosts.gate import SessionGate
from debugtui.hosts.hops import Plan, resolve
from debugtui.hosts.link import NoSuchSocketError
from debugtui.hosts.output import Output
from debugtui.hosts.private import PATH_LIMIT, PrivateFolder, sweep
from debugtui.hosts.problems import Stage


def test_backoff() -> None:
    backoff = Backoff(lambda: 0.0)
    assert [backoff.next() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.was_up(59)
    assert backoff.next() == 30
    backoff.was_up(61)
    assert backoff.next() == 1
    shortest = Backoff(lambda: 1.0)
    assert [shortest.next() for _ in range(6)] == [0.75, 1.5, 3, 6, 12, 22.5]
    for _ in range(5000):
        backoff.next()
    assert backoff.next() == 30


def test_output() -> None:
    output = Output(5)
    output.add(b"abc")
    output.add(b"de")
    assert (bytes(output), output.truncated) == (b"abcde", False)
    output.add(b"f")
    output.add(b"gh")
    assert (bytes(output), output.truncated) == (b"abcde", True)


def test_signals() -> None:
    assert signal_status("KILL") == -9
    assert signal_status("NO-SUCH@example.org") == -128


async def test_gate_counts_cancelled_holders() -> None:
    gate = SessionGate(1)

    async def hold() -> None:
        async with gate.turn():
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(hold())
    await asyncio.sleep(0.01)
    assert gate.inside == 1
    for one in (waiting, task):
        one.cancel()
    await asyncio.gather(task, waiting, return_exceptions=True)
    async with asyncio.timeout(1), gate.turn():
        assert gate.inside == 1
        assert not gate.shrink()


def test_private_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Path("/tmp") / f"dr{os.getpid()}"
    short.mkdir()
    try:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        left, own, odd = (short / f"dbgtui-{name}-x" for name in (str(ended.pid), str(os.getpid()), "word"))
        for path in (left, own, odd):
            path.mkdir()
        os.utime(left, (1_000_000_000, 1_000_000_000))
        folder = PrivateFolder()
        places = [folder.place(name) for name in (".s.PGSQL.5432", "n" * 50, "", "..")]
        assert [place.name for place in places] == [".s.PGSQL.5432", "s", "s", "s"]
        assert len({place.parent for place in places}) == 4
        assert all(place.parent.parent.parent == short and len(str(place)) <= PATH_LIMIT for place in places)
        assert (left.exists(), own.exists(), odd.exists()) == (False, True, True)
        folder.remove()
        folder.remove()
        assert not places[0].parent.parent.exists()
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/" + "x" * 100)
        assert str(folder.place("a")).startswith("/tmp/dbgtui-")
        folder.remove()
        sweep(tmp_path)
    finally:
        for path in short.iterdir():
            path.rmdir()
        short.rmdir()


def test_a_private_folder_whose_owner_lives_in_another_pid_namespace_is_left_alone(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    held, free, new = (tmp_path / f"dbgtui-{ended.pid}-{name}" for name in ("held", "free", "new"))
    for path in (held, free, new):
        path.mkdir()
    for path in (held, free):
        (path / ".lock").touch()
    with (held / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(tmp_path)
        assert (held.exists(), free.exists(), new.exists()) == (True, False, True)
    sweep(tmp_path)
    assert not held.exists()


def test_finding() -> None:
    said = b"denied\nsrw-rw---- 1 root docker 0 Nov 20 22:00 /var/run/docker.sock\nops\n"
    error = sockets.problem("kvm-01", "/var/run/docker.sock", sockets.parse(said, "/var/run/docker.sock"))
    assert error.problem.says == "permission denied on kvm-01: ops may not open /var/run/docker.sock (srw-rw---- root:docker)"
    assert error.problem.hint == "add ops to the group docker on kvm-01 (usermod -aG docker ops), then connect again"
    said = b"denied\nsrw------- 1 root docker 0 Nov 20 22:00 /x\nops\n"
    assert "give ops access" in sockets.problem("h", "/x", sockets.parse(said, "/x")).problem.hint
    assert isinstance(sockets.problem("h", "/x", sockets.parse(b"missing\n-\nops\n", "/x")), NoSuchSocketError)
    for odd in (b"", b"garbage\x1b[31m\n", b"denied", b"denied\n\xff\xff"):
        problem = sockets.problem("h", "/x", sockets.parse(odd, "/x"), "open failed").problem
        assert problem.says
        assert "\x1b" not in str(problem)


@pytest.mark.parametrize(
    ("stage", "error", "wanted"),
    [
        (Stage.TCP, socket.gaierror(-2, "Name or service not known"), "not found in the DNS"),
        (Stage.TCP, ConnectionRefusedError(errno.ECONNREFUSED, "x"), "TCP connection refused"),
        (Stage.TCP, OSError("Multiple exceptions: [Errno 111] a ('::1', 22), [Errno 111] b"), "TCP connection refused"),
        (Stage.TCP, OSError("Multiple exceptions: [Errno 111] a, [Errno 113] b"), "TCP connection failed"),
        (Stage.TCP, TimeoutError(errno.ETIMEDOUT, "x"), "TCP connection timed out"),
        (Stage.TCP, TimeoutError(), "TCP connect: no answer within 10 s"),
        (Stage.TCP, OSError(errno.EHOSTUNREACH, "x"), "no route to the host"),
        (Stage.EXCHANGE, TimeoutError(), "key exchange: no answer within 10 s"),
        (Stage.EXCHANGE, asyncssh.ConnectionLost("Connection lost"), "closed during key exchange"),
        (Stage.EXCHANGE, asyncssh.KeyExchangeFailed("No matching"), "key exchange failed"),
        (Stage.EXCHANGE, asyncssh.ProtocolError("no \x1b[2Jbanner"), "no SSH server answers"),
        (Stage.LOGIN, TimeoutError(), "authentication: no answer within 10 s"),
        (Stage.LOGIN, asyncssh.ConnectionLost("Connection lost"), "authentication failed"),
    ],
)
def test_problems_name_hop_and_stage(stage: Stage, error: Exception, wanted: str) -> None:
    [hop] = resolve(Plan("kvm-01", "ops@h"))
    problem = problems.connecting(hop, stage, error, tunnelled=False).problem
    assert problem.says.startswith("kvm-01 (ops@h:22): ")
    assert wanted in problem.says
    assert "\x1b" not in problem.says


def test_the_local_link_and_the_factory_do_without_the_ssh_library() -> None:
    code = "import sys, debugtui.hosts.open, debugtui.hosts.local; sys.exit(bool({'asyncssh', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
