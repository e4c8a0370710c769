"""What the readings on the screen offer for indexes, backups and migrations."""

from __future__ import annotations

from debugtui.model.postgres import Index, PostgresReading, Table
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, SourceStatus
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.base import Offer
from tests.unit.fakes import START


def view(*, needs: bool = False, valid: bool = True, unused: bool = False) -> FleetView:
    table = Table("public", "laps", 1 << 20, 1, 0, None, None, 9, 9, 0, None, None, 0, needs_index=needs)
    index = Index("public", "laps", "laps_runner", 1 << 20, 0, valid, False, False, unused, "CREATE INDEX ...")
    reading = PostgresReading(
        START, "coach", "15", 150000, "monitor", False, None, 1, 100, 3, tables=(table,), indexes=(index,)
    )
    status = SourceStatus("kvm-01", "coach", Kind.POSTGRES, Freshness.LIVE, reading=reading)
    return FleetView(START, (HostView("kvm-01", "local", LinkStatus(LinkState.UP), (status,)),))


def offer(name: str, seen: FleetView, target: str = "kvm-01/postgres/coach") -> Offer | None:
    return registry.get(name).offer(seen, Target.parse(target))


def test_a_table_that_is_read_whole() -> None:
    found = offer("postgres.create_index", view(needs=True))
    assert found is not None
    assert found.applies
    assert found.params == (("table", "public.laps"),)
    calm = offer("postgres.create_index", view())
    assert calm is not None
    assert not calm.applies
    assert offer("postgres.create_index", view(needs=True), "kvm-01/postgres/coach/laps") == found
    assert offer("postgres.create_index", view(needs=True), "kvm-01/postgres/coach/4711") is None


def test_an_invalid_or_unused_index() -> None:
    for seen, rank in ((view(valid=False), 10), (view(unused=True), 40)):
        found = offer("postgres.drop_index", seen)
        assert found is not None
        assert (found.applies, found.params, found.rank) == (True, (("name", "public.laps_runner"),), rank)
    calm = offer("postgres.drop_index", view())
    assert calm is not None
    assert not calm.applies


def test_a_backup_and_a_migration_are_for_databases() -> None:
    for name in ("postgres.backup", "postgres.migrate"):
        found = offer(name, view())
        assert found is not None
        assert found.applies
        assert offer(name, view(), "kvm-01/postgres/coach/4711") is None
        assert offer(name, view(), "kvm-01/docker/api") is None
        assert offer(name, view(), "kvm-02/postgres/coach") is None
