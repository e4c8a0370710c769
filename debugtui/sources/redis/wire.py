"""One connection to Redis: commands that only read, in pipelines, each with its own answer or refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, UnixDomainSocketConnection
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from debugtui.hosts.link import Endpoint, Link
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError

#: Seconds for one answer. A Redis that takes longer is stuck in a slow command, or thrashes.
LIMIT_S = 4.0

#: Every command that is ever sent, with its subcommand. None of them writes, blocks, or goes through all keys at once.
COMMANDS = frozenset(
    ("ping", "info", "type", "llen", "xlen", "zcard", "scard", "scan", "xpending", "xinfo|groups", "config|get")
)

#: A command: its name, then its arguments.
Command = tuple[str | bytes | int, ...]


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is, as seen from its host: a socket's `path`, or `host` and `port`; and which of its databases."""

    path: str = ""
    host: str = ""
    port: int = 6379
    database: int = 0

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def parse_url(url: str) -> RedisAddress:
    """Read an address; the configuration has checked its form."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        query = dict(parse_qsl(parts.query))
        return RedisAddress(path=parts.path, database=int(query.get("db", "0")))
    return RedisAddress(host=parts.hostname or "", port=parts.port or 6379, database=int(parts.path.strip("/") or "0"))


async def reach(link: Link, address: RedisAddress) -> Endpoint:
    """Return where to connect to, through the host's link.

    Raises:
        LinkError: the link is not up, or nothing listens there.
    """
    if address.path:
        return await link.reach_unix(address.path)
    return await link.reach_tcp(address.host, address.port)


class Wire:
    """One connection. Dropped after any failure that is not a refusal of one command."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, endpoint: Endpoint, address: RedisAddress, user: str | None, password: str | None) -> Wire:
        """Connect, and log in where there is a password.

        Raises:
            RedisError: refused, or no Redis.
        """
        options: dict[str, Any] = {
            "db": address.database,
            "username": user,
            "password": password,
            "socket_timeout": LIMIT_S,
            "socket_connect_timeout": LIMIT_S,
        }
        connection: AbstractConnection
        if endpoint.path:
            connection = UnixDomainSocketConnection(path=endpoint.path, **options)
        else:
            connection = Connection(host=endpoint.host, port=endpoint.port, **options)
        try:
            await connection.connect()  # type: ignore[no-untyped-call] # of redis
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection)

    async def ask(self, *command: str | bytes | int) -> Any:
        """Return the answer to one command, as bytes, numbers and lists of them.

        Raises:
            ResponseError: the server refuses it.
            RedisError: no answer.
        """
        (answer,) = await self.ask_all([command])
        if isinstance(answer, ResponseError):
            raise answer
        return answer

    async def ask_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to several commands, sent together; one that is refused has its `ResponseError` as its answer.

        Raises:
            RedisError: no answer.
        """
        if not commands:
            return []
        _check(commands)
        await self._connection.send_packed_command(self._connection.pack_commands([_words(one) for one in commands]))
        answers: list[Any] = []
        for _ in commands:
            try:
                answers.append(await self._connection.read_response())
            except ResponseError as error:
                answers.append(error)
        return answers

    async def close(self) -> None:
        """End it. Safe to call twice."""
        await self._connection.disconnect(nowait=True)


def _words(command: Command) -> list[str | bytes | int]:
    """The protocol's words: `xinfo|groups` is two of them."""
    name = command[0]
    assert isinstance(name, str)  # noqa: S101 - the type says it, but for the first word
    return [*name.upper().split("|"), *command[1:]]


def _check(commands: Sequence[Command]) -> None:
    for command in commands:
        if command[0] not in COMMANDS:
            raise ValueError(f"{command[0]!r} is not among the commands that only read")


def refusal(error: ResponseError) -> Problem:
    """Return why one command was refused, and how to mend it."""
    says = line(str(error), 300)
    for kind, word, hint in (
        (NoPermissionError, "NOPERM", "give the user what it only reads with: docs/queues.md has the ACL"),
        (MasterDownError, "MASTERDOWN", "the replica does not answer while its primary is away (replica-serve-stale-data no)"),
        (MovedError, "MOVED", "another node of the cluster holds this key: watch that one for it"),
    ):
        if isinstance(error, kind):
            return Problem(f"{word} {says}", hint)
    for sign, hint in (
        ("MISCONF", "mend the disk that its snapshots go to: its log says what failed"),
        ("BUSY", "a script runs for long; on the host: redis-cli SCRIPT KILL (refused once it wrote something)"),
        ("unknown command", "the command is renamed there, or the server is older than Redis 5"),
    ):
        if says.startswith(sign):
            return Problem(says, hint)
    return Problem(says)


def failure(error: RedisError, where: str) -> SourceError:
    """Return why Redis could not be read at all."""
    says = line(str(error), 300)
    lower = says.lower()
    if isinstance(error, BusyLoadingError):
        return SourceError(Problem(f"{where} reads its data from the disk", "it is tried again"))
    if isinstance(error, RedisTimeoutError):
        hint = "it is stuck in a slow command, swaps, or the way to it is blocked: redis-cli SLOWLOG GET on the host"
        return SourceError(Problem(f"{where} does not answer within {LIMIT_S:.0f} s", hint))
    if "protected mode" in lower:
        return SourceError(Problem(f"{where} is in protected mode", "it takes local connections only, until a password is set"))
    if "max number of clients" in lower:
        return SourceError(Problem(f"{where}: {says}", "connections leak, or maxclients is too small"))
    if isinstance(error, AuthenticationError) and "without any password" in lower:
        return SourceError(Problem(f"{where} has no password, and the configuration has one", "remove password there"))
    if isinstance(error, AuthenticationError):
        hint = 'password = {env = "NAME"} in [[hosts.redis]], and user where it is not the default user'
        return SourceError(Problem(f"{where} wants a password: {says}", hint))
    if isinstance(error, ResponseError):
        problem = refusal(error)
        return SourceError(Problem(f"{where}: {problem.says}", problem.hint))
    if isinstance(error, RedisConnectionError) and any(word in lower for word in ("closed", "lost", "reset", "broken pipe")):
        # Redis ends a connection that is one too many without waiting for a word, and its reason may get lost with it.
        hint = "it restarted, or takes no more connections (maxclients); it is tried again"
        return SourceError(Problem(f"{where} ended the connection", hint))
    return SourceError(Problem(f"{where} does not answer like Redis: {says}", "check the address in url"))


def wants_password(error: RedisError) -> bool:
    """Whether a right password would mend it: none was given, or a wrong one."""
    return isinstance(error, AuthenticationError)
