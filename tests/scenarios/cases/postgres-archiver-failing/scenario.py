"""The command that archives the WAL fails: nothing can be restored to a moment after that."""

from __future__ import annotations

from tests.scenarios.lab.lab import Lab


async def break_(lab: Lab) -> None:
    lab.database.forbidden.touch()
    await lab.database.execute("INSERT INTO jobs (kind) VALUES ('archived')", "SELECT pg_switch_wal()")
    await lab.database.until(
        "SELECT last_failed_time > coalesce(last_archived_time, '-infinity') FROM pg_stat_archiver", timeout=20
    )


async def heal(lab: Lab) -> None:
    lab.database.forbidden.unlink(missing_ok=True)
    await lab.database.execute("INSERT INTO jobs (kind) VALUES ('archived')", "SELECT pg_switch_wal()")
    await lab.database.until("SELECT last_archived_time > last_failed_time FROM pg_stat_archiver", timeout=80)
