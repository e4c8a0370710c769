"""The small parts of the PostgreSQL source that need no server."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

import asyncpg
import pytest

from debugtui.config.secrets import Secret, SecretError
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.passwords import FIRST_PAUSE, LONGEST_PAUSE, Passwords
from debugtui.sources.postgres import queries, slow_queries
from debugtui.sources.postgres.activity import QueryTexts
from debugtui.sources.postgres.bloat import bloat_bytes
from debugtui.sources.postgres.dsn import parse_dsn
from debugtui.sources.postgres.parts import REST, Parts
from debugtui.sources.postgres.problems import connect_problem, grant_hint, lost
from debugtui.sources.postgres.rates import Counters
from debugtui.sources.postgres.session import Session, codec_name
from debugtui.sources.postgres.slow import needs_index
from tests.unit.fakes import START, FakeClock

SESSION = cast("Session", type("Open", (), {"closed": False})())


# -- bloat


def test_bloat_of_a_table_without_air_is_nothing() -> None:
    # 8,192 - 24 bytes hold 226 rows of 4 + 24 + 8 bytes
    assert bloat_bytes(pages=100, tuples=22_600, width=4, columns=1, nulls=False, fillfactor=None) == 0
    assert bloat_bytes(pages=100, tuples=11_300, width=4, columns=1, nulls=False, fillfactor=None) == 50 * 8_192
    assert bloat_bytes(pages=100, tuples=11_300, width=4, columns=1, nulls=False, fillfactor=50) == 0


@pytest.mark.parametrize(
    ("pages", "tuples", "width", "expected"),
    [(100, 1_000, None, None), (100, -1, 8, None), (100, 0, 8, None), (9, 1, 8, 0), (1_000, 1, 50_000, 999 * 8_192)],
)
def test_bloat_at_the_edges(pages: int, tuples: float, width: float | None, expected: int | None) -> None:
    assert bloat_bytes(pages=pages, tuples=tuples, width=width, columns=3, nulls=True, fillfactor=None) == expected


def test_an_index_is_missing_only_where_many_rows_are_read_often() -> None:
    assert needs_index(live=100_000, scans=60, rows=6_000_000, index_scans=3)
    assert not needs_index(live=100_000, scans=49, rows=4_900_000, index_scans=0)
    assert not needs_index(live=9_999, scans=500, rows=5_000_000, index_scans=0)
    assert not needs_index(live=100_000, scans=60, rows=6_000, index_scans=0)
    assert not needs_index(live=100_000, scans=60, rows=6_000_000, index_scans=60)


# -- rates


def counters(seconds: float = 0, **changes: Any) -> dict[str, Any]:
    row = {"now": START + timedelta(seconds=seconds), "started_at": START, "stats_reset": None}
    return row | {"xact_commit": 100, "xact_rollback": 10, "blks_hit": 90, "blks_read": 10} | changes


def test_rates_need_two_polls() -> None:
    rates = Counters()
    assert rates.update(counters()).commits_s is None
    second = rates.update(counters(2, xact_commit=120, xact_rollback=11, blks_hit=189, blks_read=11))
    assert (second.commits_s, second.rollbacks_s, second.cache_hit_percent) == (10.0, 0.5, 99.0)


def test_the_hit_ratio_of_an_idle_database_is_the_last_one_known() -> None:
    rates = Counters()
    assert rates.update(counters()).cache_hit_percent == 90.0
    assert rates.update(counters(2)).cache_hit_percent == 90.0


@pytest.mark.parametrize(
    "change", [{"xact_commit": 5}, {"started_at": START + timedelta(seconds=1)}, {"stats_reset": START}, {"blks_hit": 0}]
)
def test_a_restart_or_reset_gives_no_rate(change: dict[str, Any]) -> None:
    rates = Counters()
    rates.update(counters())
    assert rates.update(counters(2, **change)).commits_s is None
    assert rates.update(counters(4, **change)).commits_s == 0.0


def test_no_statistics_at_all() -> None:
    assert Counters().update(counters(xact_commit=None)).cache_hit_percent is None


# -- optional parts


async def test_a_part_that_is_not_allowed_rests_for_ten_minutes() -> None:
    clock, calls = FakeClock(), 0
    parts = Parts(clock)

    async def ask() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise asyncpg.InsufficientPrivilegeError("permission denied for view x")
        return "value"

    async def read() -> Any:
        return await parts.read("x", SESSION, ask, 5, "monitor")

    assert await read() is None
    assert [(gap.feature, gap.problem.hint) for gap in parts.gaps] == [("x", "GRANT pg_monitor TO monitor;")]
    clock.move(REST - 1)
    assert await read() is None
    assert calls == 1
    clock.move(2)
    assert await read() == "value"
    assert parts.gaps == ()


async def test_a_lock_is_a_passing_obstacle_and_the_last_value_is_kept() -> None:
    parts, answers = Parts(FakeClock()), iter(["old", asyncpg.LockNotAvailableError("lock timeout"), "new"])

    async def ask() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    found = [await parts.read("x", SESSION, ask, 5, "m")]
    found.append(await parts.read("x", SESSION, ask, 5, "m"))
    assert parts.gaps[0].problem.says == "a table is locked"
    found.append(await parts.read("x", SESSION, ask, 5, "m"))
    assert found == ["old", "old", "new"]


async def test_the_end_of_the_session_is_no_matter_of_one_part() -> None:
    async def ask() -> str:
        raise asyncpg.AdminShutdownError("terminating connection")

    with pytest.raises(asyncpg.AdminShutdownError):
        await Parts(FakeClock()).read("x", SESSION, ask, 5, "m")


# -- the password


async def test_the_password_is_asked_for_once_and_kept() -> None:
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        return "secret"

    passwords = Passwords("", ask, FakeClock())
    assert passwords.known == ""
    assert await passwords.wanted("m") == "secret"
    passwords.right()
    assert passwords.known == "secret"
    assert asked == 1


async def test_a_wrong_password_is_forgotten_and_not_tried_again_at_once() -> None:
    clock = FakeClock()

    async def ask() -> str:
        return "wrong"

    passwords = Passwords("", ask, clock)
    await passwords.wanted("m")
    assert "wrong password" in passwords.wrong("no").problem.says
    assert passwords.known == ""
    with pytest.raises(SourceError, match="wrong password"):
        passwords.check_pause()
    clock.move(FIRST_PAUSE)
    passwords.check_pause()
    assert f"in {2 * FIRST_PAUSE:.0f} s" in passwords.wrong("no").problem.hint
    passwords.retry_now()
    passwords.check_pause()


async def test_nobody_answers() -> None:
    clock = FakeClock()

    async def ask() -> None:
        return None

    passwords = Passwords("", ask, clock)
    with pytest.raises(SourceError, match="none was given"):
        await passwords.wanted("m")
    clock.move(LONGEST_PAUSE - 1)
    with pytest.raises(SourceError, match="none was given"):
        passwords.check_pause()


async def test_a_secret_that_cannot_be_read() -> None:
    clock, asked = FakeClock(), 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        raise SecretError(Problem("unreadable secret: x", "the environment variable X is not set"))

    passwords = Passwords("", ask, clock)
    with pytest.raises(SourceError, match="X is not set"):
        await passwords.wanted("m")
    with pytest.raises(SourceError, match="X is not set"):
        passwords.check_pause()
    clock.move(FIRST_PAUSE)
    passwords.check_pause()
    with pytest.raises(SourceError, match="X is not set"):
        await passwords.wanted("m")
    assert asked == 2


async def test_a_masked_kind_of_text_becomes_plain_for_the_library() -> None:
    async def ask() -> str:
        return Secret("hunter2")

    passwords = Passwords("", ask, FakeClock())
    assert type(await passwords.wanted("m")) is str
    assert passwords.known == "hunter2"


async def test_a_question_outlives_who_waits_for_it() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asked = 0

    async def ask() -> str:
        nonlocal asked
        asked += 1
        return await answer

    passwords = Passwords("", ask, FakeClock())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await passwords.wanted("m")
    answer.set_result("late")
    assert await passwords.wanted("m") == "late"
    assert asked == 1
    await passwords.close()


async def test_closing_withdraws_the_question() -> None:
    passwords = Passwords("", lambda: asyncio.Event().wait(), FakeClock())  # type: ignore[arg-type, return-value]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await passwords.wanted("m")
    await passwords.close()
    assert len(asyncio.all_tasks()) == 1


# -- words


def test_query_texts_are_cleaned_once_and_say_what_is_missing() -> None:
    decoded: list[bytes] = []

    def decode(data: bytes) -> str:
        decoded.append(data)
        return data.decode("utf-8", "replace")

    texts = QueryTexts(decode)
    assert texts(b"select '\x1b[31mred\xe9'", 18) == "select 'red\ufffd'"
    texts.turn()
    assert texts(b"select '\x1b[31mred\xe9'", 18) == "select 'red\ufffd'"
    assert len(decoded) == 1
    assert texts(b"abc", 10) == "abc… (+7 bytes)"
    assert texts(None, None) == ""
    texts.turn()
    texts.turn()
    texts(b"abc", 3)
    assert len(decoded) == 3


def test_grant_hint_quotes_what_needs_it() -> None:
    assert grant_hint("monitor") == "GRANT pg_monitor TO monitor;"
    assert grant_hint('Mon"itor') == 'GRANT pg_monitor TO "Mon""itor";'


@pytest.mark.parametrize(
    ("error", "dsn", "says", "hint"),
    [
        (FileNotFoundError(), "user=m host=/run", "no socket /run/.s.PGSQL.5432", "unix_socket_directories"),
        (PermissionError(), "user=m host=/run", "permission denied", "login user"),
        (ConnectionRefusedError(), "user=m host=db", "nothing listens on db:5432", "running"),
        (TimeoutError(), "user=m host=db", "no answer from db:5432 within 5 s", "firewall"),
        (ConnectionResetError(), "user=m host=db", "closed the connection", "no server behind it"),
        (OSError("no route"), "user=m host=db", "no route", ""),
        (asyncpg.InterfaceError("gibberish"), "user=m host=db", "not answer like PostgreSQL", "host and port"),
        (asyncpg.TooManyConnectionsError("sorry, too many clients"), "user=m host=db", "db:5432: sorry, too many", "end idle"),
        (
            asyncpg.TooManyConnectionsError('too many connections for role "m"'),
            "user=m host=db",
            "too many",
            "end idle sessions",
        ),
        (
            asyncpg.CannotConnectNowError("the database system is starting up"),
            "user=m host=/run",
            ".PGSQL.5432: the database system is starting up",
            "tried again",
        ),
        (
            asyncpg.InvalidCatalogNameError('database "x" does not exist'),
            "user=m host=db dbname=x",
            "exist",
            "create the database x",
        ),
        (
            asyncpg.InvalidAuthorizationSpecificationError('no pg_hba.conf entry for host "::1", no encryption'),
            "user=m host=db",
            "pg_hba",
            "sslmode=require",
        ),
        (asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry"), "user=m host=/run", "pg_hba", "local m m"),
        (asyncpg.InvalidAuthorizationSpecificationError("Peer authentication failed"), "user=m host=/run", "Peer", "pg_ident"),
    ],
)
def test_every_refusal_says_what_to_do(error: BaseException, dsn: str, says: str, hint: str) -> None:
    found = connect_problem(error, parse_dsn(dsn), 5.0)
    assert says in found.problem.says
    assert hint in found.problem.hint
    assert found.absent == isinstance(error, FileNotFoundError)


def test_a_lost_session_is_told_in_plain_words() -> None:
    assert "was lost" in lost(asyncpg.ConnectionDoesNotExistError("x")).problem.says
    assert "does not answer" in lost(TimeoutError()).problem.says
    assert "stops or restarts" in lost(asyncpg.AdminShutdownError("terminating")).problem.hint


@pytest.mark.parametrize(
    ("server", "codec"),
    [
        ("UTF8", "utf-8"),
        ("SQL_ASCII", "utf-8"),
        ("LATIN1", "iso8859-1"),
        ("WIN1252", "cp1252"),
        ("EUC_JP", "euc_jp"),
        ("MULE_INTERNAL", "latin-1"),
    ],
)
def test_encodings(server: str, codec: str) -> None:
    assert codec_name(server) == codec


# -- statements by version


def test_each_version_is_asked_only_for_what_it_has() -> None:
    assert "leader_pid" not in queries.sessions(120_000)
    assert "leader_pid" in queries.sessions(130_000)
    assert "leader_pid" not in queries.waits(120_000)
    assert "leader_pid" in queries.waits(130_000)
    assert "waitstart" not in queries.waits(130_000)
    assert "waitstart" in queries.waits(140_000)
    assert "'reserved_connections'" not in queries.server(150_000)
    assert "'reserved_connections'" in queries.server(160_000)
    assert "wal_status::text" not in slow_queries.slots(120_000)
    assert " total_time" in slow_queries.statements("public", (1, 7))
    assert "total_exec_time" in slow_queries.statements("public", (1, 10))


def test_statements_are_ascii() -> None:
    """They are sent before it is known which encoding the server has."""
    for version in (100_000, 150_000, 180_000):
        for text in (queries.server(version), queries.sessions(version), queries.waits(version), slow_queries.slots(version)):
            assert text.isascii()
