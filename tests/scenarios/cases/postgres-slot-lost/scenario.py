"""A replication slot that nobody reads has lost its WAL: the standby behind it has to be made anew."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    await lab.database.execute("SELECT pg_create_physical_replication_slot('standby_2', true)")
    for _ in range(6):
        await lab.database.execute("INSERT INTO jobs (kind) VALUES ('w')", "SELECT pg_switch_wal()", "CHECKPOINT")
    await lab.database.until("SELECT wal_status = 'lost' FROM pg_replication_slots")


async def heal(lab: Lab) -> None:
    await lab.database.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
