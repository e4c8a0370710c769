"""PostgreSQL through the real links: one SSH connection to a real sshd, and this machine itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.hosts.link import LinkError
from debugtui.hosts.local import LocalLink
from debugtui.hosts.ssh import SshLink
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import LinkState
from debugtui.sources.base import SourceError
from debugtui.sources.postgres.source import PostgresSource
from tests.services.postgres_server import PostgresServer, lock_chain, running_server
from tests.services.ssh_server import SshServer

pytestmark = pytest.mark.lab


async def no_password() -> str | None:
    return None


@asynccontextmanager
async def ssh_link(server: SshServer) -> AsyncIterator[SshLink]:
    link = SshLink("kvm-01", server.address, NobodyToAsk(), identity=server.key, known_hosts=server.known_hosts, ssh_config=())
    await link.start()
    try:
        assert (await link.wait_settled(15)).state is LinkState.UP
        yield link
    finally:
        await link.close()


async def healed(read: Callable[[], Awaitable[PostgresReading]], limit: float = 10) -> float:
    """Read until it works again; return how many seconds that took."""
    started = time.monotonic()
    async with asyncio.timeout(limit):
        while True:
            try:
                await read()
            except (SourceError, LinkError):
                await asyncio.sleep(0.1)
            else:
                return time.monotonic() - started


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_lock_chain_over_ssh(postgres_server: PostgresServer, ssh_server: SshServer, tcp: bool) -> None:
    dsn = postgres_server.tcp_dsn() if tcp else postgres_server.dsn()
    async with ssh_link(ssh_server) as link, lock_chain(postgres_server) as chain:
        source = PostgresSource(link, "coach", dsn, no_password)
        try:
            reading = await source.read(full=True)
        finally:
            await source.close()
    assert reading.locks[0].pid == chain.root
    assert reading.locks[0].waiters == 2
    assert reading.tables is not None


@pytest.mark.parametrize("local", [False, True])
async def test_a_server_that_stops_and_starts_again(make_ssh_server: Callable[..., SshServer], local: bool) -> None:
    with running_server() as server:
        async with ssh_link(make_ssh_server()) as remote:
            link = LocalLink("here") if local else remote
            source = PostgresSource(link, "coach", server.dsn(), no_password)

            async def read() -> PostgresReading:
                return await source.read(full=False)

            try:
                await read()
                server.stop()
                for _ in range(3):
                    with pytest.raises(SourceError) as caught:
                        await read()
                assert caught.value.problem.hint
                server.start()
                assert await healed(read) < 7
            finally:
                await source.close()
                await link.close()


async def test_the_connection_to_the_host_breaks(
    postgres_server: PostgresServer, make_ssh_server: Callable[..., SshServer]
) -> None:
    server = make_ssh_server()
    async with ssh_link(server) as link:
        source = PostgresSource(link, "coach", postgres_server.dsn(), no_password)

        async def read() -> PostgresReading:
            return await source.read(full=False)

        try:
            await read()
            server.kill_connections()
            with pytest.raises((SourceError, LinkError)):
                await read()
            assert await healed(read) < 10
        finally:
            await source.close()


async def test_no_such_socket_is_absent(ssh_server: SshServer) -> None:
    async with ssh_link(ssh_server) as link:
        source = PostgresSource(link, "coach", "postgresql://monitor@/coach?host=/nowhere", no_password)
        with pytest.raises(SourceError, match="no such socket") as caught:
            await source.read(full=False)
        assert caught.value.absent
        await source.close()
