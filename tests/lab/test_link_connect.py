"""A link to a real sshd: connecting, host keys, keys and passphrases."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debugtui.model.source import LinkState
from tests.lab.link_tools import Answers, becomes, failure, make_link, started, until
from tests.services.ssh_server import SshServer, free_port, make_key

pytestmark = pytest.mark.lab


async def test_connects_and_runs(ssh_server: SshServer) -> None:
    states: list[LinkState] = []
    link = make_link(ssh_server)
    link.on_change(lambda: states.append(link.status.state))
    assert link.status.state is LinkState.CONNECTING
    async with started(link):
        result = await link.run(["printf", "%s|", "a b", "$HOME", "it's"], timeout=5)
        assert (result.status, result.stdout) == (0, b"a b|$HOME|it's|")
        assert link.status.problem is None
        received, sent = link.traffic
        assert received > 500
        assert sent > 500
    assert states == [LinkState.UP, LinkState.LOST]
    assert link.traffic[0] >= received
    error = await failure(link.run(["true"], timeout=1))
    assert "closed" in error.problem.says
    await link.close()


# --- host keys -----------------------------------------------------------------------------------------------------------


async def test_unknown_key_accepted_is_remembered(ssh_server: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    asker = Answers(trust=True)
    async with started(make_link(ssh_server, asker, known_hosts=file)):
        pass
    [question] = asker.keys
    assert question.fingerprint == ssh_server.fingerprint()
    assert question.algorithm == "ssh-ed25519"
    assert question.known_hosts == str(file)
    assert file.read_text() == ssh_server.known_hosts_line()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    found = subprocess.run(["ssh-keygen", "-F", f"[127.0.0.1]:{ssh_server.port}", "-f", file], capture_output=True)
    assert found.returncode == 0
    async with started(make_link(ssh_server, asker, known_hosts=file)):
        assert len(asker.keys) == 1


async def test_unknown_key_refused_is_not_asked_again(ssh_server: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    asker = Answers()
    async with started(make_link(ssh_server, asker, known_hosts=file), LinkState.REFUSED) as link:
        problem = link.status.problem
        assert problem is not None
        assert ssh_server.fingerprint() in problem.says
        assert "kvm-01" in problem.says
        assert str(file) in problem.hint
        assert link.status.retry_at is None
        await asyncio.sleep(1.5)
        assert len(asker.keys) == 1
        assert not file.exists()
        error = await failure(link.run(["true"], timeout=1))
        assert error.refused
        asker.trust = True
        link.retry_now()
        await becomes(link, LinkState.UP, 10)
        assert len(asker.keys) == 2


async def test_state_is_connecting_while_the_question_is_open(ssh_server: SshServer, tmp_path: Path) -> None:
    asker = Answers(trust=True)
    asker.hold = asyncio.Event()
    link = make_link(ssh_server, asker, known_hosts=tmp_path / "known_hosts")
    await link.start()
    await until(lambda: asker.keys, 10, "the question")
    assert (await link.wait_settled(0.2)).state is LinkState.CONNECTING
    asker.hold.set()
    assert (await link.wait_settled(10)).state is LinkState.UP
    await link.close()


async def test_closing_while_the_question_is_open(ssh_server: SshServer, tmp_path: Path) -> None:
    asker = Answers(trust=True)
    asker.hold = asyncio.Event()
    link = make_link(ssh_server, asker, known_hosts=tmp_path / "known_hosts")
    await link.start()
    await until(lambda: asker.keys, 10, "the question")
    async with asyncio.timeout(2):
        await link.close()
    assert not (tmp_path / "known_hosts").exists()


async def test_two_links_to_one_host_ask_once(ssh_server: SshServer, tmp_path: Path) -> None:
    asker = Answers(trust=True)
    file = tmp_path / "known_hosts"
    one, two = (make_link(ssh_server, asker, known_hosts=file) for _ in range(2))
    async with started(one), started(two):
        assert len(asker.keys) == 1
    one, two = (make_link(ssh_server, asker, known_hosts=tmp_path / "other") for _ in range(2))
    await one.start()
    await two.start()
    assert {(await link.wait_settled(10)).state for link in (one, two)} == {LinkState.UP}
    assert len(asker.keys) == 2
    await one.close()
    await two.close()


async def test_changed_key_is_never_accepted(make_ssh_server: Callable[..., SshServer]) -> None:
    server = make_ssh_server()
    old = server.fingerprint()
    server.stop()
    server.new_host_key()
    server.start()
    server.known_hosts.write_text(f"# a comment\n{server.known_hosts.read_text()}")
    before = server.known_hosts.read_text()
    asker = Answers(trust=True)
    async with started(make_link(server, asker), LinkState.REFUSED) as link:
        problem = link.status.problem
        assert problem is not None
        assert "CHANGED" in problem.says
        assert old in problem.says
        assert server.fingerprint() in problem.says
        assert f"{server.known_hosts} line 2" in problem.says
    assert asker.keys == []
    assert server.known_hosts.read_text() == before


async def test_key_of_another_kind_counts_as_changed(ssh_server: SshServer, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", kind="ecdsa")
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    file = tmp_path / "known_hosts"
    file.write_text(f"[127.0.0.1]:{ssh_server.port} {kind} {blob}\n")
    asker = Answers(trust=True)
    async with started(make_link(ssh_server, asker, known_hosts=file), LinkState.REFUSED) as link:
        assert "CHANGED" in str(link.status.problem)
    assert asker.keys == []


async def test_revoked_key(ssh_server: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(ssh_server.known_hosts_line() + "@revoked " + ssh_server.known_hosts_line("*"))
    asker = Answers(trust=True)
    async with started(make_link(ssh_server, asker, known_hosts=file), LinkState.REFUSED) as link:
        assert "revoked" in str(link.status.problem)
        assert ssh_server.fingerprint() in str(link.status.problem)
        assert f"{file} line 2" in str(link.status.problem)
    assert asker.keys == []


async def test_hashed_known_hosts(ssh_server: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(ssh_server.known_hosts_line())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert file.read_text().startswith("|1|")
    async with started(make_link(ssh_server, known_hosts=file)):
        pass


async def test_host_certificate(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    authority = make_key(tmp_path / "ca")
    server = make_ssh_server()
    server.stop()
    argv = ["ssh-keygen", "-q", "-s", authority, "-I", "host", "-h", "-n", "127.0.0.1", server.folder / "host_key.pub"]
    subprocess.run(argv, check=True, capture_output=True)
    server.config.write_text(f"HostCertificate {server.folder}/host_key-cert.pub\n{server.config.read_text()}")
    server.start()
    file = tmp_path / "known_hosts"
    file.write_text(f"@cert-authority * {(tmp_path / 'ca.pub').read_text()}")
    async with started(make_link(server, known_hosts=file)):
        pass
    # An authority that did not sign it: the plain key counts, and it is unknown.
    stranger = make_key(tmp_path / "stranger")
    file.write_text(f"@cert-authority * {stranger.with_suffix('.pub').read_text()}")
    asker = Answers()
    async with started(make_link(server, asker, known_hosts=file), LinkState.REFUSED):
        assert len(asker.keys) == 1
    file.write_text(f"@cert-authority * {(tmp_path / 'ca.pub').read_text()}@revoked * {(tmp_path / 'ca.pub').read_text()}")
    async with started(make_link(server, known_hosts=file), LinkState.REFUSED) as link:
        assert "revoked" in str(link.status.problem)


# --- logging in ----------------------------------------------------------------------------------------------------------


async def test_encrypted_key_is_asked_for_once_in_a_run(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    server = make_ssh_server()
    key = make_key(tmp_path / "locked", "open sesame")
    server.authorize(tmp_path / "locked.pub")
    asker = Answers("wrong", "open sesame")
    async with started(make_link(server, asker, identity=key)) as link:
        assert [question.name for question in asker.asked] == [f"passphrase of {key}"] * 2
        assert "kvm-01" in asker.asked[0].purpose
        assert "2 more tries" in asker.asked[1].purpose
        server.kill_connections()
        await becomes(link, LinkState.LOST, 5)
        await becomes(link, LinkState.UP, 5)
        async with started(make_link(server, asker, identity=key)):
            assert len(asker.asked) == 2


async def test_three_wrong_passphrases(ssh_server: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", "open sesame")
    asker = Answers("a", "b", "c", "open sesame")
    async with started(make_link(ssh_server, asker, identity=key), LinkState.REFUSED) as link:
        assert len(asker.asked) == 3
        assert "3 wrong passphrases" in str(link.status.problem)
        assert str(key) in str(link.status.problem)
        assert "sesame" not in str(link.status.problem)


async def test_no_passphrase_given(ssh_server: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", "open sesame")
    asker = Answers(None)
    async with started(make_link(ssh_server, asker, identity=key), LinkState.REFUSED) as link:
        assert "no passphrase was given" in str(link.status.problem)
        await asyncio.sleep(1.2)
        assert len(asker.asked) == 1


async def test_key_that_the_host_does_not_know(ssh_server: SshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "stranger")
    failures = ssh_server.log.count("Failed publickey")
    async with started(make_link(ssh_server, identity=key), LinkState.REFUSED) as link:
        problem = str(link.status.problem)
        assert "authentication refused" in problem
        assert str(key) in problem
        assert "authorized_keys" in problem
        await asyncio.sleep(2.5)
        assert link.status.state is LinkState.REFUSED
    assert ssh_server.log.count("Failed publickey") <= failures + 1


async def test_identity_that_does_not_exist(ssh_server: SshServer, tmp_path: Path) -> None:
    async with started(make_link(ssh_server, identity=tmp_path / "nothing"), LinkState.REFUSED) as link:
        assert "No such file" in str(link.status.problem)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A running ssh-agent without keys."""
    socket = str(tmp_path / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        if os.path.exists(socket):
            break
        process.poll()
        import time

        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", socket)
    yield socket
    process.terminate()
    process.wait(10)


async def test_agent(
    make_ssh_server: Callable[..., SshServer], tmp_path: Path, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_ssh_server("MaxAuthTries 2")
    monkeypatch.setenv("HOME", str(tmp_path))
    for number in range(3):
        subprocess.run(["ssh-add", "-q", make_key(tmp_path / f"other{number}")], check=True, capture_output=True)
    key = make_key(tmp_path / "in_agent", "secret words")
    server.authorize(tmp_path / "in_agent.pub")
    # The agent offers more keys than the host takes.
    async with started(make_link(server, identity=None), LinkState.REFUSED) as link:
        assert "other0" in str(link.status.problem)
    askpass = tmp_path / "askpass"
    askpass.write_text("#!/bin/sh\necho secret words\n")
    askpass.chmod(0o700)
    environment = {**os.environ, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
    subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True, env=environment)
    # A named key that the agent holds comes first, and its passphrase is not asked for.
    asker = Answers()
    async with started(make_link(server, asker, identity=key)):
        assert asker.asked == []
    (tmp_path / "in_agent").unlink()
    async with started(make_link(server, asker, identity=tmp_path / "in_agent.pub")):
        pass


async def test_agent_that_is_gone(ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    async with started(make_link(ssh_server)):
        pass


# --- what cannot be reached ----------------------------------------------------------------------------------------------


async def test_refused_connection(ssh_server: SshServer) -> None:
    port = free_port()
    async with started(make_link(ssh_server, address=f"ssh://ops@localhost:{port}"), LinkState.LOST) as link:
        assert link.status.problem is not None
        assert "TCP connection refused" in link.status.problem.says
        assert f"kvm-01 (ops@localhost:{port})" in link.status.problem.says
        assert link.status.retry_at is not None
        assert not (await failure(link.reach_unix("/run/x"))).refused


async def test_name_that_does_not_exist(ssh_server: SshServer) -> None:
    async with started(make_link(ssh_server, address="nowhere.invalid"), LinkState.LOST) as link:
        assert "not found in the DNS" in str(link.status.problem)


async def test_something_that_is_no_ssh_server(ssh_server: SshServer) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with started(make_link(ssh_server, address=f"ssh://127.0.0.1:{port}"), LinkState.LOST) as link:
        assert "key exchange" in str(link.status.problem) or "no SSH server" in str(link.status.problem)
    server.close()
    await server.wait_closed()


async def test_something_that_never_answers(ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.hosts.problems.CONNECT_LIMIT", 1.0)
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with started(make_link(ssh_server, address=f"ssh://127.0.0.1:{port}"), LinkState.LOST) as link:
        assert "key exchange: no answer within 1 s" in str(link.status.problem)
    release.set()
    server.close()
    await server.wait_closed()
