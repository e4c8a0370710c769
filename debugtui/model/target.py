"""What an action, an alert or a reading is about: `HOST/KIND/NAME`, the same text on the screen, in JSON and in commands."""

from __future__ import annotations

from dataclasses import dataclass

#: Stands where a host's name stands, for what is watched beside the hosts: the uses of the Groq API, `groq/NAME`. No host may
#: have this name.
GROQ = "groq"

#: Stands where a host's name stands, for the monitoring servers that are reached from this machine and through no host:
#: `monitoring/prometheus/NAME`. No host may have this name.
MONITORING = "monitoring"

#: Stands where a host's name stands, for addresses that are connected to and not watched: `external/address/NAME:PORT`.
EXTERNAL = "external"

#: The kind of an address behind which nothing watched is known: `HOST/address/127.0.0.1:8001`. No source has it.
ADDRESS = "address"

#: What stands where a host's name stands, and is no host.
NO_HOSTS = frozenset({GROQ, MONITORING})


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A named thing on a host.

    Attributes:
        host: the configured name of the host.
        kind: a source kind (`libvirt`, `docker`, `postgres`, `system`...).
        name: the thing's own name; it may hold slashes itself (`coach/4711`: a session of the database `coach`). Empty: the
            source itself.
    """

    host: str
    kind: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `HOST/KIND/NAME`, or `groq/NAME`.

        Raises:
            ValueError: fewer than two parts, or an empty one.
        """
        host, slash, rest = text.partition("/")
        if host == GROQ and rest:
            return cls(GROQ, GROQ, rest)
        kind, _, name = rest.partition("/")
        if not slash or not host or not kind:
            raise ValueError(f"a target is HOST/KIND/NAME, not {text!r}")
        return cls(host, kind, name)

    def __str__(self) -> str:
        if self.host == self.kind == GROQ:
            return "/".join(part for part in (self.host, self.name) if part)
        return "/".join(part for part in (self.host, self.kind, self.name) if part)
