"""What an action, an alert or a reading is about: `HOST/KIND/NAME`, the same text on the screen, in JSON and in commands."""

from __future__ import annotations

from dataclasses import dataclass


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
        """Read `HOST/KIND/NAME`.

        Raises:
            ValueError: fewer than two parts, or an empty one.
        """
        host, slash, rest = text.partition("/")
        kind, _, name = rest.partition("/")
        if not slash or not host or not kind:
            raise ValueError(f"a target is HOST/KIND/NAME, not {text!r}")
        return cls(host, kind, name)

    def __str__(self) -> str:
        return "/".join(part for part in (self.host, self.kind, self.name) if part)
