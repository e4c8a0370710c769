"""What the first bytes of a backup file say of themselves: an archive of `pg_dump -Fc`, plain SQL, or neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from debugtui.model.text import line

#: Bytes of the beginning that hold everything that is read here, and of the end that hold a plain dump's last words.
HEAD_BYTES, TAIL_BYTES = 8_192, 4_096

_MAGIC = b"PGDMP"
_CUSTOM = 1
_LONGEST_TEXT = 1_000
_PLAIN = re.compile(rb"^-- PostgreSQL database dump\s*$", re.MULTILINE)
_PLAIN_END = re.compile(rb"^-- PostgreSQL database dump complete\s*$", re.MULTILINE)
_PLAIN_VERSION = re.compile(rb"^-- Dumped from database version (\S+)", re.MULTILINE)
_PLAIN_DATABASE = re.compile(rb'^\\connect (?:"((?:[^"]|"")+)"|(\S+))\s*$', re.MULTILINE)
_PLAIN_STARTED = re.compile(rb"^-- Started on (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_RESTRICT = re.compile(rb"^\\restrict (\w+)\s*$", re.MULTILINE)
_UNRESTRICT = re.compile(rb"^\\unrestrict (\w+)\s*$", re.MULTILINE)


class Form(StrEnum):
    """The form of a dump."""

    ARCHIVE = "archive"
    PLAIN = "plain SQL"


class HeaderError(ValueError):
    """The bytes are no dump, or end before their header does."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a dump says of itself.

    Attributes:
        form: see `Form`.
        database: the database's name; empty where it is not said.
        server: the server's version, `15.18 (Debian 15.18-0+deb12u1)`; empty where it is not said.
        begun: when the dump began, `2026-03-14 09:26:53`, in the time of the machine that made it; empty where it is not said.
        compressed: False: nothing in it has a checksum. None: not known.
    """

    form: Form
    database: str
    server: str
    begun: str
    compressed: bool | None

    @property
    def major(self) -> int | None:
        """The server's major version, as `server_version_num` divided by 10000 has it."""
        found = re.match(r"(\d+)", self.server)
        return int(found[1]) if found else None


def read_header(head: bytes) -> Header:
    """Read the header of a dump.

    Args:
        head: its first `HEAD_BYTES`.

    Raises:
        HeaderError: what is wrong with it.
    """
    if not head:
        raise HeaderError("the file is empty")
    if head.startswith(_MAGIC):
        return _archive(head)
    if _PLAIN.search(head):
        return _plain(head)
    raise HeaderError("it is neither an archive of pg_dump -Fc nor a plain SQL dump")


def plain_is_complete(head: bytes, tail: bytes) -> bool:
    """Whether a plain dump has its last words, and they belong to its first."""
    if not _PLAIN_END.search(tail):
        return False
    begun, ended = _RESTRICT.search(head), _UNRESTRICT.search(tail)
    return begun is None or (ended is not None and begun[1] == ended[1])


def _plain(head: bytes) -> Header:
    version, database, started = _PLAIN_VERSION.search(head), _PLAIN_DATABASE.search(head), _PLAIN_STARTED.search(head)
    name = (database[1] or database[2]).replace(b'""', b'"') if database else b""
    return Header(Form.PLAIN, line(name), line(version[1]) if version else "", line(started[1]) if started else "", None)


class _Cursor:
    """Reads the archive's own encoding of numbers and texts: sign byte, then bytes, the lowest first."""

    def __init__(self, data: bytes, at: int, int_size: int) -> None:
        self._data, self._at, self._size = data, at, int_size

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise HeaderError("the file ends within its header")
        found = self._data[self._at : self._at + count]
        self._at += count
        return found

    def number(self) -> int:
        sign = self.take(1)[0]
        value = int.from_bytes(self.take(self._size), "little")
        return -value if sign else value

    def text(self) -> bytes:
        length = self.number()
        if length > _LONGEST_TEXT:
            raise HeaderError("its header holds nonsense")
        return self.take(max(length, 0))


def _archive(head: bytes) -> Header:
    """Read an archive's header; its layout is that of pg_backup_archiver.c (ReadHead), versions 1.10 to 1.16."""
    fixed = _Cursor(head, len(_MAGIC), 4)
    major, minor, _revision, int_size, _offset_size, form = fixed.take(6)
    if (major, minor) < (1, 10) or major > 1 or not 1 <= int_size <= 8:
        raise HeaderError(f"its format {major}.{minor} is not known")
    if form != _CUSTOM:
        raise HeaderError("only the custom format (pg_dump -Fc) is one whole file")
    cursor = _Cursor(head, len(_MAGIC) + 6, int_size)
    # From 1.15 on one byte names the algorithm, 0 is none; before it was zlib's level, 0 is none.
    compressed = cursor.take(1)[0] != 0 if minor >= 15 else cursor.number() != 0
    second, minute, hour, day, month, year, _dst = (cursor.number() for _ in range(7))
    database, server = cursor.text(), cursor.text()
    begun = f"{year + 1900:04}-{month + 1:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
    return Header(Form.ARCHIVE, line(database), line(server), begun, compressed)
