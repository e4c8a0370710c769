"""What a migration's text says: splitting, judging, what is made; and what the linter adds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.remediation.catalogue.postgres.sql_review import Kind, Made, Statement, review
from debugtui.remediation.catalogue.postgres.squawk import LintError, lint
from debugtui.sources.postgres.sql_text import SqlTextError


def texts(sql: str) -> list[str]:
    return [statement.text for statement in review(sql)[0]]


def one(sql: str) -> Statement:
    (statement,) = review(sql)[0]
    return statement


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        ("INSERT INTO t VALUES ('a;b'); INSERT INTO t VALUES (2)", 2),
        ("COMMENT ON TABLE t IS $x$ ; drop table t; $x$;", 1),
        ("-- drop table t;\nANALYZE t; /* ; /* ; */ ; */", 1),
        ("INSERT INTO t VALUES (E'\\';'); ANALYZE t", 2),
        ('ALTER TABLE "a;b" ADD c int', 1),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; ANALYZE t", 2),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO (ANALYZE a; ANALYZE b)", 1),
        (";;ANALYZE t;;", 1),
    ],
)
def test_splitting(sql: str, count: int) -> None:
    assert len(texts(sql)) == count


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "-- nothing",
        "\\connect other",
        "COPY t FROM stdin",
        "ROLLBACK",
        "ANALYZE t; COMMIT; ANALYZE t",
        "SET search_path = x",
        "SET ROLE other",
        "INSERT INTO t VALUES ('open",
        "CREATE TABLE t (a int",
        "ANALYZE t; -- \u202e hidden",
        "CREATE INDEX CONCURRENTLY ON t (a)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
        "LOCK TABLE t",
        "ANALYZE t {# ; DROP TABLE t #}",
    ],
)
def test_what_cannot_be_sent(sql: str) -> None:
    with pytest.raises(SqlTextError):
        review(sql)


def test_the_frame_and_the_limits_are_ours() -> None:
    statements, left_out = review("BEGIN; SET LOCAL lock_timeout = '1h'; SET statement_timeout=0; ANALYZE t; COMMIT;")
    assert [statement.text for statement in statements] == ["ANALYZE t"]
    assert len(left_out) == 4


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE t",
        "drop table if exists t",
        "DROP DATABASE d",
        "DROP SCHEMA s",
        "DROP VIEW v CASCADE",
        "TRUNCATE t",
        "DELETE FROM t",
        "DELETE FROM t WHERE true",
        "DELETE FROM t WHERE 1 = 1",
        "UPDATE t SET a = 1",
        "WITH gone AS (DELETE FROM t RETURNING 1) SELECT * FROM gone",
        "WITH a AS (UPDATE t SET a = 1 RETURNING 1) INSERT INTO u SELECT 1 FROM a",
        "UPDATE t SET a = 1 /* WHERE id = 1 */",
        "UPDATE t SET a = 1 /*+ WHERE id = 1 */",
        "UPDATE t SET a = ' WHERE id = 1'",
        "VACUUM FULL t",
        "VACUUM (ANALYZE, FULL) t",
        "CLUSTER t",
        "ALTER TABLE t DROP COLUMN a",
        "ALTER TABLE t DROP a",
        "ALTER TABLE ONLY s.t ADD b int, DROP IF EXISTS a",
        "ALTER TABLE t DROP CONSTRAINT c CASCADE",
        "ALTER TABLE t SET UNLOGGED",
        "alter/**/table t /* x */ drop\n column a",
    ],
)
def test_destructive(sql: str) -> None:
    assert one(sql).kind is Kind.DESTRUCTIVE


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN DROP TABLE t; END $$",
        "CALL p()",
        "SELECT pg_terminate_backend(1)",
        "SELECT lo_unlink(1)",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "CREATE ROLE r SUPERUSER",
        "ALTER ROLE r SUPERUSER",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXECUTE x",
        "LISTEN x",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
    ],
)
def test_opaque(sql: str) -> None:
    assert one(sql).kind is Kind.OPAQUE


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("ALTER TABLE t ADD COLUMN a int", Kind.SCHEMA),
        ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL", Kind.SCHEMA),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES b (id) ON DELETE CASCADE NOT VALID", Kind.SCHEMA),
        ("DROP INDEX CONCURRENTLY i", Kind.SCHEMA),
        ("UPDATE t SET a = 1 WHERE id < 5", Kind.DATA),
        ("INSERT INTO t VALUES (1)", Kind.DATA),
        ("SELECT setval('s', 5)", Kind.DATA),
    ],
)
def test_ordinary(sql: str, kind: Kind) -> None:
    assert one(sql).kind is kind


def test_what_must_run_alone() -> None:
    alone = [statement.alone for statement in review("CREATE INDEX CONCURRENTLY i ON t (a); VACUUM t; ANALYZE t")[0]]
    assert alone == [True, True, False]


@pytest.mark.parametrize(
    ("sql", "makes"),
    [
        ("CREATE TABLE IF NOT EXISTS S.T (a int)", (Made("relation", "s", "t", if_missing=True),)),
        ('ALTER TABLE "T t" ADD a int, ADD COLUMN "B" text', (Made("column", "", "T t", "a"), Made("column", "", "T t", "B"))),
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", (Made("constraint", "", "t", "c"),)),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", (Made("validated", "", "t", "c"),)),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON s.t (a)", (Made("index", "s", "i"),)),
        ("DROP INDEX s.i", (Made("gone", "s", "i"),)),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", (Made("relation", "", "v", if_missing=True),)),
    ],
)
def test_what_is_made(sql: str, makes: tuple[Made, ...]) -> None:
    assert one(sql).makes == makes


@given(st.text(max_size=200))
def test_any_text_is_reviewed_or_refused(text: str) -> None:
    try:
        review(text)
    except SqlTextError:
        return


async def test_locks_and_findings() -> None:
    found = await lint(["ALTER TABLE t ADD a int", "CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY j ON t (a)"], 15)
    assert [lock.strong for lock in found.locks] == [True, True, False]
    assert found.locks[0].mode == "ACCESS EXCLUSIVE"
    assert [(each.statement, each.rule) for each in found.findings if each.long] == [(1, "require-concurrent-index-creation")]


async def test_a_comment_does_not_make_the_linter_look_away() -> None:
    statement = one(
        "-- squawk-ignore-file\n-- squawk-ignore require-concurrent-index-creation\nCREATE /* x */ INDEX i ON t (a)"
    )
    assert "squawk" not in statement.lint
    found = await lint([statement.lint], 15)
    assert any(each.long for each in found.findings)


async def test_no_sql_is_said() -> None:
    with pytest.raises(LintError, match="statement 1"):
        await lint(["ANALYZE t; selec"], 15)
