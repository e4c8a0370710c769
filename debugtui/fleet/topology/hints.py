"""What a container's environment says it connects to, read from `Container.connects`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from debugtui.model.docker import Container

#: Default ports by scheme.
PORTS = {
    "postgresql": 5432, "redis": 6379, "rediss": 6379, "amqp": 5672, "amqps": 5671, "http": 80, "https": 443,
    "mysql": 3306, "mongodb": 27017,
}  # fmt: skip


class Hint(NamedTuple):
    """One connection. `host` is a directory where it is a UNIX socket."""

    variable: str
    scheme: str
    host: str
    port: int
    database: str

    @property
    def address(self) -> str:
        """`host:port`, as it is said."""
        return f"{self.host}:{self.port}"


def hints_of(container: Container) -> Iterator[Hint]:
    """Yield what a container says it connects to."""
    for text in container.connects:
        hint = _parsed(text)
        if hint is not None:
            yield hint


@lru_cache(maxsize=4_096)
def _parsed(text: str) -> Hint | None:
    variable, _, url = text.partition(" ")
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return Hint(variable, parts.scheme, unquote(parts.hostname or ""), port, parts.path.strip("/"))
