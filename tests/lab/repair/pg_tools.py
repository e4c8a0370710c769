"""What the tests of PostgreSQL repairs share: eyes and hands on a real server, real dumps, a plan's way without the engine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from debugtui.config.models import BackupConfig, BackupsConfig, Config, HostConfig, PostgresConfig
from debugtui.hosts.link import CommandResult
from debugtui.hosts.local import LocalLink
from debugtui.model.execution import Approval, Person
from debugtui.model.plan import Before, Plan, Risk, RiskClass, RiskVector, fingerprint
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import Done, Draft, Job, LiveCheck, LiveStep, Remediation
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.hands import Hands
from tests.services.postgres_server import PostgresServer

HOST = "kvm-01"
TARGET = Target(HOST, "postgres", "coach")


class PrefixLink(LocalLink):
    """This machine, with words put before every command (`setpriv ...`), or a program taken away."""

    def __init__(self, prefix: Sequence[str] = (), without: str = "") -> None:
        super().__init__(HOST)
        self.prefix, self.without = tuple(prefix), without
        self.ran: list[tuple[str, ...]] = []

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 4_000_000) -> CommandResult:
        self.ran.append(tuple(argv))
        if self.without and self.without in argv:
            return CommandResult(127, b"", b"env: not found")
        return await super().run([*self.prefix, *argv], timeout=timeout, stdin=stdin, limit=limit)


#: Everything runs as somebody who is not root.
AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--")


class NoAsker:
    async def ask(self, *args: object, **more: object) -> str | None:
        raise AssertionError("nobody is to be asked for a secret")


def surroundings(
    server: PostgresServer,
    *,
    backups: Sequence[str] = (),
    link: LocalLink | None = None,
    rpo: float = 3600.0,
    repair: str = "postgres",
    database: str = "coach",
    dwell: float = 0.05,
) -> Surroundings:
    postgres = PostgresConfig(
        name=database,
        dsn=server.dsn(database=database),
        repair_dsn=server.dsn(repair, database),
        backups=tuple(BackupConfig(kind="dump", path=path) for path in backups),
    )
    host = HostConfig(name=HOST, address="local", postgres=(postgres,))
    config = Config(hosts=(host,), backups=BackupsConfig(rpo=rpo))

    async def view() -> FleetView:
        return FleetView(taken_at=datetime.now(UTC), hosts=())

    return Surroundings(config, host, link or PrefixLink(), NoAsker(), view, dwell=dwell)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def eyes_of(around: Surroundings) -> AsyncIterator[Eyes]:
    eyes = Eyes(around)
    try:
        yield eyes
    finally:
        await eyes.close()


def dump(server: PostgresServer, path: Path, *options: str, database: str = "coach") -> Path:
    """A real dump by the real pg_dump."""
    argv = [
        str(server.bin / "pg_dump"),
        "-h",
        str(server.socket_dir),
        "-p",
        str(server.port),
        "-U",
        "postgres",
        "-f",
        str(path),
    ]
    subprocess.run([*argv, *(options or ("-Fc",)), database], check=True, timeout=60)
    return path


def age(path: Path, seconds: float) -> Path:
    """Make a file look that old."""
    moment = path.stat().st_mtime - seconds
    os.utime(path, (moment, moment))
    return path


def fake_plan(remediation: Remediation, draft: Draft, params: Mapping[str, str], number: str) -> Plan:
    now = datetime.now(UTC)
    vector = RiskVector(0, 0, 0, 0, 0, 0, 0, 0)
    return Plan(
        id=number,
        remediation=remediation.spec.name,
        target=draft.target,
        params=tuple(sorted(params.items())),
        problem=draft.problem,
        solution=draft.solution,
        risk=Risk(RiskClass.ROUTINE, "none", vector, ("",) * 8),
        before=Before(fingerprint(draft.identity), now, tuple(sorted(draft.identity.items()))),
        diff=draft.diff,
        guards=draft.guards,
        steps=(),
        rollback=(),
        irreversible=(),
        checks=(),
        mitigations=(),
        data="{}",
        made_at=now,
        expires_at=now + timedelta(minutes=15),
    )


@dataclass
class Run:
    """One drafted repair, carried through step by step."""

    remediation: Remediation
    around: Surroundings
    draft: Draft
    job: Job
    plan: Plan
    told: list[str] = field(default_factory=list)
    results: dict[str, object] = field(default_factory=dict)

    def now(self) -> Job:
        return Job(self.job.plan_id, self.job.target, self.job.params, self.job.data, dict(self.results))

    async def step(self, step: LiveStep, number: str) -> Done:
        now = datetime.now(UTC)
        person = Person("ops", 1000, "Ops", "tty")
        approval = Approval(
            self.plan.id,
            self.plan.digest,
            self.plan.before.fingerprint,
            RiskClass.ROUTINE,
            person,
            now,
            now + timedelta(minutes=5),
        )
        hands = Hands(self.around, self.plan, approval, number, self.results, self.told.append)
        try:
            done = await asyncio.wait_for(step.run(hands), step.timeout_s)
        finally:
            await hands.close()
        self.results.update(done.facts)
        return done

    async def steps(self) -> list[Done]:
        return [await self.step(step, str(number)) for number, step in enumerate(self.remediation.steps(self.now()), 1)]

    async def undo(self) -> list[Done]:
        return [await self.step(step, f"r{number}") for number, step in enumerate(self.remediation.undo(self.now()), 1)]

    async def settle(self, number: int = 1) -> str:
        async with eyes_of(self.around) as eyes:
            return (await self.remediation.steps(self.now())[number - 1].settle(eyes)).value

    async def look(self, checks: Sequence[LiveCheck] | None = None) -> dict[str, bool | None]:
        found: dict[str, bool | None] = {}
        async with eyes_of(self.around) as eyes:
            for check in self.remediation.checks(self.now()) if checks is None else checks:
                found[check.name] = (await check.sample(eyes)).ok
        return found


async def drafted(
    remediation: Remediation, around: Surroundings, params: Mapping[str, str], target: Target = TARGET, number: str = ""
) -> Run:
    """Draft it twice, as plan and engine do, and see that the second equals the first."""
    number = number or "pln_01KAHFGXYQ7Z8W5V4T3S2R1QPN"
    async with eyes_of(around) as eyes:
        first = await remediation.draft(eyes, target, params)
        second = await remediation.draft(eyes, target, params)
    assert (first.identity, first.data, first.problem, first.solution) == (
        second.identity,
        second.data,
        second.problem,
        second.solution,
    )
    job = Job(number, first.target, dict(params), first.data)
    return Run(remediation, around, first, job, fake_plan(remediation, first, params, number))


def guard_of(draft: Draft, name: str) -> str:
    return next(guard.status.value for guard in draft.guards if guard.name == name)
