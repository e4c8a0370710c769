"""Fills the demo's database: roles, tables, and the faults that a panel on tables and indexes should show."""

from __future__ import annotations

import contextlib
from importlib.resources import files
from pathlib import Path

import asyncpg

DATABASE = "coach"
WATCHER, OWNER, APPLICATION, REPAIRER = "monitor", "coach_owner", "coach_app", "coach_repair"

_CLUSTER = f"""
CREATE ROLE {WATCHER} LOGIN IN ROLE pg_monitor;
CREATE ROLE {OWNER} LOGIN;
CREATE ROLE {APPLICATION} LOGIN;
CREATE ROLE {REPAIRER} LOGIN SUPERUSER;
"""


async def connect(socket_dir: Path, user: str, application: str, database: str = DATABASE) -> asyncpg.Connection:
    """Return a session of one of the demo's programs."""
    return await asyncpg.connect(
        host=str(socket_dir),
        user=user,
        database=database,
        server_settings={"application_name": application},
        statement_cache_size=0,
        timeout=10,
    )


async def seed(socket_dir: Path, *, statements: bool) -> None:
    """Make roles, database and tables; `statements`: pg_stat_statements is loaded."""
    cluster = await connect(socket_dir, "postgres", "seed", "postgres")
    try:
        await cluster.execute(_CLUSTER)
        await cluster.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    finally:
        await cluster.close()
    if statements:
        superuser = await connect(socket_dir, "postgres", "seed")
        try:
            await superuser.execute("CREATE EXTENSION pg_stat_statements")
        finally:
            await superuser.close()
    owner = await connect(socket_dir, OWNER, "seed")
    try:
        await owner.execute(files("debugtui.demo").joinpath("postgres_seed.sql").read_text(encoding="utf-8"))
        # The way invalid indexes come about: the build fails at the first double entry, and what was built stays.
        with contextlib.suppress(asyncpg.UniqueViolationError):
            await owner.execute("CREATE UNIQUE INDEX CONCURRENTLY plans_athlete_week ON plans (athlete_id, week)")
    finally:
        await owner.close()
