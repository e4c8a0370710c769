"""Who blocks whom, as a tree. Pure: sessions in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from debugtui.model.postgres import LockNode, PreparedTransaction, Session

#: A waiter stands under at most this many of its blockers. In a queue of n sessions each waits for all before it, which would
#: make n²/2 rows; `LockNode.blockers` names them all.
MOST_PARENTS = 8

#: Most things named in `held`.
MOST_HELD = 3


@dataclass(frozen=True, slots=True)
class Holding:
    """What one blocker of one waiter holds (or, in the queue before it, asks for).

    Attributes:
        waiter: pid of who waits.
        pid: pid of who blocks it; 0 for a prepared transaction.
        gid: of the prepared transaction.
        held: `RowExclusiveLock on public.activities`; empty for one that only stands before it in the queue.
    """

    waiter: int
    pid: int
    gid: str = ""
    held: str = ""


#: A node: a session by its pid, or a prepared transaction by its gid.
_Key: TypeAlias = int | str


class _Graph:
    """Blockers and waiters, with the rows' fields."""

    def __init__(
        self,
        sessions: Sequence[Session],
        prepared: Sequence[PreparedTransaction],
        holdings: Iterable[Holding],
        now: datetime | None,
    ) -> None:
        self.sessions = {session.pid: session for session in sessions}
        self.prepared = {transaction.gid: transaction for transaction in prepared}
        self.now = now
        self.held: dict[_Key, list[str]] = {}
        self.parents: dict[_Key, list[_Key]] = {}
        self.children: dict[_Key, list[_Key]] = {}
        known: dict[int, dict[_Key, str]] = {}
        for holding in holdings:
            mine = known.setdefault(holding.waiter, {})
            key = holding.pid or holding.gid
            mine[key] = mine.get(key) or holding.held
        for session in sessions:
            if session.blocked_by:
                self._connect(session, known.get(session.pid, {}))
        for waiters in self.children.values():
            waiters.sort(key=lambda key: (-(self.waits(key) or 0.0), str(key)))
        self.below = self._count()

    def _connect(self, session: Session, holdings: dict[_Key, str]) -> None:
        """Put a waiter below its blockers: first who really holds the lock, then who stands before it in the queue."""
        blockers = dict.fromkeys(session.blocked_by)
        chosen: list[_Key] = []
        if 0 in blockers:
            chosen += [key for key in holdings if isinstance(key, str)] or [self._only_prepared()]
        chosen += [key for key, held in holdings.items() if held and key in blockers and key]
        chosen = [key for key in chosen if key != session.pid][:MOST_PARENTS]
        for pid in blockers:
            if len(chosen) == MOST_PARENTS:
                break
            if pid and pid != session.pid and pid not in chosen:
                chosen.append(pid)
        for key in chosen:
            self.children.setdefault(key, []).append(session.pid)
            held = holdings.get(key)
            if held and held not in self.held.setdefault(key, []):
                self.held[key].append(held)
        if chosen:
            self.parents[session.pid] = chosen

    def _only_prepared(self) -> str:
        """The prepared transaction that is meant where nothing names it: the only one, or one without a name."""
        return next(iter(self.prepared)) if len(self.prepared) == 1 else ""

    def _count(self) -> dict[_Key, int]:
        """Who waits below each node, as bit sets: a fixed point, so that a cycle ends too."""
        nodes = list(dict.fromkeys([*self.children, *self.parents]))
        bit = {key: 1 << number for number, key in enumerate(nodes)}
        below = dict.fromkeys(nodes, 0)
        changed = True
        while changed:
            changed = False
            for key in reversed(nodes):
                reached = below[key]
                for child in self.children.get(key, ()):
                    reached |= bit[child] | below[child]
                if reached != below[key]:
                    below[key] = reached
                    changed = True
        return {key: (below[key] & ~bit[key]).bit_count() for key in nodes}

    def _since(self, moment: datetime | None) -> float | None:
        if moment is None or self.now is None:
            return None
        return max(0.0, (self.now - moment).total_seconds())

    def waits(self, key: _Key) -> float | None:
        """Seconds that this node has waited; None for one that does not wait, or where nothing says since when."""
        session = self.session(key)
        return self._since(session.waiting_since) if session and key in self.parents else None

    def age(self, key: _Key) -> float | None:
        """Seconds since its transaction began."""
        if isinstance(key, str):
            transaction = self.prepared.get(key)
            return self._since(transaction.prepared_at) if transaction else None
        session = self.session(key)
        return self._since(session.xact_start) if session else None

    def session(self, key: _Key) -> Session | None:
        """The session of a node; None for a prepared transaction, and for one that cannot be seen."""
        return self.sessions.get(key) if isinstance(key, int) else None

    def worst_first(self, keys: Iterable[_Key]) -> list[_Key]:
        """Most waiters first, then the oldest transaction."""
        return sorted(keys, key=lambda key: (-self.below[key], -(self.age(key) or 0.0), str(key)))

    def row(self, key: _Key, depth: int, parent: _Key | None, repeated: bool) -> LockNode:
        """One row of the tree."""
        session = self.session(key)
        gid = key if isinstance(key, str) else ""
        transaction = self.prepared.get(gid) if isinstance(key, str) else None
        held = self.held.get(key, [])
        more = f" and {len(held) - MOST_HELD} more" if len(held) > MOST_HELD else ""
        return LockNode(
            pid=key if isinstance(key, int) else 0,
            depth=depth,
            parent=parent if isinstance(parent, int) or parent is None else 0,
            application=session.application if session else "",
            user=session.user if session else transaction.owner if transaction else "",
            state=session.state if session else "prepared" if isinstance(key, str) else "",
            query=session.query if session else "",
            lock_mode=session.lock_mode if session else "",
            lock_on=session.lock_on if session else "",
            held=", ".join(held[:MOST_HELD]) + more,
            waits_s=self.waits(key),
            age_s=self.age(key),
            waiters=self.below[key],
            blockers=session.blocked_by if session else (),
            repeated=repeated,
            gid=gid,
        )


def build_lock_tree(
    sessions: Sequence[Session],
    prepared: Sequence[PreparedTransaction] = (),
    holdings: Iterable[Holding] = (),
    now: datetime | None = None,
) -> tuple[LockNode, ...]:
    """Return the rows of the tree, depth first.

    Roots block and do not wait themselves; those with most waiters come first, then the oldest transaction. Below each, the
    longest wait comes first. A blocker that is not among the sessions is a row all the same. Of a cycle (a deadlock that the
    server is about to resolve) the worst member stands in as root.

    Args:
        sessions: with `blocked_by` filled where they wait.
        prepared: transactions prepared for two-phase commit, which block as pid 0.
        holdings: what the blockers hold, and which prepared transaction a pid 0 is.
        now: the server's time; without it no ages are known.
    """
    graph = _Graph(sessions, prepared, holdings, now)
    rows: list[LockNode] = []
    seen: set[_Key] = set()

    def walk(root: _Key) -> None:
        stack: list[tuple[_Key, int, _Key | None]] = [(root, 0, None)]
        while stack:
            key, depth, parent = stack.pop()
            repeated = key in seen
            rows.append(graph.row(key, depth, parent, repeated))
            if not repeated:
                seen.add(key)
                stack.extend((child, depth + 1, key) for child in reversed(graph.children.get(key, [])))

    for root in graph.worst_first(key for key in graph.children if key not in graph.parents):
        walk(root)
    for member in graph.worst_first(graph.parents):
        if member not in seen:
            walk(member)
    return tuple(rows)
