"""Statements of runbooks only read: what could do more, or be read in two ways, is refused with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.diagnosis.runbooks.sql import FUNCTIONS, NotReadingError, check_reading

HOSTILE = {
    "INSERT INTO t VALUES (1)": "SELECT, SHOW or EXPLAIN",
    "UPDATE t SET a = 1": "SELECT, SHOW or EXPLAIN",
    "DELETE FROM t": "SELECT, SHOW or EXPLAIN",
    "TRUNCATE t": "SELECT, SHOW or EXPLAIN",
    "DROP TABLE t": "SELECT, SHOW or EXPLAIN",
    "CREATE TABLE t AS SELECT 1": "SELECT, SHOW or EXPLAIN",
    "COPY t TO PROGRAM 'rm -rf /'": "SELECT, SHOW or EXPLAIN",
    "COPY (SELECT 1) TO '/tmp/x'": "SELECT, SHOW or EXPLAIN",
    "VACUUM": "SELECT, SHOW or EXPLAIN",
    "ANALYZE t": "SELECT, SHOW or EXPLAIN",
    "SET ROLE postgres": "SELECT, SHOW or EXPLAIN",
    "RESET ALL": "SELECT, SHOW or EXPLAIN",
    "DO $$ BEGIN PERFORM 1; END $$": "two ways",
    "CALL p()": "SELECT, SHOW or EXPLAIN",
    "LISTEN x": "SELECT, SHOW or EXPLAIN",
    "NOTIFY x": "SELECT, SHOW or EXPLAIN",
    "LOCK TABLE t": "SELECT, SHOW or EXPLAIN",
    "BEGIN": "SELECT, SHOW or EXPLAIN",
    "GRANT ALL ON t TO x": "SELECT, SHOW or EXPLAIN",
    "PREPARE p AS SELECT 1": "SELECT, SHOW or EXPLAIN",
    "SELECT 1; DROP TABLE t": "one statement",
    "SELECT 1;;": "one statement",
    "SELECT 1; SELECT 2": "one statement",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x": "DELETE does more",
    "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x": "INSERT does more",
    "WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT 1": "UPDATE does more",
    "WITH x AS (MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE RETURNING *) SELECT 1": "MERGE does more",
    "SELECT * INTO new FROM t": "INTO does more",
    "SELECT * FROM t FOR UPDATE": "lock rows",
    "SELECT * FROM t FOR SHARE": "lock rows",
    "SELECT * FROM t FOR NO KEY UPDATE": "lock rows",
    "SELECT * FROM t FOR KEY SHARE SKIP LOCKED": "lock rows",
    "EXPLAIN ANALYZE SELECT 1": "SELECT, SHOW or EXPLAIN",
    "EXPLAIN (ANALYZE) SELECT 1": "SELECT, SHOW or EXPLAIN",
    "EXPLAIN (VERBOSE, ANALYZE ON) SELECT 1": "SELECT, SHOW or EXPLAIN",
    "explain (analyze true) select 1": "SELECT, SHOW or EXPLAIN",
    "EXPLAIN DELETE FROM t": "SELECT, SHOW or EXPLAIN",
    "SELECT pg_terminate_backend(1)": "pg_terminate_backend(...)",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity": "pg_cancel_backend(...)",
    "SELECT pg_reload_conf()": "pg_reload_conf(...)",
    "SELECT pg_rotate_logfile()": "pg_rotate_logfile(...)",
    "SELECT pg_switch_wal()": "pg_switch_wal(...)",
    "SELECT pg_create_restore_point('x')": "pg_create_restore_point",
    "SELECT pg_promote()": "pg_promote",
    "SELECT pg_sleep(100)": "pg_sleep",
    "SELECT set_config('default_transaction_read_only', 'off', false)": "set_config",
    "SELECT lo_import('/etc/passwd')": "lo_import",
    "SELECT lo_export(1, '/tmp/x')": "lo_export",
    "SELECT lo_unlink(1)": "lo_unlink",
    "SELECT pg_read_file('/etc/passwd')": "pg_read_file",
    "SELECT pg_read_binary_file('/etc/passwd')": "pg_read_binary_file",
    "SELECT pg_ls_dir('/')": "pg_ls_dir",
    "SELECT * FROM dblink('host=evil', 'DROP TABLE t') AS t(a int)": "dblink",
    "SELECT dblink_exec('host=evil', 'DROP TABLE t')": "dblink_exec",
    "SELECT nextval('s')": "nextval",
    "SELECT setval('s', 1)": "setval",
    "SELECT txid_current()": "txid_current",
    "SELECT pg_advisory_lock(1)": "pg_advisory_lock",
    "SELECT pg_try_advisory_lock(1)": "pg_try_advisory_lock",
    "SELECT pg_notify('x', 'y')": "pg_notify",
    "SELECT pg_stat_reset()": "pg_stat_reset",
    "SELECT pg_stat_statements_reset()": "pg_stat_statements_reset",
    "SELECT pg_drop_replication_slot('x')": "pg_drop_replication_slot",
    "SELECT pg_logical_emit_message(true, 'a', 'b')": "pg_logical_emit_message",
    "SELECT query_to_xml('DELETE FROM t', true, true, '')": "query_to_xml",
    "SELECT database_to_xml(true, true, '')": "database_to_xml",
    "SELECT xpath_table('a', 'b', 'c', 'd', 'e')": "xpath_table",
    "SELECT public.now()": "public.now(...)",
    "SELECT evil.count(1)": "evil.count(...)",
    "SELECT \"pg_terminate_backend\"(1)": "without quotes",
    "SELECT pg_catalog.\"pg_terminate_backend\"(1)": "without quotes",
    "SELECT pg_catalog.pg_terminate_backend(1)": "pg_terminate_backend",
    "SELECT pg_terminate_backend (1)": "pg_terminate_backend",
    "SELECT pg_terminate_backend\n(1)": "pg_terminate_backend",
    "SELECT PG_TERMINATE_BACKEND(1)": "pg_terminate_backend",
    "SELECT pg_terminate_backend/**/(1)": "comments",
    "SELECT 1 -- x\n": "comments",
    "SELECT 1 /* x */ + 1": "comments",
    "SELECT /*! x */ 1": "comments",
    "SELECT {# x #} 1": "template",
    "SELECT 'a\\'; DROP TABLE t; --'": "two ways",
    "SELECT E'\\x27; DROP'": "two ways",
    "SELECT $$a$$": "two ways",
    "SELECT $x$; DROP TABLE t; $x$": "two ways",
    "SELECT U&'d\\0061t'": "two ways",
    "SELECT 'é'": "ASCII",
    "SELECT 1\u00a0+ 1": "ASCII",
    "SELECT 1 \uff1b DROP TABLE t": "ASCII",
    "SELECT 1 OPERATOR(evil.+) 1": "OPERATOR does more",
    "SELECT 1::evil.domain": "other schemas",
    "SELECT CAST('x' AS evil.domain)": "other schemas",
    "SELECT * FROM ROWS FROM (pg_sleep(1))": "pg_sleep",
    "SHOW ALL; DROP TABLE t": "SELECT, SHOW or EXPLAIN",
    "SHOW": "SELECT, SHOW or EXPLAIN",
    "": "characters",
    ";": "characters",
    "SELECT (": "cannot be read",
    "TABLE t": "SELECT, SHOW or EXPLAIN",
    "VALUES (1)": "SELECT, SHOW or EXPLAIN",
}  # fmt: skip
FINE = (
    "SELECT 1",
    "select 1;",
    "SELECT count(*), max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity WHERE state = 'active'",
    "SELECT pg_size_pretty(pg_database_size(current_database()))",
    "SELECT pg_catalog.pg_size_pretty(1)",
    "WITH a AS (SELECT 1 AS b) SELECT b FROM a",
    "WITH a AS MATERIALIZED (SELECT 1 AS b) SELECT b FROM a UNION ALL SELECT 2",
    "SELECT * FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE NOT granted) ORDER BY 1 LIMIT 10",
    "SELECT count(*) FILTER (WHERE state = 'idle') OVER (PARTITION BY datname) FROM pg_stat_activity",
    "SELECT a.b FROM (SELECT 1 AS b) AS a",
    "SELECT x FROM unnest(ARRAY[1, 2]) AS t(x)",
    "SELECT CASE WHEN EXISTS (SELECT 1) THEN (1) ELSE (2) END",
    "SELECT now() - INTERVAL '5 minutes', '2026-01-01'::timestamp(0), CAST(1 AS numeric(10, 2))",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY 1) FROM pg_class",
    "SELECT left(query, 100) FROM pg_stat_activity WHERE pid = $1::int",
    "SHOW max_connections",
    "show server_version",
    "SHOW pg_stat_statements.max",
    "EXPLAIN SELECT 1",
    "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT count(*) FROM pg_class",
    "EXPLAIN VERBOSE SELECT 1",
    "SELECT 'it''s; DROP TABLE t' AS text",
    'SELECT 1 AS "update"',
)  # fmt: skip


@pytest.mark.parametrize(("statement", "why"), HOSTILE.items(), ids=[text[:60].replace("\n", " ") for text in HOSTILE])
def test_what_may_do_more_than_read_is_refused_with_its_reason(statement: str, why: str) -> None:
    with pytest.raises(NotReadingError) as refused:
        check_reading(statement)
    assert why in str(refused.value)


@pytest.mark.parametrize("statement", FINE)
def test_what_only_reads_passes_as_it_was_written(statement: str) -> None:
    assert check_reading(f"  {statement}\n") == statement.removesuffix(";").strip()


def test_a_statement_may_not_be_longer_than_anybody_reads() -> None:
    with pytest.raises(NotReadingError, match="characters"):
        check_reading("SELECT " + "1, " * 5_000 + "1")


_PARTS = st.sampled_from(
    ["SELECT", "1", "FROM", "t", "(", ")", "DELETE", "UPDATE", ";", "--", "/*", "*/", "'", "''", '"', "$$", "\\", "pg_sleep", "(1)", "WITH",
     "x", "AS", "INTO", "FOR", "SHARE", ",", ".", "::", "public", "now()", "count(*)", "EXPLAIN", "ANALYZE", "SHOW", "work_mem", "\n", "é"]
)  # fmt: skip


@given(st.lists(_PARTS, max_size=12).map(" ".join))
def test_no_combination_of_words_lets_a_write_or_a_second_statement_through(statement: str) -> None:
    try:
        accepted = check_reading(statement)
    except NotReadingError:
        return
    outside = "".join(accepted.split("'")[::2])
    outside = "".join(outside.split('"')[::2])
    assert not set(outside.upper().split()) & {"DELETE", "UPDATE", "INTO", "ANALYZE", "--", ";"}
    assert "pg_sleep (" not in outside
    assert ";" not in outside


@given(st.text(max_size=60))
def test_any_text_is_accepted_or_refused_and_never_breaks_the_check(text: str) -> None:
    try:
        check_reading(text)
    except NotReadingError as error:
        says = str(error)
        assert says


def test_no_function_on_the_list_is_known_to_have_an_effect() -> None:
    effects = (
        "terminate",
        "cancel",
        "reload",
        "reset",
        "_lock",
        "sleep",
        "set_",
        "lo_",
        "dblink",
        "read_file",
        "switch",
        "promote",
        "nextval",
    )
    assert [name for name in FUNCTIONS if any(part in name for part in effects)] == []
