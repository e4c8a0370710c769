"""What INFO says, as figures. Servers differ: what is not said is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from debugtui.model.redis import Persistence, Primary, RedisReplica
from debugtui.model.text import decode, line

#: Most replicas that are looked at.
REPLICAS = 50


class Info(Mapping[str, str]):
    """The fields of INFO."""

    def __init__(self, answer: bytes) -> None:
        rows = (row.partition(":") for row in decode(answer).splitlines() if not row.startswith("#"))
        self._fields = {name: value.strip() for name, colon, value in rows if colon}

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self):  # type: ignore[no-untyped-def] # of Mapping
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def text(self, name: str) -> str:
        """Return a field as text, empty where it is not there."""
        return line(self._fields.get(name, ""), 200)

    def number(self, name: str) -> int | None:
        """Return a field as a whole number; None where it is not there, or is none."""
        value = self._fields.get(name, "")
        return int(value) if value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) < 20 else None

    def fraction(self, name: str) -> float | None:
        """Return a field as a number; None where it is not there, or is none."""
        try:
            value = float(self._fields.get(name, ""))
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def count(self, name: str) -> int:
        """Return a field as a number of things, 0 where it is not there."""
        return max(0, self.number(name) or 0)

    def good(self, name: str) -> bool | None:
        """Return whether a status is `ok`; None where it is not there."""
        value = self._fields.get(name)
        return None if value is None else value == "ok"

    def flag(self, name: str) -> bool | None:
        """Return a field that is 0 or 1; None where it is not there."""
        number = self.number(name)
        return None if number is None else bool(number)


def persistence(info: Info, saves: bool | None, refused: str) -> Persistence:
    """Return how what Redis holds is kept."""
    at = info.number("rdb_last_save_time")
    return Persistence(
        saves=saves,
        last_save_at=moment(at),
        last_save_ok=info.good("rdb_last_bgsave_status"),
        changes=info.number("rdb_changes_since_last_save"),
        saving=bool(info.flag("rdb_bgsave_in_progress")),
        aof=info.flag("aof_enabled"),
        aof_write_ok=info.good("aof_last_write_status"),
        aof_rewrite_ok=info.good("aof_last_bgrewrite_status"),
        refused=refused,
    )


def moment(seconds: int | None) -> datetime | None:
    """Return a time from seconds since 1970; None where there is none, or none that could be."""
    if seconds is None or not 0 < seconds < 253_402_300_800:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def primary(info: Info) -> Primary | None:
    """Return the primary of a replica."""
    if info.text("role") != "slave":
        return None
    up = info.text("master_link_status") == "up"
    last = info.number("master_last_io_seconds_ago")
    down = info.number("master_link_down_since_seconds")
    return Primary(
        address=f"{info.text('master_host')}:{info.text('master_port')}",
        link_up=up,
        down_s=None if up or down is None or down < 0 else float(down),
        last_io_s=None if last is None or last < 0 else float(last),
        syncing=bool(info.flag("master_sync_in_progress")),
    )


def replicas(info: Info) -> tuple[RedisReplica, ...]:
    """Return the replicas of a primary."""
    found: list[RedisReplica] = []
    written = info.number("master_repl_offset")
    for number in range(min(info.count("connected_slaves"), REPLICAS)):
        row = dict(part.partition("=")[::2] for part in info.text(f"slave{number}").split(","))
        lag, offset = row.get("lag", ""), row.get("offset", "")
        behind = max(0, written - int(offset)) if written is not None and offset.isdigit() else None
        found.append(
            RedisReplica(
                address=f"{row.get('ip', '?')}:{row.get('port', '?')}",
                state=row.get("state", ""),
                lag_s=float(lag) if lag.isdigit() else None,
                behind_bytes=behind,
            )
        )
    return tuple(found)
