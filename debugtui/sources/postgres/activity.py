"""Rows of the fast queries as model values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from debugtui.config.redaction import redact
from debugtui.model.postgres import PreparedTransaction, Session
from debugtui.model.text import clean, line
from debugtui.sources.postgres.locks import Holding


class Row(Protocol):
    """One row of an answer: values by the name of their column."""

    def __getitem__(self, name: str, /) -> Any:
        """Return one value."""
        ...


#: Lock modes that each mode conflicts with (PostgreSQL manual, "Explicit Locking", table of conflicting modes).
_ORDER = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
_CONFLICTS = {
    mode: {_ORDER[number] for number in numbers}
    for mode, numbers in zip(
        _ORDER, ((7,), (6, 7), (4, 5, 6, 7), (3, 4, 5, 6, 7), (2, 3, 5, 6, 7), range(2, 8), range(1, 8), range(8)), strict=True
    )
}


def conflicts(held: str, wanted: str) -> bool:
    """Whether a lock that is held keeps out one that is wanted."""
    return wanted in _CONFLICTS.get(held, ())


class QueryTexts:
    """Query texts made safe to show, remembered from one poll to the next: most of them do not change."""

    def __init__(self, decode: Callable[[bytes], str]) -> None:
        self._decode = decode
        self._last: dict[bytes, str] = {}
        self._now: dict[bytes, str] = {}

    def __call__(self, data: bytes | None, size: int | None) -> str:
        """Return the text, redacted; `size` is its whole length in bytes."""
        if data is None:
            return ""
        text = self._now.get(data)
        if text is None:
            text = self._last.get(data)
            if text is None:
                text = clean(redact(self._decode(data)))
            self._now[data] = text
        cut = (size or 0) - len(data)
        return f"{text}… (+{cut} bytes)" if cut > 0 else text

    def turn(self) -> None:
        """Forget what the poll before the last one saw."""
        self._last, self._now = self._now, {}


def short(value: object, limit: int = 256) -> str:
    """Return a name from outside on one line; empty for NULL."""
    return line(value, limit) if isinstance(value, str) else ""


def to_session(row: Row, texts: QueryTexts) -> Session:
    """Return one row of pg_stat_activity as a session that waits for nothing yet."""
    address, port = row["address"], row["port"]
    client = f"{address}:{port}" if address else "local" if port == -1 else ""
    return Session(
        pid=row["pid"],
        database=short(row["database"]),
        user=short(row["username"]),
        application=short(row["application"]),
        client=client,
        backend_type=row["backend_type"] or "",
        state=row["state"] or "",
        wait_event_type=row["wait_event_type"] or "",
        wait_event=short(row["wait_event"]),
        backend_start=row["backend_start"],
        xact_start=row["xact_start"],
        query_start=row["query_start"],
        state_change=row["state_change"],
        query=texts(row["query"], row["query_bytes"]),
        has_written=row["has_written"],
        xmin_age=row["xmin_age"],
    )


def to_prepared(row: Row) -> PreparedTransaction:
    """Return one row of pg_prepared_xacts."""
    return PreparedTransaction(
        gid=short(row["gid"]),
        prepared_at=row["prepared_at"],
        owner=short(row["owner"]),
        database=short(row["database"]),
        xid_age=row["xid_age"],
    )


def lock_on(row: Row) -> str:
    """Say in words what a lock is on."""
    kind = row["locktype"]
    if kind == "transactionid":
        about = f"row of {_relation(row)}, " if row["relation_oid"] else ""
        return f"{about}transaction {row['xid']}"
    if kind == "virtualxid":
        return f"virtual transaction {row['virtualxid']}"
    if kind == "advisory" or kind == "userlock":
        return f"{kind} lock {_advisory_key(row)} in {short(row['database']) or 'database ' + str(row['database_oid'])}"
    if kind == "object":
        return f"object {row['objid']} of {short(row['catalog']) or row['classid']}"
    if not row["relation_oid"]:
        return short(f"{kind} {row['xid'] or row['objid'] or ''}".strip())
    name = _relation(row)
    words = {
        "relation": name,
        "extend": f"extension of {name}",
        "page": f"page {row['page']} of {name}",
        "tuple": f"row ({row['page']},{row['tuple']}) of {name}",
    }
    return words.get(kind, short(f"{kind} {name}", 600))


def _relation(row: Row) -> str:
    if row["relation"]:
        return f"{short(row['schema'])}.{short(row['relation'])}"
    return f"oid {row['relation_oid']} in database {short(row['database']) or row['database_oid']}"


def _advisory_key(row: Row) -> str:
    # objsubid 1: one 64-bit key in two halves; 2: two 32-bit keys.
    high, low = row["classid"] or 0, row["objid"] or 0
    if row["objsubid"] == 1:
        key = high << 32 | low
        return str(key - (1 << 64) if key >= 1 << 63 else key)
    return f"({_signed(high)}, {_signed(low)})"


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


def apply_waits(
    sessions: Sequence[Session], rows: Iterable[Row], leaders: Mapping[int, int]
) -> tuple[tuple[Session, ...], tuple[Holding, ...]]:
    """Fill in who waits for whom.

    A parallel worker's wait is its leader's: the leader is whom people know, and whom pg_blocking_pids() names as a blocker.

    Args:
        sessions: without waits.
        rows: of `queries.waits`.
        leaders: leader pid of each parallel worker that was listed.
    """
    waiters: dict[int, dict[str, Any]] = {}
    holdings: list[Holding] = []
    for row in rows:
        pid = row["leader"] or leaders.get(row["pid"], row["pid"])
        blockers = [leaders.get(blocker, blocker) for blocker in row["blockers"] or ()]
        wait = waiters.setdefault(
            pid, {"blocked_by": {}, "lock_mode": row["mode"], "lock_on": lock_on(row), "waiting_since": row["since"]}
        )
        wait["blocked_by"].update(dict.fromkeys(blocker for blocker in blockers if blocker != pid))
        if row["held"] and conflicts(row["held"], row["mode"]):
            holder = leaders.get(row["holder"], row["holder"]) or 0
            holdings.append(Holding(pid, holder, short(row["gid"]), f"{row['held']} on {lock_on(row)}"))
    filled = []
    for session in sessions:
        found = waiters.pop(session.pid, None)
        filled.append(_waiting(session, found) if found else session)
    # A waiter that the list of sessions had no room for, or that came after it was read.
    filled.extend(_waiting(_unlisted(pid), found) for pid, found in waiters.items())
    return tuple(filled), tuple(holdings)


def _waiting(session: Session, wait: Mapping[str, Any]) -> Session:
    since: datetime | None = wait["waiting_since"] or session.query_start
    return replace(
        session,
        blocked_by=tuple(wait["blocked_by"]),
        lock_mode=wait["lock_mode"],
        lock_on=wait["lock_on"],
        waiting_since=since,
    )


def _unlisted(pid: int) -> Session:
    return Session(pid, "", "", "", "", "", "", "", "", None, None, None, None, "")
