"""Who blocks whom, and who holds the connections, in words and facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from debugtui.diagnosis.own.making import plural, span
from debugtui.model.postgres import LockNode, PostgresReading, Session
from debugtui.model.target import Target
from debugtui.model.text import line

#: Sessions of one application that do nothing: from this share of all on they are what takes the connections, in per cent.
LEAK_PERCENT = 40.0


@dataclass(frozen=True, slots=True)
class Blocking:
    """One root of the lock tree. `longest_s`: the longest wait below it; `since`: when its transaction began."""

    says: str
    longest_s: float
    since: datetime | None
    facts: dict[str, str]


def blocking(reading: PostgresReading, place: int, target: Target) -> Blocking | None:
    """Return what is known of the root at a place of the lock tree; None where nobody waits for it."""
    root = reading.locks[place]
    below = _below(reading.locks, place)
    if not below:
        return None
    session = next((one for one in reading.sessions if one.pid == root.pid and root.pid), None)
    longest = max((node.waits_s or 0.0 for node in below), default=0.0)
    on = _object(root, below)
    who = _who(root, session)
    state = _state(root, session, reading.taken_at)
    waiters = root.waiters or len({node.pid for node in below})
    says = f"{who} ({state}) blocks {plural(waiters, 'session')}{f' on {on}' if on else ''}, the longest for {span(longest)}"
    facts = {
        "pid": str(root.pid) if root.pid else "",
        "gid": root.gid,
        "state": root.state,
        "application": root.application or (session.application if session else ""),
        "on": on,
        "waiters": str(waiters),
        "title": f"{who} ({state}) blocks {plural(waiters, 'session')}{f' on {on}' if on else ''}",
        "waiting": ",".join(sorted({node.application or node.user for node in below} - {""}))[:200],
        "database": str(target),
    }
    return Blocking(line(says, 240), longest, session.xact_start or session.state_change if session else None, facts)


def _below(nodes: tuple[LockNode, ...], place: int) -> list[LockNode]:
    found = []
    for node in nodes[place + 1 :]:
        if node.depth <= nodes[place].depth:
            break
        found.append(node)
    return found


def _object(root: LockNode, below: list[LockNode]) -> str:
    """Return the relation that is waited for: `activities`."""
    held = root.held.rpartition(" on ")[2].partition(",")[0] if " on " in root.held else ""
    waited = next((node.lock_on for node in below if "." in node.lock_on), "")
    name = (waited or held).partition(",")[0].rpartition(" of ")[2]
    return line(name.removeprefix("public."), 80)


def _who(root: LockNode, session: Session | None) -> str:
    if root.gid or not root.pid:
        return f"prepared transaction {line(root.gid, 60) or '(not named)'}"
    application = root.application or (session.application if session else "")
    return f"session {root.pid}" + (f" of {line(application, 40)}" if application else "")


def _state(root: LockNode, session: Session | None, now: datetime) -> str:
    state = root.state or "its state cannot be seen"
    since = None if session is None else session.query_start if state == "active" else session.state_change
    return f"{state} for {span((now - since).total_seconds())}" if since is not None else state


@dataclass(frozen=True, slots=True)
class Holder:
    """The application that holds most connections: how many, and how many of them do nothing; `waiting` wait for a lock."""

    application: str
    held: int
    idle: int
    waiting: int
    leaks: bool


def holder(reading: PostgresReading) -> Holder | None:
    """Return who holds most connections; None where nothing is known of the sessions."""
    clients = [one for one in reading.sessions if one.backend_type in ("", "client backend")]
    if not clients:
        return None
    application, held = sorted(Counter(one.application for one in clients).items(), key=lambda pair: (-pair[1], pair[0]))[0]
    own = [one for one in clients if one.application == application]
    idle = sum(one.state == "idle" for one in own)
    waiting = sum(bool(one.blocked_by) for one in clients)
    leaks = bool(application) and 100 * idle >= LEAK_PERCENT * len(clients)
    return Holder(application, held, idle, waiting, leaks)
