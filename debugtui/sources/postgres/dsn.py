"""Connection strings in libpq's syntax, read as seen from the host."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

#: Where Debian's PostgreSQL puts its socket.
DEFAULT_SOCKET_DIR = "/var/run/postgresql"
DEFAULT_PORT = 5432

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_USED = ("user", "password", "dbname", "host", "hostaddr", "port", "sslmode", "sslrootcert", "sslcert", "sslkey")
# Harmless here: the session has its own name and limits.
_IGNORED = (
    "application_name",
    "fallback_application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "sslcompression",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
)
_PAIR = re.compile(r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)", re.DOTALL)
_URI = re.compile(r"postgres(?:ql)?://(?:([^@/?#]*)@)?([^/?#]*)(?:/([^?#]*))?(?:\?([^#]*))?", re.DOTALL)
_HOST_PORT = re.compile(r"(\[[^\]]+\]|[^:]*)(?::(\d*))?")


class DsnError(ValueError):
    """A connection string that cannot be used; the message says why, and never holds a password."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, as seen from the host, and who asks.

    Attributes:
        user: the role.
        database: the database.
        socket_dir: directory of the UNIX socket; empty for TCP.
        host: name or address; empty for a UNIX socket.
        port: of TCP, and part of the socket's name.
        sslmode: libpq's word; TCP only.
        password: as written in the string; empty where it holds none.
        sslrootcert, sslcert, sslkey: files on the operator's machine.
    """

    user: str
    database: str
    socket_dir: str = ""
    host: str = ""
    port: int = DEFAULT_PORT
    sslmode: str = "prefer"
    password: str = field(default="", repr=False)
    sslrootcert: str = ""
    sslcert: str = ""
    sslkey: str = ""

    @property
    def socket_path(self) -> str:
        """The UNIX socket; only where `socket_dir` is set."""
        return f"{self.socket_dir.rstrip('/')}/.s.PGSQL.{self.port}"

    def __str__(self) -> str:
        return self.socket_path if self.socket_dir else f"{self.host}:{self.port}"


def parse_dsn(text: str) -> Address:
    """Read a URI (`postgresql://user@/db?host=/dir&port=5433`) or keywords (`host=/dir dbname=x user=y`).

    Raises:
        DsnError: not understood, or no user in it.
    """
    text = text.strip()
    if "://" in text.partition("=")[0]:  # a keyword's value may hold these signs
        values = _uri(text)
    elif "=" in text:
        values = _keywords(text)
    else:
        raise DsnError("a dsn is postgresql://user@host/database or host=... dbname=... user=...")
    for name in values:
        _check_name(name)
    return _address(values)


def _check_name(name: str) -> None:
    if name in _USED or name in _IGNORED:
        return
    near = difflib.get_close_matches(name, _USED + _IGNORED, n=1)
    more = f"; did you mean {near[0]!r}?" if near else ""
    raise DsnError(f"the dsn option {name!r} is not supported here{more}")


def _uri(text: str) -> dict[str, str]:
    match = _URI.fullmatch(text)
    if match is None:
        raise DsnError("not a PostgreSQL URI: postgresql://user@host:port/database?option=value")
    userinfo, authority, path, query = match.groups()
    values: dict[str, str] = {}
    user, _, password = (userinfo or "").partition(":")
    values["user"], values["password"] = unquote(user), unquote(password)
    if "," in authority:
        raise DsnError("the dsn names several servers: make one source of each")
    found = _HOST_PORT.fullmatch(authority)
    if found is None:
        raise DsnError("the host and port of the dsn are not understood")
    values["host"], values["port"] = unquote(found[1].strip("[]")), found[2] or ""
    values["dbname"] = unquote(path or "")
    values = {name: value for name, value in values.items() if value}
    for pair in filter(None, (query or "").split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise DsnError(f"the dsn option {unquote(name)!r} has no value")
        values["dbname" if name == "database" else unquote(name)] = unquote(value)
    return values


def _keywords(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            raise DsnError("the dsn is not understood: keyword=value pairs, values with spaces in single quotes")
        quoted = match[2] if match[2] is not None else match[3]
        values[match[1]] = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        at = match.end()
        at += len(text[at:]) - len(text[at:].lstrip())
    return values


def _address(values: dict[str, str]) -> Address:
    user = values.get("user", "")
    if not user:
        raise DsnError("the dsn names no user: write postgresql://USER@... or user=USER")
    if any("\0" in value for value in values.values()):
        raise DsnError("the dsn holds a NUL character")
    host = values.get("hostaddr") or values.get("host") or DEFAULT_SOCKET_DIR
    if "," in host:
        raise DsnError("the dsn names several servers: make one source of each")
    if host.startswith("@"):
        raise DsnError("abstract sockets (host=@...) cannot be reached through a link")
    mode = values.get("sslmode") or "prefer"
    if mode not in SSL_MODES:
        raise DsnError(f"sslmode is one of {', '.join(SSL_MODES)}, not {mode!r}")
    local = host.startswith("/")
    return Address(
        user=user,
        database=values.get("dbname") or user,
        socket_dir=host if local else "",
        host="" if local else (values.get("host") or host),
        port=_port(values.get("port", "")),
        sslmode=mode,
        password=values.get("password", ""),
        sslrootcert=values.get("sslrootcert", ""),
        sslcert=values.get("sslcert", ""),
        sslkey=values.get("sslkey", ""),
    )


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise DsnError(f"the port of the dsn is a number from 1 to 65535, not {text!r}")
    return int(text)
