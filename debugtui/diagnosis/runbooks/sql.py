"""Whether a statement only reads. The server holds it to that as well: the transaction is read only, and always rolled back.

The words are read by sqlglot's tokeniser for PostgreSQL. Whatever could be read in two ways (comments, backslashes, dollar
quotes, signs that are not ASCII) is refused, and so is every function that is not known to have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from debugtui.sources.postgres.sql_text import SqlTextError, Word, words

#: Longest statement, in characters.
LONGEST = 8_000


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Built-in functions that only tell. Everything else is refused: pg_terminate_backend, set_config, dblink, lo_export, ...
FUNCTIONS = _set(
    """
    count sum min max avg bool_and bool_or every string_agg array_agg json_agg jsonb_agg percentile_cont percentile_disc mode
    stddev variance row_number rank dense_rank lag lead first_value last_value ntile
    coalesce nullif greatest least abs round trunc floor ceil ceiling mod power sqrt sign width_bucket
    now clock_timestamp statement_timestamp transaction_timestamp age extract date_trunc date_part to_char to_timestamp
    make_interval justify_hours justify_interval
    left right substr substring length char_length lower upper initcap trim btrim ltrim rtrim replace split_part concat
    concat_ws position strpos starts_with format quote_ident quote_literal to_number reverse regexp_replace regexp_count
    array_length array_to_string string_to_array cardinality unnest array_position to_json to_jsonb row_to_json
    json_build_object jsonb_build_object json_object_agg
    version current_setting current_database current_schema current_catalog format_type to_regclass obj_description
    col_description has_table_privilege has_schema_privilege has_database_privilege pg_has_role
    pg_size_pretty pg_size_bytes pg_database_size pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size
    pg_tablespace_size pg_backend_pid pg_blocking_pids pg_safe_snapshot_blocking_pids pg_postmaster_start_time
    pg_conf_load_time pg_is_in_recovery pg_is_wal_replay_paused pg_current_wal_lsn pg_current_wal_insert_lsn
    pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_wal_lsn_diff pg_walfile_name
    pg_ls_waldir pg_ls_tmpdir pg_get_indexdef pg_get_constraintdef pg_get_expr pg_get_userbyid pg_encoding_to_char
    pg_table_is_visible pg_options_to_table mxid_age txid_current_if_assigned pg_current_xact_id_if_assigned
    inet_server_addr inet_server_port inet_client_addr host family
    """
)
#: Words that a parenthesis may follow without a function being called.
_NO_FUNCTIONS = _set(
    """
    SELECT FROM WHERE AND OR NOT ON USING IN ANY SOME ALL EXISTS AS OVER FILTER GROUP BY ORDER HAVING LIMIT OFFSET UNION EXCEPT
    INTERSECT DISTINCT CASE WHEN THEN ELSE BETWEEN LIKE ILIKE SIMILAR IS JOIN LATERAL VALUES WITH WITHIN ROW ARRAY CAST
    MATERIALIZED NUMERIC DECIMAL VARCHAR CHAR CHARACTER BIT TIMESTAMP TIMESTAMPTZ TIME INTERVAL PARTITION ROLLUP CUBE SETS
    RANGE ROWS
    """
)
#: Words that no reading statement holds unquoted.
_WRITES = _set(
    """
    INSERT UPDATE DELETE MERGE INTO COPY CREATE DROP ALTER GRANT REVOKE TRUNCATE LOCK VACUUM ANALYZE ANALYSE CALL DO SET RESET
    LISTEN NOTIFY UNLISTEN EXECUTE PREPARE DEALLOCATE DECLARE BEGIN COMMIT ROLLBACK SAVEPOINT CLUSTER REINDEX REFRESH
    CHECKPOINT LOAD DISCARD COMMENT SECURITY REASSIGN IMPORT OPERATOR PROGRAM
    """
)
_LOCKING = frozenset({"UPDATE", "SHARE", "NO", "KEY"})
_SHOW = re.compile(r"SHOW\s+[a-z_][a-z0-9_.]{0,100}", re.IGNORECASE | re.ASCII)
_EXPLAIN = re.compile(
    r"EXPLAIN\s+(?:\((?:\s*(?:VERBOSE|COSTS|SETTINGS|SUMMARY|FORMAT)(?:\s+(?:ON|OFF|TRUE|FALSE|TEXT|JSON|YAML))?\s*,?)+\)\s*"
    r"|VERBOSE\s+)?(?=SELECT\b|WITH\b)",
    re.IGNORECASE | re.ASCII,
)
_DOLLAR = re.compile(r"\$(?!\d)")


class NotReadingError(ValueError):
    """A statement may do more than read. The message is ready to show."""


def check_reading(sql: str) -> str:
    """Return the statement without what is around it, after seeing that it is one SELECT, SHOW or EXPLAIN (without ANALYZE).

    Raises:
        NotReadingError: it is not, or nobody knows.
    """
    statement = sql.strip().removesuffix(";").strip()
    if not statement or len(statement) > LONGEST:
        raise NotReadingError(f"a statement has 1 to {LONGEST} characters")
    if not statement.isascii():
        raise NotReadingError("a statement is written in ASCII: other signs could be read in two ways")
    if "\\" in statement or _DOLLAR.search(statement):
        raise NotReadingError("backslashes and dollar quotes are not accepted: they could be read in two ways")
    if _SHOW.fullmatch(statement):
        return statement
    explained = _EXPLAIN.match(statement)
    body = statement[explained.end() :] if explained else statement
    _check_words(body)
    _check_tree(body)
    return statement


def _check_words(body: str) -> None:
    try:
        found = words(body)
    except SqlTextError as error:
        raise NotReadingError(str(error)) from None
    at = 0
    for word in found:
        if body[at : word.start].strip():
            raise NotReadingError("comments are not accepted: say in `why` what it is for")
        at = word.end + 1
    if body[at:].strip():
        raise NotReadingError("comments are not accepted: say in `why` what it is for")
    if found[0].upper not in ("SELECT", "WITH"):
        raise NotReadingError("it has to be one SELECT, SHOW or EXPLAIN without ANALYZE")
    for number, word in enumerate(found):
        _check_word(found, number, word)


def _check_word(found: Sequence[Word], number: int, word: Word) -> None:
    after = found[number + 1] if number + 1 < len(found) else None
    if word.kind == "SEMICOLON" or word.text == ";":
        raise NotReadingError("it has to be one statement")
    if word.kind in ("HEREDOC_STRING", "UNICODE_STRING", "RAW_STRING", "NATIONAL_STRING"):
        raise NotReadingError("only plain texts in single quotes are accepted")
    if word.upper in _WRITES:
        raise NotReadingError(f"{word.upper} does more than read; a name that is called so stands in double quotes")
    if word.upper == "FOR" and after is not None and after.upper in _LOCKING:
        raise NotReadingError("FOR UPDATE and its kind lock rows")
    if after is not None and after.kind == "L_PAREN":
        _check_call(found, number, word)


def _check_call(found: Sequence[Word], number: int, word: Word) -> None:
    """See that a name before a parenthesis is a known function of PostgreSQL's own."""
    if not word.quoted and not re.fullmatch(r"\w+", word.text):
        return  # a sign: `= (`, `, (`
    if word.kind == "STRING" or word.text.isdecimal():
        return
    before = found[number - 1] if number else None
    if before is not None and before.upper == "AS" and not word.quoted:
        return  # a table's other name with those of its columns
    name = word.text.lower()
    if before is not None and before.kind == "DOT":
        schema = found[number - 2].text.lower() if number > 1 else ""
        if schema != "pg_catalog":
            raise NotReadingError(f"{schema}.{name}(...) is not known to have no effect: only PostgreSQL's own functions are")
    if word.quoted:
        raise NotReadingError(f'"{name}"(...): functions are called without quotes')
    if name not in FUNCTIONS and (word.upper not in _NO_FUNCTIONS or (before is not None and before.kind == "DOT")):
        raise NotReadingError(f"{name}(...) is not known to have no effect; docs/runbooks.md lists the functions that are")


def _check_tree(body: str) -> None:
    """See that sqlglot's parser, too, takes it for one query that only reads."""
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        trees = parse(body, read="postgres")
    except (SqlglotError, RecursionError):
        raise NotReadingError("it cannot be read as one SELECT") from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query):
        raise NotReadingError("it has to be one SELECT, SHOW or EXPLAIN without ANALYZE")
    if tree.find(exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock) is not None:
        raise NotReadingError("it does more than read")
    for kind in tree.find_all(exp.DataType):
        if kind.this is exp.DataType.Type.USERDEFINED and "." in kind.sql():
            raise NotReadingError("types of other schemas are not accepted: reading them can run anything")
