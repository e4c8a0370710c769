"""The kinds of values that a configuration holds, each with the check that words its own error.

No error repeats the value: what stands in the wrong place may be a password.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainValidator, Strict, ValidationInfo

from debugtui.config.faults import fault
from debugtui.model.duration import seconds_of

NAME_LIMIT = 64
_HOURS = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
_ALIAS = re.compile(r"[\w.][\w.:%-]*")
_USER = re.compile(r"[\w.][\w.@\\+-]*\$?")
_INSTEAD = 'write password = {env = "NAME"} beside it, or keyring, command or ask'
_DSN_HOST = re.compile(r"(?:[\w.%-]+|\[[\w:.%]+\])?(?::\d+)?", re.ASCII)
_PASSWORD_WORD = re.compile(r"(?:^|[\s?&])(?:ssl)?password\s*=", re.IGNORECASE)


class Table(BaseModel):
    """A table of the configuration: immutable, and strangers are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def parse_duration(value: object) -> float:
    """Return a duration in seconds, from a number of seconds or a text such as `30s`, `15m`, `1h30m` or `500ms`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value) or value < 0:
            raise fault("must be a duration of zero or more")
        return float(value)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return seconds_of(value)
    raise fault('must be a duration: seconds as a number, or a text such as "30s", "15m" or "1h"')


def _name(value: str) -> str:
    if not value or value != value.strip():
        raise fault("a name may not be empty, nor begin or end with a space")
    if len(value) > NAME_LIMIT:
        raise fault(f"a name has at most {NAME_LIMIT} characters")
    if "/" in value:
        raise fault("a name may not hold a slash: a target is written HOST/KIND/NAME")
    if not value.isprintable():
        raise fault("a name may not hold control characters")
    return value


def _text(value: str) -> str:
    if not value or "\x00" in value:
        raise fault("may not be empty")
    return value


@dataclass(frozen=True, slots=True)
class SshAddress:
    """An address to reach by ssh. Empty user or port 0: what `~/.ssh/config` and ssh's own rules say."""

    host: str
    user: str = ""
    port: int = 0


def parse_address(text: str) -> SshAddress | None:
    """Read an address; None: `local`.

    Raises:
        ValueError: it is neither `local`, nor `ssh://[user@]host[:port]`, nor an alias. The message never repeats it.
    """
    if text == "local":
        return None
    if "://" not in text:
        if "@" in text:
            says = "an alias holds no user: write ssh://USER@HOST"
            raise fault(f"a password inside an address is never read: {_INSTEAD}" if _has_password(text) else says)
        if not _ALIAS.fullmatch(text):
            raise fault("must be local, ssh://[user@]host[:port], or an alias of ~/.ssh/config")
        return SshAddress(text)
    return _parse_ssh_url(text)


def _has_password(text: str) -> bool:
    return ":" in text.rpartition("@")[0]


def _parse_ssh_url(text: str) -> SshAddress:
    if _has_password(text.partition("://")[2]):
        raise fault(f"a password inside an address is never read: use a key or the agent, and for a database {_INSTEAD}")
    try:
        parts = urlsplit(text)
        host, user, port = parts.hostname or "", parts.username or "", parts.port
    except ValueError:
        raise fault("the host or the port cannot be read: write ssh://[user@]host[:port]") from None
    if parts.scheme != "ssh":
        raise fault("only ssh is spoken: write ssh://[user@]host[:port]")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise fault("nothing may follow the host and the port: write ssh://[user@]host[:port]")
    if not _ALIAS.fullmatch(host) and not (":" in host and re.fullmatch(r"[0-9a-fA-F:.]+(?:%\w+)?", host)):
        raise fault("the host cannot be read: write ssh://[user@]host[:port]")
    if "@" in parts.netloc and not _USER.fullmatch(user):
        raise fault("the user cannot be read: write ssh://[user@]host[:port]")
    if port == 0:
        raise fault("a port is a number from 1 to 65535")
    return SshAddress(host, user, port or 0)


def _address(value: str) -> str:
    parse_address(value)
    return value


def _jump(value: str) -> str:
    if parse_address(value) is None:
        raise fault("a jump is an alias of ~/.ssh/config or ssh://[user@]host[:port]; this machine itself needs none")
    return value


def _local_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\x00" in value:
        raise fault("must be a path, as text")
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise fault("~ names a user who has no home here") from None
    base = (info.context or {}).get("base")
    return Path(base) / path if base is not None else path


def _host_path(value: str) -> str:
    if not value.startswith("/") or "\x00" in value or ".." in PurePosixPath(value).parts:
        raise fault("must be an absolute path of the host, such as /etc/nginx/nginx.conf")
    return value


_LIBVIRT_SAYS = "must be qemu:///system, qemu:///session, qemu+unix:///session?socket=/path, test:///default, or false"


def _libvirt(value: object) -> str | Literal[False] | None:
    if value is False or value is None:
        return value
    if value is True:
        raise fault("true names nothing: leave the key out, or name the URI, or write false to switch it off")
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise fault(_LIBVIRT_SAYS)
    try:
        parts = urlsplit(value)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:
        raise fault(_LIBVIRT_SAYS) from None
    if parts.netloc:
        raise fault(f"the host's own link leads there already, so the URI names no host: {_LIBVIRT_SAYS}")
    if parts.fragment or not _libvirt_fits(parts.scheme, parts.path, query):
        raise fault(_LIBVIRT_SAYS)
    return value


def _libvirt_fits(scheme: str, path: str, query: list[tuple[str, str]]) -> bool:
    if scheme == "test":
        return len(path) > 1 and not query
    if path not in ("/system", "/session"):
        return False
    if scheme == "qemu":
        return not query
    return scheme == "qemu+unix" and len(query) == 1 and query[0][0] == "socket" and query[0][1].startswith("/")


_DOCKER_SAYS = "must be unix:///path of a socket on the host, or false"


def _docker(value: object) -> str | Literal[False] | None:
    if value is False or value is None:
        return value
    if value is True:
        raise fault("true names nothing: leave the key out, or name the socket, or write false to switch it off")
    if not isinstance(value, str) or not value.isprintable() or any(sign in value for sign in "?#"):
        raise fault(_DOCKER_SAYS)
    path = value.removeprefix("unix://")
    if value.startswith(("tcp://", "http://", "https://", "ssh://")):
        raise fault(f"Docker is reached through the host's own link: {_DOCKER_SAYS}")
    if not path.startswith("/") or path.startswith("//") or len(path) < 2:
        raise fault(_DOCKER_SAYS)
    return f"unix://{path}"


_DSN_SAYS = "must be postgresql://[user@][host][:port]/database[?host=/dir&port=5433], as seen from the host"


def _dsn(value: str) -> str:
    if _PASSWORD_WORD.search(value):
        raise fault(f"a password inside a dsn is never read: {_INSTEAD}")
    if not value.startswith(("postgresql://", "postgres://")) or not value.isprintable():
        raise fault(_DSN_SAYS)
    if _has_password(value.partition("://")[2].partition("?")[0]):
        raise fault(f"a password inside a dsn is never read: {_INSTEAD}")
    try:
        parts = urlsplit(value)
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:
        raise fault(_DSN_SAYS) from None
    if any(key.lower().endswith("password") for key, _ in query):
        raise fault(f"a password inside a dsn is never read: {_INSTEAD}")
    if not all(_DSN_HOST.fullmatch(host) for host in parts.netloc.rpartition("@")[2].split(",")):
        raise fault(_DSN_SAYS)
    if parts.fragment or " " in value:
        raise fault(f"signs such as # and spaces are written as %23 and %20: it {_DSN_SAYS}")
    return value


def _url(value: str) -> str:
    says = "must be a URL: http://HOST[:PORT]/ or https://HOST[:PORT]/"
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise fault(says) from None
    if "@" in parts.netloc:
        raise fault("a user or password inside a URL is never read: remove it")
    if parts.scheme not in ("http", "https") or not host or port == 0 or not value.isprintable() or " " in value:
        raise fault(says)
    return value


_REDIS_SAYS = "must be redis://HOST[:PORT][/DATABASE] or unix:///path[?db=0], as seen from the host"


def _redis(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:
        raise fault(_REDIS_SAYS) from None
    if "@" in parts.netloc or any(key in ("password", "username") for key, _ in query):
        raise fault(f"a user or password inside a URL is never read: {_INSTEAD}")
    if not value.isprintable() or " " in value or parts.fragment:
        raise fault(_REDIS_SAYS)
    numbers = all(key == "db" and text.isdecimal() for key, text in query)
    if parts.scheme == "redis" and host and port != 0 and (parts.path.strip("/") or "0").isdecimal() and not query:
        return value
    if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/") and numbers:
        return value
    raise fault(_REDIS_SAYS)


def _journal(value: object) -> str | bool | None:
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise fault("must be true, false, or a directory of journal files on the host")
    return _host_path(value)


def _hours(value: str) -> str:
    if not _HOURS.fullmatch(value):
        raise fault('must be a span of hours such as "08:00-20:00" or "22:00-06:00"')
    return value


Flag = Annotated[bool, Strict()]
Number = Annotated[int, Strict()]
Seconds = Annotated[float, BeforeValidator(parse_duration)]
Name = Annotated[str, AfterValidator(_name)]
Hours = Annotated[str, AfterValidator(_hours)]
Text = Annotated[str, AfterValidator(_text)]
Address = Annotated[str, AfterValidator(_address)]
Jump = Annotated[str, AfterValidator(_jump)]
LocalPath = Annotated[Path, PlainValidator(_local_path)]
HostPath = Annotated[str, AfterValidator(_host_path)]
LibvirtUri = Annotated[str | Literal[False] | None, PlainValidator(_libvirt)]
DockerSocket = Annotated[str | Literal[False] | None, PlainValidator(_docker)]
Dsn = Annotated[str, AfterValidator(_dsn)]
Url = Annotated[str, AfterValidator(_url)]
RedisUrl = Annotated[str, AfterValidator(_redis)]
Journal = Annotated[str | bool | None, PlainValidator(_journal)]
