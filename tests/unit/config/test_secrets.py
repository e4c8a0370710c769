import asyncio
import copy
import os
import sys
import time
import types

import pytest

from debugtui.config import secrets
from debugtui.config.ask import NobodyToAsk
from debugtui.config.redaction import MASK, forget_all, redact
from debugtui.config.secrets import Secret, SecretError, SecretRef, check_readable, resolve

HIDDEN = "hunter2 secret"


@pytest.fixture(autouse=True)
def _forget():
    yield
    forget_all()


class Operator:
    """Answers with one text, and remembers what was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def secret(self, question):
        self.asked.append(question)
        return self.answer

    async def trust_host_key(self, question):
        return False


async def get(asker=None, **way):
    return await resolve(SecretRef(**way), name="password of x", purpose="to look", asker=asker or NobodyToAsk())


async def refused(**way):
    with pytest.raises(SecretError) as caught:
        await get(**way)
    assert "password of x" in str(caught.value)
    assert HIDDEN not in str(caught.value)
    return str(caught.value)


async def test_from_the_environment(monkeypatch):
    monkeypatch.setenv("X_PASSWORD", HIDDEN)
    secret = await get(env="X_PASSWORD")
    assert secret == HIDDEN
    assert redact(f"sent {HIDDEN} off") == f"sent {MASK} off"
    monkeypatch.delenv("X_PASSWORD")
    assert "X_PASSWORD" in await refused(env="X_PASSWORD")


async def test_from_a_command_without_a_shell(tmp_path):
    assert await get(command=f"printf '%s\\r\\nsecond line' '{HIDDEN}'") == HIDDEN
    assert await get(command="echo $HOME;ls") == "$HOME;ls"
    assert "status 3" in await refused(command=f"sh -c 'echo {HIDDEN}; exit 3'")
    assert "wrote nothing" in await refused(command="true")
    assert "cannot be run" in await refused(command=str(tmp_path / "absent"))
    assert "more than" in await refused(command="yes")


async def test_a_command_that_hangs_is_ended_with_its_children(monkeypatch, tmp_path):
    monkeypatch.setattr(secrets, "COMMAND_LIMIT", 0.5)
    note = tmp_path / "pid"
    started = time.monotonic()
    assert "did not end" in await refused(command=f"sh -c 'sleep 600 & echo $! > {note}; wait'")
    assert time.monotonic() - started < 5
    child = int(note.read_text())
    for _ in range(100):
        if not alive(child):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the command's child lives on")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_command_is_ended_when_the_wait_is_cancelled(tmp_path):
    note = tmp_path / "pid"
    task = asyncio.create_task(get(command=f"sh -c 'echo $$ > {note}; exec sleep 600'"))
    while not (note.exists() and note.read_text().strip()):
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


async def test_the_event_loop_lives_on_while_a_command_runs():
    ticks = 0
    task = asyncio.create_task(get(command="sh -c 'sleep 0.3; echo abcd'"))
    while not task.done():
        await asyncio.sleep(0.02)
        ticks += 1
    assert await task == "abcd"
    assert ticks > 5


def fake_keyring(monkeypatch, read):
    module = types.ModuleType("keyring")
    module.get_password = read
    monkeypatch.setitem(sys.modules, "keyring", module)


async def test_from_the_keyring(monkeypatch):
    fake_keyring(monkeypatch, lambda service, user: HIDDEN if (service, user) == ("db", "ops/x") else None)
    assert await get(keyring="db/ops/x") == HIDDEN
    assert "holds nothing for db/other" in await refused(keyring="db/other")

    def broken(service, user):
        raise RuntimeError(HIDDEN)

    fake_keyring(monkeypatch, broken)
    assert "RuntimeError" in await refused(keyring="db/ops")


async def test_a_locked_keyring_has_a_time_limit(monkeypatch):
    import threading

    release = threading.Event()
    fake_keyring(monkeypatch, lambda service, user: release.wait(20) and None)
    monkeypatch.setattr(secrets, "KEYRING_LIMIT", 0.2)
    assert "locked" in await refused(keyring="db/ops")
    release.set()
    for thread in threading.enumerate():
        if thread.name == "keyring":
            await asyncio.to_thread(thread.join, 5)


async def test_asking(monkeypatch):
    operator = Operator(HIDDEN)
    assert await get(operator, ask=True) == HIDDEN
    assert (operator.asked[0].name, operator.asked[0].purpose) == ("password of x", "to look")
    assert await get(ask=True) is None


def test_a_secret_is_printed_as_a_mask():
    secret = Secret(HIDDEN)
    assert {repr(secret), str(secret), f"{secret}", f"{secret:s}", "%s" % secret, f"{secret!r}"} == {MASK}  # noqa: UP031
    assert repr([secret]) == f"[{MASK}]"
    assert secret.encode() == HIDDEN.encode()
    assert (secret.reveal(), type(secret.reveal())) == (HIDDEN, str)
    with pytest.raises(TypeError):
        copy.deepcopy(secret)


@pytest.mark.parametrize(
    "way", [{}, {"env": "A", "ask": True}, {"ask": False}, {"env": "1A"}, {"keyring": "x"}, {"command": " "}, {"env": ""}]
)
def test_exactly_one_sound_way(way):
    with pytest.raises(ValueError):  # noqa: PT011 # the words are pydantic's frame around ours
        SecretRef(**way)


def test_what_cannot_be_read_shows_without_reading(monkeypatch):
    monkeypatch.delenv("X_PASSWORD", raising=False)
    assert "X_PASSWORD is not set" in str(check_readable(SecretRef(env="X_PASSWORD")))
    monkeypatch.setenv("X_PASSWORD", "")
    assert "is empty" in str(check_readable(SecretRef(env="X_PASSWORD")))
    monkeypatch.setenv("X_PASSWORD", "x")
    assert check_readable(SecretRef(env="X_PASSWORD")) is None
    assert "no program absent-program" in str(check_readable(SecretRef(command="absent-program x")))
    assert check_readable(SecretRef(command="echo x")) is None
    assert check_readable(SecretRef(ask=True)) is None
    assert check_readable(SecretRef(keyring="a/b")) is None


async def test_what_a_command_leaves_behind_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(secrets, "COMMAND_LIMIT", 0.5)
    note = tmp_path / "pid"
    assert "did not end" in await refused(command=f"sh -c 'sleep 600 & echo $! > {note}'")
    for _ in range(100):
        if not alive(int(note.read_text())):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the command's child lives on")
