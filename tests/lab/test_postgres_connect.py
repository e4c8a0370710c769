"""Reaching PostgreSQL: passwords, TLS, poolers, faults, and what each failure says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from debugtui.hosts.link import Endpoint, LinkError, NoSuchSocketError
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.postgres import session
from debugtui.sources.postgres.source import PostgresSource
from tests.services.postgres_relay import (
    PathLink,
    answering,
    error_response,
    forward,
    listening,
    old_server,
    refuse_parameters,
    silent,
    swallow_parameters,
)
from tests.services.postgres_server import (
    MONITOR,
    SCRAM_PASSWORD,
    SCRAM_USER,
    SUPERUSER,
    PostgresServer,
    lock_chain,
    running_server,
)
from tests.unit.fakes import FakeClock

pytestmark = pytest.mark.lab

Password = Callable[[], Awaitable[str | None]]


async def no_password() -> str | None:
    return None


@asynccontextmanager
async def source_of(
    dsn: str, link: PathLink | None = None, password: Password = no_password, clock: FakeClock | None = None
) -> AsyncIterator[PostgresSource]:
    source = PostgresSource(link or PathLink(), "coach", dsn, password, clock=clock)
    try:
        yield source
    finally:
        await source.close()
        await source.close()


async def problem_of(source: PostgresSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await source.read(full=False)
    assert "\n" not in caught.value.problem.says
    return caught.value


async def sessions_of_ours(server: PostgresServer) -> int:
    watcher = await server.connect()
    try:
        return await watcher.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'debugtui'")
    finally:
        await watcher.close()


# -- the session


async def test_the_session_is_read_only_limited_and_the_only_one(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server.dsn()) as source:
        for _ in range(3):
            await source.read(full=False)
        assert await sessions_of_ours(postgres_server) == 1
        assert source._session is not None
        names = ["application_name", *session.LIMITS, "jit", "client_connection_check_interval"]
        rows = await source._session.fetch("SELECT name::text, setting::text FROM pg_settings WHERE name = ANY($1)", names)
        found = {row["name"]: row["setting"] for row in rows}
        assert found == {
            "application_name": "debugtui",
            "default_transaction_read_only": "on",
            "statement_timeout": "5000",
            "lock_timeout": "1000",
            "idle_in_transaction_session_timeout": "10007",
            "search_path": "pg_catalog",
            "jit": "off",
            "client_connection_check_interval": "2000",
        }
    assert await sessions_of_ours(postgres_server) == 0


async def test_through_a_forward_with_any_name(postgres_server: PostgresServer) -> None:
    async with (
        listening(forward(postgres_server.socket_path)) as path,
        source_of(postgres_server.dsn(), PathLink(path)) as source,
    ):
        assert (await source.read(full=False)).database == "coach"


@pytest.mark.parametrize("forwarded", [False, True])
async def test_over_tcp(postgres_server: PostgresServer, forwarded: bool) -> None:
    async with listening(forward(("127.0.0.1", postgres_server.port))) as path:
        link = PathLink(path if forwarded else "")
        async with source_of(postgres_server.tcp_dsn(), link) as source:
            assert (await source.read(full=False)).role == "monitor"


async def test_the_operators_own_settings_are_for_other_servers(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "nowhere",
        "PGUSER": "x",
        "PGDATABASE": "x",
        "PGPASSWORD": "x",
        "PGSSLMODE": "require",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    async with source_of(postgres_server.dsn()) as source:
        assert (await source.read(full=False)).role == "monitor"


# -- passwords


class Answers:
    """Gives one answer after the other, and counts."""

    def __init__(self, *answers: str | None) -> None:
        self.left = list(answers)
        self.asked = 0

    async def __call__(self) -> str | None:
        self.asked += 1
        return self.left.pop(0)


async def test_a_password_is_asked_for_once_and_only_when_wanted(postgres_server: PostgresServer) -> None:
    answers = Answers(SCRAM_PASSWORD)
    async with source_of(postgres_server.dsn(SCRAM_USER), password=answers) as source:
        await source.read(full=False)
        source._drop()
        assert (await source.read(full=False)).role == SCRAM_USER
        assert answers.asked == 1
    async with source_of(postgres_server.dsn(), password=answers) as source:
        await source.read(full=False)
    async with source_of(postgres_server.dsn(SCRAM_USER, password=SCRAM_PASSWORD), password=answers) as source:
        await source.read(full=False)
    assert answers.asked == 1


async def test_a_wrong_password_is_said_forgotten_and_not_hammered(postgres_server: PostgresServer) -> None:
    clock, answers = FakeClock(), Answers("wrong", SCRAM_PASSWORD)
    async with source_of(postgres_server.dsn(SCRAM_USER), password=answers, clock=clock) as source:
        assert "wrong password" in (await problem_of(source)).problem.says
        failures = postgres_server.log.count(f'authentication failed for user "{SCRAM_USER}"')
        for _ in range(5):
            assert "wrong password" in (await problem_of(source)).problem.says
        assert postgres_server.log.count(f'authentication failed for user "{SCRAM_USER}"') == failures
        assert answers.asked == 1
        source.retry_now()
        assert (await source.read(full=False)).role == SCRAM_USER
        assert answers.asked == 2


async def test_no_password_to_be_had(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server.dsn(SCRAM_USER)) as source:
        error = await problem_of(source)
        assert "wants a password" in error.problem.says
        assert "password = {env" in error.problem.hint


async def test_a_pooler_that_calls_a_wrong_password_a_protocol_violation() -> None:
    answers = Answers("wrong")
    refusal = answering(error_response("08P01", "SASL authentication failed"))
    async with listening(refusal) as path, source_of("postgresql://m@db/d?sslmode=disable", PathLink(path), answers) as source:
        assert "wrong password: SASL authentication failed" in (await problem_of(source)).problem.says
        await problem_of(source)
    assert answers.asked == 1


# -- TLS


def make_certificate(directory: Path, owner: int | None) -> Path:
    """A self-signed certificate for db.example.org, and its key, where the server looks for them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db.example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("db.example.org")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = directory / "server.key"
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    secret.chmod(0o600)
    if owner is not None:
        os.chown(secret, owner, -1)
    return path


@pytest.fixture(scope="module")
def tls_server() -> Iterator[PostgresServer]:
    with running_server(hba=["hostssl all monitor 127.0.0.1/32 trust", "hostnossl all monitor 127.0.0.1/32 reject"]) as server:
        server.stop()
        make_certificate(server.data, server.data.stat().st_uid)
        with (server.data / "postgresql.conf").open("a") as conf:
            conf.write("ssl = on\n")
        server.start()
        yield server


@pytest.mark.parametrize("forwarded", [False, True])
@pytest.mark.parametrize(
    ("mode", "host", "works"),
    [
        ("prefer", "127.0.0.1", True),
        ("require", "127.0.0.1", True),
        ("verify-ca", "127.0.0.1", True),
        ("verify-full", "db.example.org", True),
        ("verify-full", "other.example.org", False),
        ("disable", "127.0.0.1", False),
    ],
)
async def test_tls_ends_at_the_server_even_through_a_forward(
    tls_server: PostgresServer, mode: str, host: str, works: bool, forwarded: bool
) -> None:
    root = f"&sslrootcert={tls_server.data / 'server.crt'}" if mode.startswith("verify") else ""
    dsn = f"postgresql://monitor@{host}:{tls_server.port}/coach?sslmode={mode}{root}"

    class Link(PathLink):
        async def reach_tcp(self, host: str, port: int) -> Endpoint:
            return await super().reach_tcp("127.0.0.1", port)  # the name resolves on the host only

    async with (
        listening(forward(("127.0.0.1", tls_server.port))) as path,
        source_of(dsn, Link(path if forwarded else "")) as source,
    ):
        if works:
            await source.read(full=False)
            assert source._session is not None
            rows = await source._session.fetch("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            assert rows[0]["ssl"]
        elif mode == "disable":
            assert "sslmode=require" in (await problem_of(source)).problem.hint
        else:
            assert "TLS failed" in (await problem_of(source)).problem.says


async def test_tls_is_wanted_and_not_offered(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server.tcp_dsn(sslmode="require")) as source:
        assert (await problem_of(source)).problem.says == "the server offers no TLS"


async def test_a_certificate_file_that_is_not_there(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server.tcp_dsn(sslmode="verify-ca", sslrootcert="/nowhere/root.crt")) as source:
        assert "root.crt" in str((await problem_of(source)).problem)


# -- poolers


@pytest.mark.parametrize("rewrite", [refuse_parameters, swallow_parameters])
async def test_through_a_pooler_nothing_is_set_for_the_session(
    postgres_server: PostgresServer, rewrite: Callable[[bytes], bytes | None]
) -> None:
    async with (
        lock_chain(postgres_server) as chain,
        listening(forward(postgres_server.socket_path, rewrite=rewrite)) as path,
        source_of(postgres_server.dsn(), PathLink(path)) as source,
    ):
        for _ in range(2):
            reading = await source.read(full=True)
        assert reading.locks[0].pid == chain.root
        assert reading.tables is not None
        gap = next(gap for gap in reading.gaps if gap.feature == "pooler")
        assert "socket or port" in gap.problem.hint
        assert source._session is not None
        inside = await source._session.fetch(
            "SELECT current_setting('statement_timeout')::text, current_setting('transaction_read_only')::text"
        )
        assert tuple(inside[0]) == ("5s", "on")
        outside = await source._session._connection.fetchrow(
            "SELECT current_setting('statement_timeout')::text, current_setting('default_transaction_read_only')::text,"
            " count(*)::int FROM pg_prepared_statements WHERE name <> ''"
        )
        assert outside is not None
        assert tuple(outside) == ("0", "off", 0)


async def test_a_pooler_is_noticed_where_the_role_has_the_very_limits_that_we_would_ask_for() -> None:
    with running_server() as server:
        admin = await server.connect(user=SUPERUSER)
        for name, value in (
            ("idle_in_transaction_session_timeout", "10s"),
            ("lock_timeout", "1s"),
            ("search_path", "pg_catalog"),
        ):
            await admin.execute(f"ALTER ROLE {MONITOR} SET {name} = '{value}'")
        await admin.close()
        async with (
            listening(forward(server.socket_path, rewrite=swallow_parameters)) as path,
            source_of(server.dsn(), PathLink(path)) as source,
        ):
            reading = await source.read(full=True)
            assert any(gap.feature == "pooler" for gap in reading.gaps)
            assert source._session is not None
            left = await source._session._connection.fetchval("SELECT current_setting('default_transaction_read_only')::text")
            assert left == "off", "an application would get this connection next"


# -- faults


async def test_no_socket_means_absent(postgres_server: PostgresServer) -> None:
    async with source_of("postgresql://monitor@/coach?host=/nowhere") as source:
        error = await problem_of(source)
        assert error.absent
        assert error.problem.says == "no socket /nowhere/.s.PGSQL.5432"


async def test_a_forward_that_leads_nowhere() -> None:
    missing = Path("/nowhere/.s.PGSQL.5432")
    async with listening(forward(missing)) as path, source_of("postgresql://m@/d?host=/nowhere", PathLink(path)) as source:
        error = await problem_of(source)
        assert not error.absent
        assert "no server behind it" in error.problem.hint


async def test_nothing_listens() -> None:
    async with source_of("postgresql://monitor@127.0.0.1:1/coach") as source:
        error = await problem_of(source)
        assert not error.absent
        assert error.problem.says == "nothing listens on 127.0.0.1:1"


@pytest.mark.parametrize(
    ("user", "database", "says", "hint"),
    [
        ("ghost", "coach", 'role "ghost" does not exist', "CREATE ROLE ghost LOGIN"),
        ("monitor", "ghost", 'database "ghost" does not exist', "create the database ghost"),
    ],
)
async def test_the_role_or_the_database_is_missing(
    postgres_server: PostgresServer, user: str, database: str, says: str, hint: str
) -> None:
    async with source_of(postgres_server.dsn(user, database)) as source:
        error = await problem_of(source)
        assert says in error.problem.says
        assert hint in error.problem.hint


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        (error_response("57P03", "the database system is starting up"), "starting up", "tried again"),
        (error_response("57P03", "the database system is shutting down"), "shutting down", "tried again"),
        (error_response("28000", 'no pg_hba.conf entry for host "[local]"'), "no pg_hba.conf entry", "host d m"),
        (
            error_response("42501", 'permission denied for database "d"'),
            "permission denied",
            "GRANT CONNECT ON DATABASE d TO m;",
        ),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "", "not a PostgreSQL"),
        (b"\x4a\0\0\0\x0a5.5.5-10.11.6-MariaDB\0", "", "not a PostgreSQL"),
        (b"", "closed the connection", "not a PostgreSQL"),
        (old_server("9.6.24"), "PostgreSQL 9.6 is too old", "10 and newer"),
    ],
)
async def test_what_else_may_answer(answer: bytes, says: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 0.5)
    async with listening(answering(answer)) as path, source_of("postgresql://m@db/d?sslmode=disable", PathLink(path)) as source:
        error = await problem_of(source)
        assert says in error.problem.says
        assert hint in str(error.problem)


async def test_something_else_that_is_asked_for_tls_first() -> None:
    async with listening(answering(b"HTTP/1.1 400")) as path, source_of("postgresql://m@db/d", PathLink(path)) as source:
        assert "does not answer like PostgreSQL" in (await problem_of(source)).problem.says


async def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 0.3)
    async with listening(silent) as path, source_of("postgresql://m@db/d", PathLink(path)) as source:
        assert "no answer" in (await problem_of(source)).problem.says


async def test_all_connections_are_taken() -> None:
    with running_server(settings={"max_connections": "8", "superuser_reserved_connections": "2"}) as server:
        held = [await server.connect(user="app") for _ in range(6)]
        try:
            async with source_of(server.dsn()) as source:
                error = await problem_of(source)
                assert "remaining connection slots" in error.problem.says
                assert "end idle sessions" in error.problem.hint
                await held.pop().close()
                await asyncio.sleep(0.1)
                reading = await source.read(full=False)
                assert (reading.connections, reading.max_connections, reading.reserved_connections) == (6, 8, 2)
        finally:
            for connection in held:
                await connection.close()


async def test_a_restart_and_a_crash_heal_by_themselves() -> None:
    with running_server() as server:
        async with source_of(server.dsn()) as source:
            first = await source.read(full=False)
            server.restart()
            error = await problem_of(source)
            assert "tried again" in error.problem.hint
            second = await source.read(full=False)
            assert first.started_at is not None
            assert second.started_at is not None
            assert second.started_at > first.started_at
            assert second.commits_s is None
            server.crash()
            await problem_of(source)
            assert "nothing listens" in (await problem_of(source)).problem.says
            server.start()
            assert (await source.read(full=False)).database == "coach"


async def test_a_server_that_hangs_is_dropped_and_found_again(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "QUERY_TIMEOUT", 0.4)
    async with source_of(postgres_server.dsn()) as source:
        await source.read(full=False)
        assert source._session is not None
        backend = source._session._connection.get_server_pid()
        os.kill(backend, signal.SIGSTOP)
        try:
            assert "does not answer" in (await problem_of(source)).problem.says
        finally:
            os.kill(backend, signal.SIGCONT)
        assert (await source.read(full=False)).database == "coach"


async def test_a_read_that_is_cancelled_leaves_nothing_behind(postgres_server: PostgresServer) -> None:
    async with source_of(postgres_server.dsn()) as source:
        await source.read(full=False)
        for delay in (0.0, 0.001, 0.003, 0.006):
            task = asyncio.create_task(source.read(full=True))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert (await source.read(full=True)).tables is not None
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_links_own_failure_passes_through(postgres_server: PostgresServer) -> None:
    link = PathLink()
    async with source_of(postgres_server.dsn(), link) as source:
        link.break_()
        with pytest.raises(LinkError, match="the link is down"):
            await source.read(full=False)
        link.mend()
        assert (await source.read(full=False)).database == "coach"


@pytest.mark.parametrize(("kind", "absent"), [(LinkError, False), (NoSuchSocketError, True)])
async def test_what_the_link_cannot_reach_while_it_lives_is_the_services_matter(kind: type[LinkError], absent: bool) -> None:
    class Link(PathLink):
        async def reach_unix(self, path: str) -> Endpoint:
            raise kind(Problem("cannot be reached"))

    async with source_of("postgresql://m@/d?host=/run", Link()) as source:
        error = await problem_of(source)
        assert error.absent == absent
        assert error.problem.says == "cannot be reached"


async def test_a_dsn_that_is_not_understood() -> None:
    async with source_of("postgresql:///coach") as source:
        assert "names no user" in (await problem_of(source)).problem.hint


def test_the_server_is_not_run_by_root(postgres_server: PostgresServer) -> None:
    done = subprocess.run(["ps", "-o", "user=", "-p", str(postgres_server.pid)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() != "root"
