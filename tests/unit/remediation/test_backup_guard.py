"""The parts of the backup guard that need no server: headers, patterns, names."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.amounts import span
from debugtui.remediation.guards.backup import _complete, _Database
from debugtui.sources.backup.dump_files import fixed_folder, matches
from debugtui.sources.backup.dump_header import Form, HeaderError, plain_is_complete, read_header


def archive(minor: int = 14, compression: int = -1, database: bytes = b"coach", form: int = 1) -> bytes:
    def number(value: int) -> bytes:
        return struct.pack("<BI", value < 0, abs(value))

    def text(value: bytes) -> bytes:
        return number(len(value)) + value

    how = bytes([abs(compression)]) if minor >= 15 else number(compression)
    when = b"".join(number(value) for value in (53, 26, 9, 14, 2, 126, 0))
    head = b"PGDMP" + bytes([1, minor, 0, 4, 8, form]) + how + when
    return head + text(database) + text(b"16.4 (Debian)") + text(b"16.4") + number(3)


@pytest.mark.parametrize("minor", [10, 12, 13, 14, 15, 16])
def test_the_header_of_every_version(minor: int) -> None:
    header = read_header(archive(minor))
    assert (header.form, header.database, header.major, header.begun) == (Form.ARCHIVE, "coach", 16, "2026-03-14 09:26:53")
    assert header.compressed


@pytest.mark.parametrize("minor", [14, 16])
def test_not_compressed(minor: int) -> None:
    assert read_header(archive(minor, 0)).compressed is False


@pytest.mark.parametrize(
    "head", [b"", b"PGDMP", archive()[:40], archive(9), archive(form=3), b"\x7fELF" * 100, archive(database=b"x")[:-18]]
)
def test_what_is_no_header(head: bytes) -> None:
    with pytest.raises(HeaderError):
        read_header(head)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_header_or_refused(tail: bytes) -> None:
    for head in (tail, b"PGDMP" + tail, b"PGDMP\x01\x0e\x00\x04\x08\x01" + tail):
        try:
            read_header(head)
        except HeaderError:
            continue


def test_a_hostile_name_is_made_visible() -> None:
    assert "\x1b" not in read_header(archive(database=b"co\x1b[31mach")).database


def test_a_plain_dump() -> None:
    head = (
        b"--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n-- Dumped from database version 15.18\n\n\\connect coach\n"
    )
    tail = b"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n"
    header = read_header(head)
    assert (header.form, header.database, header.major) == (Form.PLAIN, "coach", 15)
    assert plain_is_complete(head, tail)
    assert not plain_is_complete(head, tail.replace(b"abc", b"xyz"))
    assert not plain_is_complete(head, b"")


def test_patterns_mean_what_a_shell_means() -> None:
    assert fixed_folder("/var/backups/coach/*.dump") == "/var/backups/coach"
    assert fixed_folder("/var/*/coach/x.dump") == "/var"
    assert fixed_folder("/x.dump") == "/"
    assert matches("/a/b.dump", "/a/*.dump")
    assert not matches("/a/b/c.dump", "/a/*.dump")
    assert not matches("/a/.b.dump", "/a/*.dump")
    assert not matches("/a/b.dump.part", "/a/*.dump")


def test_half_of_the_tables_is_no_backup() -> None:
    live = _Database("coach", 15, (("public", "a"), ("public", "b c"), ("public", "d")))
    assert _complete(["TABLE DATA public a app", "TABLE DATA public b c app"], live).status == "pass"
    assert "public.d" in _complete(["TABLE DATA public a app", "TABLE DATA public b c app"], live).says
    assert _complete(["TABLE DATA public a app"], live).status == "fail"
    assert _complete(["TABLE public a app"], live).status == "fail"
    assert _complete([], _Database("coach", 15, ())).status == "fail"


def test_spans() -> None:
    assert [span(42), span(720), span(12_600), span(200_000)] == ["42 s", "12 min", "3.5 h", "2 days"]
