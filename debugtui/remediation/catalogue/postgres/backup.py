"""Makes a backup of one database now, on the host, and proves it by the guard that other plans ask."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from debugtui.hosts.link import CommandResult
from debugtui.model.amounts import size_text
from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.postgres.index_guards import free_bytes
from debugtui.remediation.catalogue.postgres.index_state import asker, check_database, database_of
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.guards.backup import READ_LIMIT, recent_backup
from debugtui.remediation.hands import Hands
from debugtui.sources.backup.dump_files import LookError, contents_of, matches, said
from debugtui.sources.postgres.dsn import parse_dsn

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN

#: The longest that a dump may run, in seconds.
DUMP_LIMIT_S = 6 * 3_600
#: How long pg_dump waits for a table that is locked, in milliseconds: whoever queues behind it waits as well.
LOCK_WAIT_MS = 5_000

#: A dump holds everything: nobody but the account that made it may read it. The words of the command follow as arguments.
_PRIVATELY = ("sh", "-c", 'umask 077; exec "$@"', "sh")

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_FACTS = """
SELECT current_setting('server_version_num')::int / 10000 AS major, pg_database_size(current_database()) AS size,
       (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name IN ('pg_dump', 'pg_dumpall')) AS dumps
"""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the dump goes, and how pg_dump reaches the database. `before` and `after` surround what makes the name unique."""

    folder: str
    before: str
    after: str
    host: str
    port: int
    user: str
    database: str

    def final(self, job: Job) -> str:
        return f"{self.folder.rstrip('/')}/{self.before}{self.database_word}-{_moment(job.plan_id)}-{job.mark}{self.after}"

    def part(self, job: Job) -> str:
        folder, _, name = self.final(job).rpartition("/")
        return f"{folder}/.{name}.part"

    @property
    def database_word(self) -> str:
        return re.sub(r"[^A-Za-z0-9_-]", "_", self.database)[:40] or "database"

    def dump(self, job: Job) -> tuple[str, ...]:
        way = ("-h", self.host, "-p", str(self.port), "-U", self.user, "-w", f"--lock-wait-timeout={LOCK_WAIT_MS}")
        return (*_PRIVATELY, "pg_dump", "-Fc", *way, "-f", self.part(job), "-d", _conninfo(self.database))


class Backup(Remediation):
    """`pg_dump -Fc` on the host, renamed when it is whole."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.backup",
        title="Back up now",
        summary="There is no recent backup that can be trusted: make one on the host, and see that it reads to its end.",
        target="HOST/postgres/DATABASE",
        parameters=(),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="the new file is removed; older backups are never touched",
        guards=("folder_writable", "pg_dump_fits", "free_disk", "no_other_backup"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to every database that is read, but for a row of its own inside of one."""
        found = reading_of(view, target)
        if found is None or found[2]:
            return None
        return Offer(self.spec.name, found[0], True, "a backup can be made at any time", rank=60)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database = check_database(eyes, target)
        place = _place(eyes, database)
        ask = asker(eyes, database)
        facts = (await ask(_FACTS))[0]
        size = size_text(facts["size"])
        where = line(place.folder, 200)
        return Draft(
            target=Target(target.host, "postgres", database),
            problem=f"{line(database, 80)} needs a backup that can be trusted",
            solution=f"dump it on the host into {where}, rename it when it is whole, and read it through",
            factors=Factors(
                interruption=Factor(0, "queries go on; the dump reads every table once"),
                reversibility=Factor(1, "the new file is removed"),
                durable_data=Factor(0, "nothing is changed but that one file is added"),
                blast_radius=Factor(3, "the whole database is read"),
                blocking=Factor(1, f"schema changes wait while {size} are read, and vacuum keeps what the dump may still need"),
                verifiability=Factor(0, "the archive is read to its end"),
            ),
            identity={"database": f"{place.database}, server {facts['major']}", "folder": place.folder},
            data={"place": asdict(place)},
            diff=(DiffPart(f"files in {where}", "text", "", f"one more archive of {line(place.database, 80)}"),),
            guards=(
                await _writable(eyes, place),
                await _fits(eyes, facts["major"]),
                await _room(eyes, place, facts["size"]),
                _alone(facts["dumps"]),
            ),
            mitigations=(Mitigation("", "make the folder, or let the host's account write there"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Dump it under a hidden name, then rename it."""
        place = _of(job)
        part, final = place.part(job), place.final(job)

        async def dump(hands: Hands) -> Done:
            if await _exists(hands, part) or await _exists(hands, final):
                raise StaleError(f"{line(final, 200)} or its part is there already")
            result = await hands.command(place.dump(job), timeout_s=DUMP_LIMIT_S)
            if result.status:
                raise StepError(_why(result), changed=await _exists(hands, part))
            return Done(f"pg_dump wrote {line(part, 200)}")

        async def dumped(eyes: Eyes) -> Settled:
            if await _exists(eyes, final):
                return Settled.DONE
            if not await _exists(eyes, part):
                return Settled.NOT_DONE
            if (await asker(eyes, database_of(job.target))(_FACTS))[0]["dumps"]:
                return Settled.UNKNOWN
            read = await eyes.run(["env", "LC_ALL=C", "pg_restore", "-f", "/dev/null", "--", part], timeout=READ_LIMIT)
            return Settled.UNKNOWN if read.status else Settled.DONE

        rename_argv = ("mv", "-n", "-T", "--", part, final)

        async def rename(hands: Hands) -> Done:
            result = await hands.command(rename_argv, timeout_s=30)
            if result.status or await _exists(hands, part) or not await _exists(hands, final):
                raise StepError(f"it could not be renamed: {said(result)}", changed=None)
            return Done(f"{line(final, 200)} is there")

        async def renamed(eyes: Eyes) -> Settled:
            return Settled.DONE if await _exists(eyes, final) else Settled.NOT_DONE

        undo = f"rm -f {final}"
        return (
            LiveStep("Dump the database", _shown(place.dump(job)), True, DUMP_LIMIT_S + 60, undo, dump, dumped),
            LiveStep("Give it its name", _shown(rename_argv), True, 60, undo, rename, renamed),
        )

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Remove the new file, whole or not."""
        place = _of(job)
        part, final = place.part(job), place.final(job)
        argv = ("rm", "-f", "--", part, final)

        async def remove(hands: Hands) -> Done:
            result = await hands.command(argv, timeout_s=60)
            if result.status:
                raise StepError(f"it could not be removed: {said(result)}")
            return Done(f"{line(final, 200)} is removed")

        async def removed(eyes: Eyes) -> Settled:
            gone = not await _exists(eyes, part) and not await _exists(eyes, final)
            return Settled.DONE if gone else Settled.NOT_DONE

        return (LiveStep("Remove the new file", _shown(argv), True, 120, None, remove, removed),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Its table of contents reads, and the guard `recent_backup` passes."""
        final, database = _of(job).final(job), database_of(job.target)

        async def contents(eyes: Eyes) -> Sample:
            try:
                entries = await contents_of(eyes, final)
            except LookError as error:
                return Sample(None, str(error))
            return Sample(bool(entries), f"{len(entries)} entries" if entries else "it does not read")

        async def trusted(eyes: Eyes) -> Sample:
            guard = await recent_backup(eyes, database)
            ok = None if guard.status is UNKNOWN else guard.status is PASS and final in guard.evidence
            return Sample(ok, line(f"{guard.status.value}: {guard.why}", 300))

        return (
            LiveCheck("its table of contents reads", 0, "pg_restore -l on the host", contents, least=1),
            LiveCheck("recent_backup passes with it", 0, "the six sub-checks", trusted, READ_LIMIT, 5.0, least=1),
        )

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Nothing of it is left."""
        place = _of(job)

        async def gone(eyes: Eyes) -> Sample:
            left = [path for path in (place.part(job), place.final(job)) if await _exists(eyes, path)]
            return Sample(not left, f"{line(left[0], 200)} is still there" if left else "gone")

        return (LiveCheck("the new file is gone", 0, "looked for on the host", gone, least=1),)


def _of(job: Job) -> _Place:
    return _Place(**cast("dict[str, Any]", job.data["place"]))


def _place(eyes: Eyes, database: str) -> _Place:
    configured = eyes.database(database)
    if not configured.backups:
        raise PlanError(f"no backups of {line(database, 80)} are configured: backups in [[hosts.postgres]] says where they lie")
    pattern = re.sub(r"/+", "/", configured.backups[0].path)
    folder, _, name = pattern.rpartition("/")
    if re.search(r"[*?\[\\]", folder) or name.count("*") != 1 or re.search(r"[?\[\\]", name):
        raise PlanError(f"no new name can be made from {line(pattern, 200)}: one folder and one * in the name are needed")
    address = parse_dsn(configured.repair_dsn or configured.dsn)
    before, after = name.split("*")
    host = address.socket_dir or address.host
    place = _Place(folder or "/", before, after, host, address.port, address.user, address.database)
    if not matches(f"{folder}/{before}x{after}", pattern):
        raise PlanError(f"a new name would not match {line(pattern, 200)}: a hidden file is no backup")
    return place


def _conninfo(database: str) -> str:
    """A name that pg_dump cannot take for anything but a name: `a=b` alone would be read as a connection string."""
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _moment(plan_id: str) -> str:
    """When the plan was made, from its own number (its first ten letters are milliseconds): the name is the plan's alone."""
    value = 0
    for letter in plan_id.removeprefix("pln_")[:10]:
        value = value * 32 + _CROCKFORD.index(letter)
    return f"{datetime.fromtimestamp(value / 1000, UTC):%Y%m%dT%H%M%SZ}"


def _shown(argv: tuple[str, ...]) -> str:
    return shlex.join(argv)


def _why(result: CommandResult) -> str:
    if result.status == 127:
        return "pg_dump is not installed on the host"
    text = said(result)
    if "password" in text or "authentication failed" in text:
        return f"{text}; the host's account needs peer, trust or its own ~/.pgpass: no password is sent"
    return f"pg_dump failed: {text}"


async def _exists(eyes: Eyes, path: str) -> bool:
    found = await eyes.run(["test", "-e", path])
    if found.status not in (0, 1):
        raise StepError(f"{line(path, 200)} cannot be looked at: {said(found)}")
    return found.status == 0


async def _writable(eyes: Eyes, place: _Place) -> Guard:
    found = await eyes.run(["test", "-d", place.folder, "-a", "-w", place.folder])
    where = line(place.folder, 200)
    if found.status == 0:
        return Guard("folder_writable", PASS, f"the host's account may write in {where}", "test -w, just now")
    return Guard("folder_writable", FAIL, f"the host's account has no folder {where} to write in", "test -d and -w, just now")


async def _fits(eyes: Eyes, major: int) -> Guard:
    found = await eyes.run(["pg_dump", "--version"])
    text = line(found.stdout.strip(), 100)
    version = re.search(r"\) (\d+)", text)
    if found.status or version is None:
        return Guard("pg_dump_fits", FAIL, "pg_dump is not installed on the host", said(found))
    if int(version[1]) < major:
        return Guard("pg_dump_fits", FAIL, f"pg_dump is older than the server, which is {major}", text)
    return Guard("pg_dump_fits", PASS, f"pg_dump is there and not older than the server, which is {major}", text)


async def _room(eyes: Eyes, place: _Place, size: int) -> Guard:
    """An archive is compressed: one that needs more than the database itself would be a rare one."""
    free = await free_bytes(eyes, place.folder)
    if free is None:
        return Guard("free_disk", UNKNOWN, f"the file system of {line(place.folder, 200)} cannot be seen")
    says = f"{size_text(free)} free, the database has {size_text(size)}, read just now"
    if free < size:
        return Guard("free_disk", FAIL, "a dump of this database might not fit", says)
    return Guard("free_disk", PASS, "a dump of this database fits", says)


def _alone(dumps: int) -> Guard:
    if dumps:
        return Guard(
            "no_other_backup", FAIL, "a backup of this database is being made right now", f"{dumps} sessions of pg_dump"
        )
    return Guard("no_other_backup", PASS, "no other backup of this database is being made", "pg_stat_activity, read just now")
