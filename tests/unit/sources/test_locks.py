"""The lock tree: every waiter is there, nothing loops, nobody is counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.model.postgres import LockNode, PreparedTransaction, Session
from debugtui.sources.postgres.activity import apply_waits, conflicts
from debugtui.sources.postgres.locks import MOST_PARENTS, Holding, build_lock_tree

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def session(pid: int, blocked_by: tuple[int, ...] = (), age: float = 60, waits: float = 10) -> Session:
    return Session(
        pid=pid,
        database="coach",
        user="app",
        application=f"app-{pid}",
        client="local",
        backend_type="client backend",
        state="active" if blocked_by else "idle in transaction",
        wait_event_type="Lock" if blocked_by else "",
        wait_event="",
        backend_start=NOW - timedelta(hours=1),
        xact_start=NOW - timedelta(seconds=age),
        query_start=None,
        state_change=None,
        query=f"query {pid}",
        blocked_by=blocked_by,
        lock_mode="ShareLock" if blocked_by else "",
        lock_on="public.activities" if blocked_by else "",
        waiting_since=NOW - timedelta(seconds=waits) if blocked_by else None,
    )


def transaction(gid: str, age: float = 300) -> PreparedTransaction:
    return PreparedTransaction(gid, NOW - timedelta(seconds=age), "app", "coach", 10)


def shape(nodes: tuple[LockNode, ...]) -> list[str]:
    return [f"{'  ' * node.depth}{node.gid or node.pid}{'*' if node.repeated else ''}" for node in nodes]


def test_nobody_waits() -> None:
    assert build_lock_tree([session(1), session(2)], [transaction("x")]) == ()


def test_a_chain() -> None:
    nodes = build_lock_tree([session(1), session(2, (1,)), session(3, (2,))], now=NOW)
    assert shape(nodes) == ["1", "  2", "    3"]
    root, middle, leaf = nodes
    assert (root.waiters, middle.waiters, leaf.waiters) == (2, 1, 0)
    assert (root.parent, middle.parent, leaf.parent) == (None, 1, 2)
    assert (root.waits_s, root.age_s) == (None, 60)
    assert (middle.waits_s, middle.lock_mode, middle.lock_on) == (10, "ShareLock", "public.activities")
    assert (root.state, root.application, root.query) == ("idle in transaction", "app-1", "query 1")


def test_several_blockers_show_the_waiter_under_each_and_expand_it_once() -> None:
    nodes = build_lock_tree([session(1, age=90), session(2), session(3, (1, 2)), session(4, (3,))], now=NOW)
    assert shape(nodes) == ["1", "  3", "    4", "2", "  3*"]
    assert nodes[1].blockers == (1, 2)
    assert [node.waiters for node in nodes] == [2, 1, 0, 2, 1]


def test_roots_with_most_waiters_come_first_then_the_oldest() -> None:
    sessions = [session(1, age=10), session(2, age=99), session(3, age=5)]
    sessions += [session(11, (1,)), session(12, (2,)), session(13, (3,)), session(14, (3,))]
    assert [node.pid for node in build_lock_tree(sessions, now=NOW) if node.depth == 0] == [3, 2, 1]


def test_the_longest_wait_comes_first_below_a_blocker() -> None:
    sessions = [session(1), session(2, (1,), waits=5), session(3, (1,), waits=50)]
    assert shape(build_lock_tree(sessions, now=NOW)) == ["1", "  3", "  2"]


def test_a_blocker_that_cannot_be_seen_is_a_row_all_the_same() -> None:
    nodes = build_lock_tree([session(2, (777,))], now=NOW)
    assert shape(nodes) == ["777", "  2"]
    assert (nodes[0].state, nodes[0].query, nodes[0].age_s, nodes[0].waiters) == ("", "", None, 1)


def test_a_cycle_ends_and_its_worst_member_is_the_root() -> None:
    nodes = build_lock_tree([session(1, (2,), age=10), session(2, (1,), age=99), session(3, (1,))], now=NOW)
    assert shape(nodes) == ["2", "  1", "    2*", "    3"]
    assert [node.waiters for node in nodes] == [2, 2, 2, 0]


def test_prepared_transactions_are_told_apart_by_their_gid() -> None:
    prepared = [transaction("order-1", 50), transaction("order-2", 400)]
    holdings = [Holding(1, 0, "order-1", "RowExclusiveLock on public.a"), Holding(2, 0, "order-2", "ShareLock on public.b")]
    nodes = build_lock_tree([session(1, (0,)), session(2, (0,))], prepared, holdings, NOW)
    assert shape(nodes) == ["order-2", "  2", "order-1", "  1"]
    assert (nodes[0].pid, nodes[0].state, nodes[0].user, nodes[0].age_s) == (0, "prepared", "app", 400)
    assert nodes[2].held == "RowExclusiveLock on public.a"


def test_the_only_prepared_transaction_is_meant_where_nothing_says_more() -> None:
    assert shape(build_lock_tree([session(1, (0,))], [transaction("only")])) == ["only", "  1"]
    assert shape(build_lock_tree([session(1, (0,))], [transaction("a"), transaction("b")])) == ["0", "  1"]


def test_what_a_blocker_holds_is_named_once_and_not_without_end() -> None:
    held = [f"ShareLock on public.t{number}" for number in range(5)]
    holdings = [Holding(pid, 1, "", held[pid - 2]) for pid in range(2, 7)] + [Holding(7, 1, "", held[0])]
    nodes = build_lock_tree([session(1), *(session(pid, (1,)) for pid in range(2, 8))], (), holdings, NOW)
    assert nodes[0].held == f"{held[0]}, {held[1]}, {held[2]} and 2 more"


def test_a_long_queue_stays_within_bounds() -> None:
    """In a queue everybody waits for all before them: 300 waiters have 44,850 pairs."""
    sessions = [session(1), *(session(pid, tuple(range(1, pid))) for pid in range(2, 302))]
    holdings = [Holding(pid, 1, "", "AccessShareLock on public.t") for pid in range(2, 302)]
    nodes = build_lock_tree(sessions, (), holdings, NOW)
    assert len(nodes) <= 1 + 300 * MOST_PARENTS
    assert {node.pid for node in nodes} == {row.pid for row in sessions}
    assert nodes[0].pid == 1
    assert nodes[0].waiters == 300
    assert len(next(node for node in nodes if node.pid == 301).blockers) == 300
    assert all(any(node.pid == pid and node.parent == 1 for node in nodes) for pid in range(2, 302))


def test_a_deep_chain_needs_no_recursion() -> None:
    sessions = [session(1), *(session(pid, (pid - 1,)) for pid in range(2, 3_000))]
    nodes = build_lock_tree(sessions, now=NOW)
    assert nodes[-1].depth == 2_998
    assert nodes[0].waiters == 2_998


graphs = st.dictionaries(st.integers(1, 14), st.lists(st.integers(0, 16), max_size=6, unique=True), max_size=14)


@given(graphs)
def test_any_graph(graph: dict[int, list[int]]) -> None:
    sessions = [session(pid, tuple(blockers)) for pid, blockers in graph.items()]
    nodes = build_lock_tree(sessions, [transaction("only")], now=NOW)
    blockers = {pid: {b for b in found if b != pid} for pid, found in graph.items()}
    waiters = {pid for pid, found in blockers.items() if found}
    # every waiter and every blocker appears, and nobody else
    assert {node.pid for node in nodes} == waiters | {b for pid in waiters for b in blockers[pid]}
    # below each of its blockers
    for pid in waiters:
        parents = {node.parent for node in nodes if node.pid == pid and node.parent is not None}
        assert parents == blockers[pid]
    # repeated exactly when seen before, and never expanded again
    seen: set[int] = set()
    for number, node in enumerate(nodes):
        assert node.repeated == (node.pid in seen)
        seen.add(node.pid)
        following = nodes[number + 1] if number + 1 < len(nodes) else None
        if following is not None:
            assert following.depth <= node.depth + 1
            assert not (node.repeated and following.depth > node.depth)
    # counted once each
    for node in nodes:
        assert node.waiters == len(below(node.pid, blockers) - {node.pid})


def below(pid: int, blockers: dict[int, set[int]]) -> set[int]:
    found: set[int] = set()
    todo = [pid]
    while todo:
        current = todo.pop()
        for waiter, mine in blockers.items():
            if current in mine and waiter not in found:
                found.add(waiter)
                todo.append(waiter)
    return found


# -- rows of pg_locks


def wait(pid: int, blockers: list[int], **more: object) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(
        ["database", "database_oid", "relation_oid", "schema", "relation", "page", "tuple", "virtualxid", "xid", "catalog"]
    )
    row |= {"pid": pid, "blockers": blockers, "locktype": "relation", "mode": "AccessExclusiveLock", "since": NOW}
    row |= {"relation_oid": 16_384, "schema": "public", "relation": "activities", "database": "coach", "database_oid": 5}
    row |= {"classid": None, "objid": None, "objsubid": None, "holder": None, "held": None, "gid": None, "leader": None} | more
    return row


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        ({}, "public.activities"),
        ({"schema": None, "relation": None, "database": "other"}, "oid 16384 in database other"),
        ({"schema": None, "relation": None, "database": None}, "oid 16384 in database 5"),
        ({"locktype": "extend"}, "extension of public.activities"),
        ({"locktype": "page", "page": 7}, "page 7 of public.activities"),
        ({"locktype": "tuple", "page": 7, "tuple": 3}, "row (7,3) of public.activities"),
        ({"locktype": "transactionid", "xid": "745"}, "row of public.activities, transaction 745"),
        ({"locktype": "transactionid", "xid": "745", "relation_oid": None}, "transaction 745"),
        ({"locktype": "virtualxid", "virtualxid": "3/12", "relation_oid": None}, "virtual transaction 3/12"),
        ({"locktype": "advisory", "relation_oid": None, "classid": 0, "objid": 42, "objsubid": 1}, "advisory lock 42 in coach"),
        (
            {"locktype": "advisory", "relation_oid": None, "classid": 2**32 - 1, "objid": 2**32 - 1, "objsubid": 1},
            "advisory lock -1 in coach",
        ),
        (
            {"locktype": "advisory", "relation_oid": None, "classid": 7, "objid": 2**32 - 5, "objsubid": 2},
            "advisory lock (7, -5) in coach",
        ),
        (
            {"locktype": "object", "relation_oid": None, "catalog": "pg_namespace", "objid": 2200},
            "object 2200 of pg_namespace",
        ),
        ({"locktype": "spectoken", "relation_oid": None, "xid": "9"}, "spectoken 9"),
        ({"relation": "a\x1b]52;c;x\x07b\nc"}, "public.ab␊c"),
    ],
)
def test_what_a_lock_is_on_is_readable(lock: dict[str, object], says: str) -> None:
    (found,), _ = apply_waits([session(1)], [wait(1, [2], **lock)], {})
    assert found.lock_on == says


def test_a_parallel_worker_waits_for_its_leader() -> None:
    sessions, _ = apply_waits([session(1), session(2), session(22)], [wait(22, [1, 1, 2])], {22: 2})
    assert {row.pid: row.blocked_by for row in sessions} == {1: (), 2: (1,), 22: ()}


def test_a_parallel_worker_that_began_after_the_list_was_read_waits_for_its_leader() -> None:
    sessions, _ = apply_waits([session(1), session(2)], [wait(22, [1], leader=2), wait(23, [1], leader=2)], {})
    assert {row.pid: row.blocked_by for row in sessions} == {1: (), 2: (1,)}


def test_only_conflicting_locks_are_held_against_a_waiter() -> None:
    rows = [
        wait(1, [2, 3], mode="RowExclusiveLock", holder=2, held="AccessShareLock"),
        wait(1, [2, 3], mode="RowExclusiveLock", holder=3, held="ShareLock"),
    ]
    (found,), holdings = apply_waits([session(1)], rows, {})
    assert found.blocked_by == (2, 3)
    assert holdings == (Holding(1, 3, "", "ShareLock on public.activities"),)


def test_a_waiter_that_the_list_does_not_hold_is_added() -> None:
    sessions, _ = apply_waits([], [wait(9, [1])], {})
    assert [(row.pid, row.blocked_by) for row in sessions] == [(9, (1,))]


def test_modes_conflict_as_the_manual_says() -> None:
    assert conflicts("AccessExclusiveLock", "AccessShareLock")
    assert not conflicts("AccessShareLock", "ExclusiveLock")
    assert not conflicts("ShareLock", "ShareLock")
    assert not conflicts("RowExclusiveLock", "RowExclusiveLock")
    assert conflicts("RowExclusiveLock", "ShareLock")
    assert not conflicts("something new", "ShareLock")
