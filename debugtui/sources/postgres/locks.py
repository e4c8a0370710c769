"""Who blocks whom, as a tree. Pure: sessions in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True, order=True)
class _Key:
    """A node: a session by its pid, or a prepared transaction (pid 0) by its gid."""

    pid: int
    gid: str = ""


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
            key = _Key(holding.pid, holding.gid)
            mine[key] = mine.get(key) or holding.held
        for session in sessions:
            if session.blocked_by:
                self._connect(session, known.get(session.pid, {}))
        for waiters in self.children.values():
            waiters.sort(key=lambda key: (-(self.waits(key) or 0.0), key))
        self.below = self._count()

    def _connect(self, session: Session, holdings: dict[_Key, str]) -> None:
        waiter = _Key(session.pid)
        blockers: dict[_Key, str] = {}
        for pid in session.blocked_by:
            if pid:
                blockers[_Key(pid)] = holdings.get(_Key(pid), "")
            else:
                blockers.update({key: holdings.get(key, "") for key in self._gids(holdings)})
        blockers.pop(waiter, None)
        # Who really holds the lock comes before who merely queues for it.
        chosen = sorted(blockers, key=lambda key: not blockers[key])[:MOST_PARENTS]
        for key in chosen:
            self.children.setdefault(key, []).append(waiter)
            held = blockers[key]
            if held and held not in self.held.setdefault(key, []):
                self.held[key].append(held)
        if chosen:
            self.parents[waiter] = chosen

    def _gids(self, holdings: dict[_Key, str]) -> list[_Key]:
        """The prepared transactions that block; the only one there is where nothing says more."""
        named = [key for key in holdings if key.pid == 0]
        if named:
            return named
        return [_Key(0, next(iter(self.prepared)))] if len(self.prepared) == 1 else [_Key(0)]

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
        session = self.sessions.get(key.pid)
        return self._since(session.waiting_since) if session and key in self.parents else None

    def age(self, key: _Key) -> float | None:
        """Seconds since its transaction began."""
        if key.pid == 0:
            transaction = self.prepared.get(key.gid)
            return self._since(transaction.prepared_at) if transaction else None
        session = self.sessions.get(key.pid)
        return self._since(session.xact_start) if session else None

    def worst_first(self, keys: Iterable[_Key]) -> list[_Key]:
        """Most waiters first, then the oldest transaction."""
        return sorted(keys, key=lambda key: (-self.below[key], -(self.age(key) or 0.0), key))

    def row(self, key: _Key, depth: int, parent: _Key | None, repeated: bool) -> LockNode:
        """One row of the tree."""
        session = self.sessions.get(key.pid) if key.pid else None
        transaction = self.prepared.get(key.gid) if not key.pid else None
        held = self.held.get(key, [])
        more = f" and {len(held) - MOST_HELD} more" if len(held) > MOST_HELD else ""
        return LockNode(
            pid=key.pid,
            depth=depth,
            parent=parent.pid if parent else None,
            application=session.application if session else "",
            user=session.user if session else transaction.owner if transaction else "",
            state=session.state if session else "" if key.pid else "prepared",
            query=session.query if session else "",
            lock_mode=session.lock_mode if session else "",
            lock_on=session.lock_on if session else "",
            held=", ".join(held[:MOST_HELD]) + more,
            waits_s=self.waits(key),
            age_s=self.age(key),
            waiters=self.below[key],
            blockers=session.blocked_by if session else (),
            repeated=repeated,
            gid=key.gid,
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
