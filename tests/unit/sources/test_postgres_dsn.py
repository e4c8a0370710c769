"""libpq connection strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.sources.postgres.dsn import Address, DsnError, parse_dsn


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("postgresql://monitor@/coach?host=/var/run/postgresql", Address("monitor", "coach", "/var/run/postgresql")),
        ("postgresql://monitor@/coach?host=/tmp/x&port=5433", Address("monitor", "coach", "/tmp/x", port=5433)),
        ("postgresql://monitor@/coach", Address("monitor", "coach", "/var/run/postgresql")),
        ("postgres://monitor@db.example.org/coach", Address("monitor", "coach", host="db.example.org")),
        ("postgresql://m@127.0.0.1:6432/coach?sslmode=disable", Address("m", "coach", "", "127.0.0.1", 6432, "disable")),
        ("postgresql://m@[::1]:5433/coach", Address("m", "coach", "", "::1", 5433)),
        ("postgresql://m@[::1]", Address("m", "m", "", "::1")),
        ("postgresql://m@%2Frun%2Fpg:5433/coach", Address("m", "coach", "/run/pg", port=5433)),
        ("postgresql://a%40b:p%3Aw%2F@h/d%20b", Address("a@b", "d b", "", "h", password="p:w/")),
        ("postgresql:///coach?user=m", Address("m", "coach", "/var/run/postgresql")),
        ("postgresql://h/coach?user=m&password=x&dbname=other", Address("m", "other", "", "h", password="x")),
        ("host=/run/postgresql port=5433 dbname=x user=y", Address("y", "x", "/run/postgresql", port=5433)),
        ("host = 'h'  user='o\\'neil' dbname = 'my db' password=''", Address("o'neil", "my db", "", "h")),
        ("user=m host=db hostaddr=10.0.0.7 connect_timeout=3", Address("m", "m", "", "db")),
        (" user=a\\ b\thost=/s ", Address("a b", "a b", "/s")),
    ],
)
def test_understood(text: str, address: Address) -> None:
    assert parse_dsn(text) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("coach", "a dsn is postgresql://"),
        ("", "a dsn is"),
        ("mysql://m@h/d", "not a PostgreSQL URI"),
        ("postgresql:///coach", "names no user"),
        ("host=/run dbname=x", "names no user"),
        ("postgresql://m@h:0/d", "from 1 to 65535"),
        ("postgresql://m@/d?port=70000", "from 1 to 65535"),
        ("postgresql://m@/d?port=٣", "from 1 to 65535"),
        ("postgresql://m@a,b/d", "several servers"),
        ("host=a,b user=m", "several servers"),
        ("host=@abstract user=m", "abstract"),
        ("postgresql://m@/d?sslmod=require", "did you mean 'sslmode'?"),
        ("user=m service=x", "'service' is not supported"),
        ("postgresql://m@/d?sslmode=maybe", "sslmode is one of"),
        ("user=m host", "not understood"),
        ("user=m host='open", "not understood"),
        ("postgresql://m@/d?host", "has no value"),
        ("postgresql://m%00@/d", "NUL"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(DsnError, match=says.replace("?", r"\?").replace("(", r"\(")):
        parse_dsn(text)


def test_a_password_is_in_no_message() -> None:
    address = parse_dsn("postgresql://m:hunter2@h/d")
    assert "hunter2" not in repr(address)
    assert "hunter2" not in str(address)
    with pytest.raises(DsnError) as caught:
        parse_dsn("postgresql://m:hunter2@h:x1/d")
    assert "hunter2" not in str(caught.value)


def test_where_it_leads() -> None:
    assert parse_dsn("postgresql://m@/d?host=/run/pg/&port=5433").socket_path == "/run/pg/.s.PGSQL.5433"
    assert str(parse_dsn("postgresql://m@/d?host=/run/pg")) == "/run/pg/.s.PGSQL.5432"
    assert str(parse_dsn("postgresql://m@h/d")) == "h:5432"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for form in (text, f"postgresql://{text}", f"user=m {text}", f"postgresql://m@/d?{text}"):
        try:
            parse_dsn(form)
        except DsnError:
            continue


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_keywords_keep_any_value(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    assert parse_dsn(f"host=h user='{quoted}'").user == value
