"""What answers faults of databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from debugtui.diagnosis.anomaly import Anomaly, node_of
from debugtui.diagnosis.explain import Root
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.model.diagnosis import Offer
from debugtui.model.target import Target


def offers(root: Root, around: Surroundings) -> Iterator[Offer]:
    """Yield what answers the fault of one database or session."""
    make = _BY_RULE.get(root.cause.rule)
    if make is not None:
        yield from make(root.cause)


def _blocker(cause: Anomaly) -> Iterator[Offer]:
    """One that does nothing can only be ended; one that works is asked to stop first."""
    if not cause.fact("pid"):
        return  # a prepared transaction: only its coordinator may end it
    if cause.fact("state") == "active":
        yield Offer("postgres.cancel_query", cause.target)
    yield Offer("postgres.terminate_session", cause.target)


def _connections(cause: Anomaly) -> Iterator[Offer]:
    application = cause.fact("application")
    if application:
        yield Offer("postgres.free_connections", node_of(cause.target), (("application", application),))


def _index(cause: Anomaly) -> Iterator[Offer]:
    if cause.fact("name"):
        yield Offer("postgres.drop_index", node_of(cause.target), (("name", cause.fact("name")),))


def _missing(cause: Anomaly) -> Iterator[Offer]:
    """Which columns stands in no reading: a person names them."""
    if cause.fact("table"):
        yield Offer("postgres.create_index", node_of(cause.target), (("table", cause.fact("table")),))


def _vacuum(cause: Anomaly) -> Iterator[Offer]:
    if cause.fact("table"):
        yield Offer("postgres.vacuum", node_of(cause.target), (("table", cause.fact("table")),))


def _setting(cause: Anomaly) -> Iterator[Offer]:
    whose = cause.fact("of_role")
    if whose:
        if cause.fact("name") in _OF_ROLES:
            bound = (("role", whose), ("name", cause.fact("name")), ("value", _OF_ROLES[cause.fact("name")]))
            yield Offer("postgres.role_timeout", node_of(cause.target), bound)
    elif cause.fact("name") in _SETTABLE:
        params = (("name", cause.fact("name")), ("value", cause.fact("default")))
        yield Offer("postgres.set_parameter", node_of(cause.target), params)


#: What ordinary work can live with, where a role is held to less.
_OF_ROLES = {"statement_timeout": "30s", "lock_timeout": "5s"}
#: Of the harmful settings those that are changed on a running server without a decision of the data's owner.
_SETTABLE = frozenset({"idle_session_timeout", "log_min_duration_statement"})


def _slot(cause: Anomaly) -> Iterator[Offer]:
    """A bound on what slots may keep; the slot itself is its consumer's."""
    params = (("name", "max_slot_wal_keep_size"), ("value", "10GB"))
    yield Offer("postgres.set_parameter", node_of(cause.target), params)


def _down(cause: Anomaly) -> Iterator[Offer]:
    target = node_of(cause.target)
    yield Offer("system.restart_unit", Target(target.host, "system", "postgresql.service"))


_BY_RULE: dict[str, Callable[[Anomaly], Iterator[Offer]]] = {
    "lock_chain": _blocker,
    "lock_wait": _blocker,
    "idle_in_transaction": _blocker,
    "idle_writer": _blocker,
    "long_query": _blocker,
    "query_running": _blocker,
    "connections": _connections,
    "index_invalid": _index,
    "index_missing": _missing,
    "table_bloated": _vacuum,
    "wraparound": _vacuum,
    "setting_harmful": _setting,
    "slot_retains": _slot,
    "lost_down": _down,
}
