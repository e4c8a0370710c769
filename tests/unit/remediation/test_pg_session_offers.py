"""What the readings on the screen offer for sessions, connections, parameters and tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from debugtui.model.postgres import PostgresReading, PreparedTransaction, Session, Table
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import Offer
from debugtui.sources.postgres.locks import build_lock_tree
from tests.unit.fakes import START


def one(pid: int, state: str, *, application: str = "coach-web", blocked_by: tuple[int, ...] = ()) -> Session:
    moment = START - timedelta(minutes=5)
    xact = moment if state != "idle" else None
    return Session(
        pid, "coach", "app", application, "", "client backend", state, "", "", moment, xact, moment, moment, "SELECT 1",
        blocked_by=blocked_by,
    )  # fmt: skip


CHAIN = (one(10, "idle in transaction"), one(11, "active", blocked_by=(10,)), one(12, "active", blocked_by=(11, 10)))


def view(*sessions: Session, prepared: tuple[PreparedTransaction, ...] = (), used: int = 5, dead: int = 0) -> FleetView:
    table = Table("public", "laps", 1 << 20, 1000, dead, 60.0 if dead else 0.0, None, 9, 9, 0, None, None, 0)
    reading = PostgresReading(
        START, "coach", "15", 150000, "monitor", False, None, used, 100, 3, sessions=sessions, prepared=prepared,
        locks=build_lock_tree(sessions, prepared, now=START), tables=(table,),
    )  # fmt: skip
    status = SourceStatus("kvm-01", "coach", Kind.POSTGRES, Freshness.LIVE, reading=reading)
    return FleetView(START, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), (status,)),))


def offer(name: str, seen: FleetView, resource: str = "coach") -> Offer | None:
    return registry.get(f"postgres.{name}").offer(seen, Target("kvm-01", "postgres", resource))


def made(name: str, seen: FleetView, resource: str = "coach") -> Offer:
    found = offer(name, seen, resource)
    assert found is not None
    return found


def test_a_waiter_offers_the_root_of_its_queue() -> None:
    for resource in ("coach/10", "coach/11", "coach/12", "coach"):
        found = made("terminate_session", view(*CHAIN), resource)
        assert (found.applies, found.target.name, found.rank) == (True, "coach/10", 0)
        assert "2 wait for it" in found.why
    assert "12 among them" in made("terminate_session", view(*CHAIN), "coach/12").why


def test_cancelling_does_not_apply_to_an_idle_transaction() -> None:
    found = made("cancel_query", view(*CHAIN), "coach/11")
    assert not found.applies
    assert "no effect" in found.why
    running = view(one(10, "active"), one(11, "active", blocked_by=(10,)))
    assert made("cancel_query", running, "coach/11").target.name == "coach/10"
    assert made("cancel_query", running, "coach/11").rank < made("terminate_session", running, "coach/11").rank


def test_a_prepared_transaction_is_nobodys_session() -> None:
    prepared = PreparedTransaction("g1", START - timedelta(hours=1), "app", "coach", 9)
    seen = view(one(11, "active", blocked_by=(0,)), prepared=(prepared,))
    for name in ("cancel_query", "terminate_session"):
        found = made(name, seen, "coach/11")
        assert not found.applies
        assert "coordinator" in found.why


def test_what_is_not_there_or_not_a_client_does_not_apply() -> None:
    seen = view(
        replace(one(10, "active"), backend_type="walsender"), one(11, "active", application="debugtui"), one(12, "idle")
    )
    for resource in ("coach/10", "coach/11", "coach/12", "coach/99", "coach"):
        assert not made("terminate_session", seen, resource).applies
        assert not made("cancel_query", seen, resource).applies
    assert offer("terminate_session", seen, "coach/laps") is None
    assert offer("cancel_query", seen, "other/10") is None


def test_connections_that_run_out() -> None:
    idle = [one(pid, "idle", application="pool") for pid in range(20, 30)]
    found = made("free_connections", view(*idle, one(31, "idle"), used=85))
    assert (found.applies, found.params) == (True, (("application", "pool"),))
    assert not made("free_connections", view(*idle, used=40)).applies
    assert not made("free_connections", view(one(1, "active"), used=85)).applies
    assert offer("free_connections", view(*idle), "coach/20") is None


def test_dead_rows() -> None:
    found = made("vacuum", view(dead=5000), "coach/laps")
    assert (found.applies, found.params) == (True, (("table", "public.laps"),))
    assert not made("vacuum", view()).applies
    assert offer("vacuum", view(), "coach/4711") is None
    assert offer("vacuum", view(), "coach/elsewhere") is None


def test_roles_and_parameters() -> None:
    found = made("role_timeout", view(*CHAIN), "coach/10")
    assert found.params == (("role", "app"), ("name", "idle_in_transaction_session_timeout"))
    assert not made("role_timeout", view(*CHAIN), "coach/11").applies
    assert made("role_timeout", view()).applies
    assert made("set_parameter", view()).applies
    assert offer("set_parameter", view(*CHAIN), "coach/10") is None
