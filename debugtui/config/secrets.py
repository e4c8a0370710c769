"""Secrets: the configuration says where one is found, never what it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import threading
from collections.abc import Callable
from typing import Literal, NoReturn

from pydantic import model_validator

from debugtui.config.ask import Asker, SecretQuestion
from debugtui.config.faults import fault, nearest
from debugtui.config.fields import Flag, Table
from debugtui.config.redaction import MASK, register
from debugtui.model.source import Problem
from debugtui.model.text import line

#: How long a secret command or a keyring may take, in seconds. A keyring may be waiting for its owner to unlock it.
COMMAND_LIMIT = 15.0
KEYRING_LIMIT = 60.0
_OUTPUT_LIMIT = 65_536
_WAYS = ("env", "keyring", "command", "ask")
_ENV_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_USE = 'name where it is found: {env = "NAME"}, {keyring = "service/user"}, {command = "pass show x"} or {ask = true}'


class SecretError(Exception):
    """A secret could not be had. `problem` names which, never its value."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Secret(str):
    """A resolved secret: a `str` to the library that needs it, but printed, formatted or logged it is a mask.

    Where the text itself is needed inside another text, `reveal()` gives it; `f"{secret}"` gives the mask.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not stored")

    def reveal(self) -> str:
        """Return the secret as an ordinary text."""
        return "".join(self)


class SecretRef(Table):
    """Where a secret is found: exactly one of the four ways.

    Attributes:
        env: name of an environment variable.
        keyring: `service/user` in the keyring of the operator's desktop or system.
        command: a command whose first line of output is the secret; split into arguments as a shell would, run without one.
        ask: ask the operator when it is first needed.
    """

    env: str | None = None
    keyring: str | None = None
    command: str | None = None
    ask: Flag | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_way(cls, value: object) -> object:
        if isinstance(value, SecretRef):
            return value
        if not isinstance(value, dict):
            raise fault(f"a secret is never written here; {_USE}")
        given = [way for way in _WAYS if value.get(way) is not None]
        unknown = [key for key in value if key not in _WAYS]
        if len(given) != 1 and not unknown:
            raise fault(f"exactly one way is needed; {_USE}")
        if not given and len(unknown) == 1:
            near = nearest(unknown[0], _WAYS) if isinstance(unknown[0], str) else None
            raise fault(f"unknown way to a secret; {_USE}", near)
        return value

    @model_validator(mode="after")
    def _well_formed(self) -> SecretRef:
        if self.env is not None and not _ENV_NAME.fullmatch(self.env):
            raise fault("env takes the name of an environment variable: letters, digits and underscores")
        if self.keyring is not None and not all(self.keyring.partition("/")):
            raise fault("keyring takes service/user")
        if self.command is not None:
            _arguments(self.command)
        if self.ask is False:
            raise fault("ask = false asks nobody: write true, or name another way")
        return self

    @property
    def way(self) -> Literal["env", "keyring", "command", "ask"]:
        """Which of the four ways it takes."""
        if self.env is not None:
            return "env"
        if self.keyring is not None:
            return "keyring"
        return "command" if self.command is not None else "ask"


def _arguments(command: str) -> list[str]:
    try:
        argv = shlex.split(command)
    except ValueError:
        raise fault("the command's quotes do not close") from None
    if not argv or not argv[0] or "\x00" in command:
        raise fault("the command is empty")
    argv[0] = os.path.expanduser(argv[0])  # noqa: PTH111 # a bare word must stay one, for the search in PATH
    return argv


def check_readable(ref: SecretRef) -> Problem | None:
    """Return why a secret cannot be read, as far as that shows without reading it; None: nothing speaks against it.

    A command is looked for but not run, and a keyring is not opened: both may ask its owner something.
    """
    if ref.env is not None and not os.environ.get(ref.env):
        state = "empty" if ref.env in os.environ else "not set"
        return Problem("unreadable secret", f"the environment variable {ref.env} is {state}")
    if ref.command is not None:
        program = _arguments(ref.command)[0]
        if shutil.which(program) is None:
            return Problem("unreadable secret", f"there is no program {line(program, 100)} to run")
    return None


async def resolve(ref: SecretRef, *, name: str, purpose: str, asker: Asker) -> Secret | None:
    """Return a secret, and have it removed from every text that is redacted from now on.

    Args:
        ref: where it is found.
        name: which secret, as the operator knows it: `password of kvm-01/postgres/coach`.
        purpose: what it is needed for.
        asker: who asks the operator.

    Returns:
        The secret; None where the operator was asked and gave none.

    Raises:
        SecretError: it cannot be read.
    """
    if ref.env is not None:
        value = os.environ.get(ref.env, "")
        if not value:
            raise _unreadable(name, f"the environment variable {ref.env} is not set or empty")
    elif ref.keyring is not None:
        value = await _from_keyring(ref.keyring, name)
    elif ref.command is not None:
        value = await _from_command(ref.command, name)
    else:
        value = await asker.secret(SecretQuestion(name, purpose, entry_of(name))) or ""
        if not value:
            return None
    register(value)
    return Secret(value)


def entry_of(name: str) -> str:
    """Return where a secret of that name is kept in the keyring, as `SecretRef.keyring` takes it."""
    return "debugtui/" + re.sub(r"[^\w.-]+", "-", name)


async def keep(entry: str, value: str) -> None:
    """Keep a secret in the operator's keyring.

    Args:
        entry: `service/user`.
        value: the secret.

    Raises:
        SecretError: there is no keyring, or it refuses.
    """
    service, _, user = entry.partition("/")
    try:
        await asyncio.wait_for(_in_daemon_thread(lambda: _keyring_set(service, user, value)), KEYRING_LIMIT)
    except TimeoutError:
        raise SecretError(Problem(f"the keyring did not answer within {KEYRING_LIMIT:.0f} s", "is it locked?")) from None
    except Exception as error:  # noqa: BLE001 - every backend has its own errors
        raise SecretError(Problem(f"the keyring refuses: {type(error).__name__}", "it is kept for this run only")) from None


def _keyring_set(service: str, user: str, value: str) -> None:
    import keyring  # heavy, and seldom used

    keyring.set_password(service, user, value)


def _unreadable(name: str, why: str) -> SecretError:
    return SecretError(Problem(f"unreadable secret: {name}", why))


async def _from_keyring(entry: str, name: str) -> str:
    service, _, user = entry.partition("/")
    try:
        value = await asyncio.wait_for(_in_daemon_thread(lambda: _keyring_get(service, user)), KEYRING_LIMIT)
    except TimeoutError:
        raise _unreadable(name, f"the keyring did not answer within {KEYRING_LIMIT:.0f} s; is it locked?") from None
    except Exception as error:  # noqa: BLE001 # each keyring backend raises its own; all mean unreadable, and we say which
        raise _unreadable(name, f"the keyring failed: {type(error).__name__}") from None
    if not value:
        raise _unreadable(name, f"the keyring holds nothing for {line(entry, 100)}")
    return value


def _keyring_get(service: str, user: str) -> str | None:
    import keyring  # heavy, and seldom used

    return keyring.get_password(service, user)


async def _in_daemon_thread(read: Callable[[], str | None]) -> str | None:
    """Run `read` in a thread of its own that cannot hold up the program's end, as a keyring waiting to be unlocked would."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def settle(value: str | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)

    def work() -> None:
        value, failure = None, None
        try:
            value = read()
        except Exception as error:  # noqa: BLE001 # handed over to the waiting task
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=work, name="keyring", daemon=True).start()
    return await answer


async def _from_command(command: str, name: str) -> str:
    argv = _arguments(command)
    try:
        process = await _start(argv)
    except OSError as error:
        raise _unreadable(name, f"its command cannot be run: {error.strerror}") from None
    try:
        output = await asyncio.wait_for(_read_all(process), COMMAND_LIMIT)
    except TimeoutError:
        raise _unreadable(name, f"its command did not end within {COMMAND_LIMIT:.0f} s") from None
    finally:
        await _end(process)
    if output is None:
        raise _unreadable(name, f"its command wrote more than {_OUTPUT_LIMIT} bytes")
    if process.returncode:
        raise _unreadable(name, f"its command ended with status {process.returncode}")
    value = output.decode("utf-8", errors="replace").partition("\n")[0].rstrip("\r")
    if not value:
        raise _unreadable(name, "its command wrote nothing")
    return value


async def _start(argv: list[str]) -> asyncio.subprocess.Process:
    """Start a command in a session of its own. Cancelled half-way, it is ended first: asyncio itself would leak its pipe."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await _end(await starting)
        raise


async def _read_all(process: asyncio.subprocess.Process) -> bytes | None:
    """Read the output and wait for the end; None: too much of it."""
    assert process.stdout is not None  # noqa: S101 # asked for above
    output = b""
    while chunk := await process.stdout.read(4096):
        output += chunk
        if len(output) > _OUTPUT_LIMIT:
            return None
    await process.wait()
    return output


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs of the command's session, release its pipe, and wait for its end.

    The pipe is closed first: waiting for a process whose output nobody reads would never end.
    """
    assert process.stdout is not None  # noqa: S101 # asked for at the start
    if process.returncode is None or not process.stdout.at_eof():
        with contextlib.suppress(ProcessLookupError):  # it ended by itself a moment ago
            os.killpg(process.pid, signal.SIGKILL)
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined] # noqa: SLF001 # no public way
    transport.close()
    await process.wait()
