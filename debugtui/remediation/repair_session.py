"""Opens the connection of one repairing step."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import asyncpg

from debugtui.config.redaction import register
from debugtui.hosts.link import Link
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.postgres.dial import detour, tls
from debugtui.sources.postgres.dsn import DsnError, parse_dsn
from debugtui.sources.postgres.problems import connect_problem

CONNECT_LIMIT = 8.0

_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError, UnicodeError)


async def open_repair(
    link: Link, dsn: str, password: str | None, mark: str, settings: Mapping[str, str]
) -> asyncpg.Connection[Any]:
    """Return a connection in autocommit whose `application_name` is `mark`.

    Raises:
        SourceError: it cannot be made.
        LinkError: the link is not up.
    """
    try:
        address = parse_dsn(dsn)
    except DsnError as error:
        raise SourceError(Problem("the repair_dsn cannot be used", str(error))) from None
    secret = "".join(password or address.password)
    if secret:
        register(secret)
    if address.socket_dir:
        endpoint = await link.reach_unix(address.socket_path)
    else:
        endpoint = await link.reach_tcp(address.host, address.port)
    options: dict[str, Any] = {
        "host": address.socket_dir or address.host,
        "port": address.port,
        "user": address.user,
        "database": address.database,
        "password": secret,  # never None: the operator's own PGPASSWORD and ~/.pgpass are for other servers
        "ssl": tls(address),
        "direct_tls": False,
        "target_session_attrs": "any",
        "timeout": CONNECT_LIMIT,
        "statement_cache_size": 0,
        "server_settings": {"application_name": mark},
        "loop": detour(endpoint),
    }
    try:
        connection: asyncpg.Connection[Any] = await asyncpg.connect(**options)
    except _LOST as error:
        raise connect_problem(error, address, CONNECT_LIMIT) from error
    try:
        await _prepare(connection, settings)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _prepare(connection: asyncpg.Connection[Any], settings: Mapping[str, str]) -> None:
    if connection.get_server_version().major >= 14:
        # Not every platform can watch a socket; the statement's own time limit remains.
        with contextlib.suppress(asyncpg.InvalidParameterValueError):
            await connection.execute("SET client_connection_check_interval = '2s'", timeout=CONNECT_LIMIT)
    for name, value in settings.items():
        await connection.execute("SELECT pg_catalog.set_config($1, $2, false)", name, value, timeout=CONNECT_LIMIT)
