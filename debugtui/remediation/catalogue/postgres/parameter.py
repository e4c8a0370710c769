"""Changes a parameter of the whole server, and takes it back exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
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
from debugtui.remediation.base import Parameter as Asked
from debugtui.remediation.catalogue.postgres import parameter_guards as guards
from debugtui.remediation.catalogue.postgres.common import FAIL, PASS, limits, literal, repairing, send, show, whole_database
from debugtui.remediation.catalogue.postgres.concurrently import shown
from debugtui.remediation.catalogue.postgres.guc_value import ValueFormatError, canonical, readable, same
from debugtui.remediation.catalogue.postgres.index_state import asker
from debugtui.remediation.catalogue.postgres.parameter_state import (
    AUTO,
    AUTO_LINE,
    FILE_ERRORS,
    PARAMETER,
    Parameter,
    file_errors,
    find_parameter,
)
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.risk import STOP_RULES

#: Seconds for one statement, and for one step.
STATEMENT_S, STEP_S = 5.0, 20
#: Seconds until a new session has to see it, and so long it has to stay.
SEEN_S, DWELL_S = 10.0, 10

RELOAD = "SELECT pg_catalog.pg_reload_conf() AS loaded"


class SetParameter(Remediation):
    """`ALTER SYSTEM SET`, then a reload."""

    spec: ClassVar[Spec] = Spec(
        name="postgres.set_parameter",
        title="Change a parameter",
        summary="A parameter of the server does not fit the load: change it within bounds, without a restart.",
        target="HOST/postgres/DATABASE",
        parameters=(
            Asked("name", "the parameter, `work_mem`"),
            Asked("value", "its new value, with a unit where it has one: `32MB`, `10min`, `on`"),
        ),
        risk=(1, 4),
        undo=Undo.EXACT,
        undo_says=f"the line of {AUTO} is restored or removed, and the files are loaded again",
        guards=(
            "allowed", "no_restart", "within_bounds", "no_override", "config_files", "nothing_else_waits", "old_value",
            "may_alter_system",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to every database that can be read; what to change is asked."""
        found = reading_of(view, target)
        if found is None or found[2]:
            return None
        waiting = [setting.name for setting in found[1].settings or () if setting.pending_restart]
        more = f"; {show(waiting[0], 60)} waits for a restart" if waiting else ""
        return Offer(self.spec.name, found[0], True, f"changes a parameter of the server without a restart{more}", rank=80)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        database, whole = whole_database(eyes, target)
        ask = asker(eyes, database)
        found = await find_parameter(ask, params["name"])
        wanted = _wanted(found, params["value"])
        stop = STOP_RULES["service_restart"] if found.context in ("postmaster", "internal") else ""
        if same(wanted, found.value, found.vartype) and not found.pending_restart:
            raise NothingToDoError(f"{found.name} is {found.readable} already")
        text = params["value"].strip()
        judged = (
            guards.allowed(found),
            guards.no_restart(found),
            await guards.within_bounds(ask, eyes, database, found, wanted),
            await guards.no_override(ask, found),
            await guards.config_files(ask, found),
            await guards.nothing_else_waits(ask, found),
            guards.old_value(found),
            await guards.may_alter(ask, eyes, database, found),
        )
        return Draft(
            target=whole,
            problem=f"{found.name} is {found.readable} ({found.source}), and {readable(wanted, found.unit)} is asked for",
            solution=f"write {found.name} = {show(text, 60)} to {AUTO} and reload; nothing restarts",
            factors=_factors(found),
            identity={
                "parameter": f"{found.name} = {found.value} from {found.source}",
                AUTO: "no line" if found.auto is None else show(found.auto, 200),
            },
            data={
                "database": database,
                "name": found.name,
                "text": text,
                "wanted": wanted,
                "before": found.value,
                "vartype": found.vartype,
                "unit": found.unit or "",
                "auto": found.auto,
                "auto_exact": found.auto_exact,
                "sees_files": found.sees_files,
            },
            diff=_diff(found, text, wanted),
            guards=judged,
            mitigations=_ways_out(found) if stop else (),
            stop=stop,
            expected=(whole,),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Write the line, then load the files: two messages, for one would be a transaction."""
        statement = f"ALTER SYSTEM SET {job.data['name']} = {literal(str(job.data['text']))}"
        before = limits(STATEMENT_S)

        async def run(hands: Hands) -> Done:
            return await _write(hands, job.data, before, statement)

        async def settle(eyes: Eyes) -> Settled:
            return await _settle_line(eyes, job.data)

        undo = shown(_back(job), RELOAD)
        command = shown(*before, statement)
        return (
            LiveStep(f"Write the line to {AUTO}", command, True, STEP_S, undo, run, settle),
            _reload(job, "Load the files", str(job.data["wanted"]), str(job.data["before"])),
        )

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Restore or remove the line, then load the files."""
        statement = _back(job)
        before = limits(STATEMENT_S)

        async def run(hands: Hands) -> Done:
            async with repairing(hands, str(job.data["database"]), before) as connection:
                await send(connection, statement, STATEMENT_S + 2)
            return Done(f"{AUTO} is as it was")

        async def settle(eyes: Eyes) -> Settled:
            found = await find_parameter(asker(eyes, str(job.data["database"])), str(job.data["name"]))
            return Settled.DONE if found.sees_files and found.auto == _old_line(job) else Settled.UNKNOWN

        return (
            LiveStep(f"Restore {AUTO}", shown(*before, statement), True, STEP_S, None, run, settle),
            _reload(job, "Load the files", str(job.data["before"]), str(job.data["wanted"])),
        )

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """A new session has the value, and the files hold no error."""
        return (_seen(job, str(job.data["wanted"])), *_clean(job))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """A new session has the old value, and the line is as it was."""

        async def restored(eyes: Eyes) -> Sample:
            found = await find_parameter(asker(eyes, str(job.data["database"])), str(job.data["name"]))
            old = _old_line(job)
            return Sample(found.auto == old, f"the line holds {show(found.auto, 100)!r}" if found.auto else "there is no line")

        line = (LiveCheck(f"{AUTO} is as it was", 3, "to the letter", restored),) if job.data["sees_files"] else ()
        return (_seen(job, str(job.data["before"])), *line, *_clean(job))

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """Nobody changed it since."""
        found = await find_parameter(asker(eyes, str(job.data["database"])), str(job.data["name"]))
        known = [str(job.data["wanted"]), str(job.data["before"])]
        says = f"{found.readable} from {found.source}, read just now"
        if any(same(found.value, each, found.vartype) for each in known):
            return (Guard("unchanged_since", PASS, f"{found.name} is as this plan left it", says),)
        return (Guard("unchanged_since", FAIL, f"somebody has changed {found.name} since", says),)


def _wanted(found: Parameter, text: str) -> str:
    try:
        wanted = canonical(text, found.vartype, found.unit, found.words)
        literal(text)
    except ValueFormatError as error:
        raise PlanError(f"{found.name}: {error}, not {show(text, 60)!r}") from None
    return wanted


def _factors(found: Parameter) -> Factors:
    restart = found.context in ("postmaster", "internal")
    return Factors(
        interruption=Factor(4, "it needs a restart: every client of the server is cut off")
        if restart
        else Factor(0, "nobody is cut off"),
        reversibility=Factor(2, "by another restart") if restart else Factor(1, "the old line is written back, and loaded"),
        durable_data=Factor(1, "a line of the configuration, whose old value is kept"),
        blast_radius=Factor(3, "every database of the server has it"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(1, "only after a restart") if restart else Factor(0, "a new session shows the value"),
    )


def _diff(found: Parameter, text: str, wanted: str) -> tuple[DiffPart, ...]:
    def line(value: str | None) -> str:
        return "" if value is None else f"{found.name} = '{value}'"

    new = readable(wanted, found.unit)
    return (
        DiffPart(AUTO, "ini", line(found.auto), line(text)),
        DiffPart(
            "what a new session has",
            "text",
            f"{found.name} is {found.readable} ({found.value} {found.unit or ''}), from {found.source}".replace(" )", ")"),
            f"{found.name} is {new} ({wanted} {found.unit or ''}), from configuration file".replace(" )", ")"),
        ),
    )


def _ways_out(found: Parameter) -> tuple[Mitigation, ...]:
    return (
        Mitigation("", "a maintenance window: write the value, restart a standby or a copy with it first, then the server"),
        Mitigation("", f"before that, note the line of {AUTO}: a server that does not start is mended by editing that file"),
        Mitigation("postgres.free_connections", "relief until then, where connections run out")
        if found.name == "max_connections"
        else Mitigation("postgres.set_parameter", "relief until then: a parameter that a reload applies, such as work_mem"),
    )


def _old_line(job: Job) -> str | None:
    """Return the old line's text as step 1 found it, else as the plan knew it."""
    value = job.results.get("old_line", job.data["auto"])
    return None if value is None else str(value)


def _back(job: Job) -> str:
    old = _old_line(job)
    if old is None:
        return f"ALTER SYSTEM RESET {job.data['name']}"
    exact = job.data["auto_exact"] or "old_line" in job.results
    return f"ALTER SYSTEM SET {job.data['name']} = {literal(old)}{'' if exact else ' -- in the words that the file has now'}"


async def _write(hands: Hands, data: Mapping[str, Any], before: tuple[str, ...], statement: str) -> Done:
    name = data["name"]
    async with repairing(hands, data["database"], before) as connection:
        row = (await connection.fetch(PARAMETER, name, timeout=STATEMENT_S))[0]
        facts: dict[str, object] = {}
        if row["sees_files"]:
            if errors := await connection.fetch(FILE_ERRORS, timeout=STATEMENT_S):
                raise StepError(f"the configuration files hold an error: {show(errors[0]['error'], 200)}", changed=False)
            old = _text(await connection.fetch(AUTO_LINE, name, timeout=STATEMENT_S))
            _compare(data, old, row["unit"])
            facts["old_line"] = old
        elif not data["auto_exact"]:
            raise StepError(f"the repair role may not read the line of {AUTO}, so it could not be restored", changed=False)
        if not same(row["reset_val"] or "", data["before"], data["vartype"]) and row["source"] in (
            "default",
            "configuration file",
        ):
            raise StaleError(f"{name} is {show(row['reset_val'], 60)} now")
        await send(connection, statement, STATEMENT_S + 2)
        if row["sees_files"]:
            new = _text(await connection.fetch(AUTO_LINE, name, timeout=STATEMENT_S))
            if new != data["text"]:
                raise StepError(f"the line in {AUTO} is {show(new, 100)!r} after ALTER SYSTEM", changed=None)
    return Done(f"the line {name} = '{show(data['text'], 60)}' is written", facts)


def _text(rows: Sequence[Any]) -> str | None:
    return str(rows[0]["setting"]) if rows else None


def _compare(data: Mapping[str, Any], old: str | None, unit: str | None) -> None:
    """See that the line is the one that the plan knows."""
    if data["auto_exact"]:
        equal = old == data["auto"]
    else:
        equal = old is not None and same(canonical(old, data["vartype"], unit, (old.lower(),)), data["before"], data["vartype"])
    if not equal:
        raise StaleError(f"the line of {data['name']} in {AUTO} is {show(old, 100) or 'not there'} now")


def _reload(job: Job, name: str, wanted: str, before: str) -> LiveStep:
    data, limited = job.data, limits(STATEMENT_S)

    async def run(hands: Hands) -> Done:
        async with repairing(hands, str(data["database"]), limited) as connection:
            rows = await send(connection, RELOAD, STATEMENT_S + 2)
        if not rows[0]["loaded"]:
            raise StepError("the server could not be told to load its files", changed=False)
        return Done("the server was told to load its files; whether it did shows in a new session")

    async def settle(eyes: Eyes) -> Settled:
        value = (await _fresh(eyes, job))["reset_val"]
        if same(value, wanted, str(data["vartype"])):
            return Settled.DONE
        return Settled.NOT_DONE if same(value, before, str(data["vartype"])) else Settled.UNKNOWN

    return LiveStep(name, shown(*limited, RELOAD), True, STEP_S, None, run, settle)


async def _settle_line(eyes: Eyes, data: Mapping[str, Any]) -> Settled:
    found = await find_parameter(asker(eyes, data["database"]), data["name"])
    if not found.sees_files:
        return Settled.UNKNOWN
    if found.auto == data["text"]:
        return Settled.DONE
    return Settled.NOT_DONE if found.auto == data["auto"] else Settled.UNKNOWN


async def _fresh(eyes: Eyes, job: Job) -> Mapping[str, Any]:
    rows = await eyes.fetch(str(job.data["database"]), PARAMETER, job.data["name"], fresh=True)
    return dict(rows[0])


def _seen(job: Job, wanted: str) -> LiveCheck:
    unit = str(job.data["unit"]) or None

    async def sample(eyes: Eyes) -> Sample:
        row = await _fresh(eyes, job)
        equal = same(row["reset_val"] or "", wanted, str(job.data["vartype"]))
        waits = ", waits for a restart" if row["pending_restart"] else ""
        hidden = "" if row["source"] in ("default", "configuration file") else ", which hides the files"
        says = f"a new session has {readable(row['reset_val'] or '', unit)} from {row['source']}{hidden}{waits}"
        return Sample(equal and not waits and not hidden, says)

    why = "a reload says true even where the files were not applied"
    return LiveCheck(f"a new session has {readable(wanted, unit)}", DWELL_S, why, sample, within_s=SEEN_S)


def _clean(job: Job) -> tuple[LiveCheck, ...]:
    if not job.data["sees_files"]:
        return ()

    async def sample(eyes: Eyes) -> Sample:
        errors = await file_errors(asker(eyes, str(job.data["database"])))
        return Sample(not errors, errors[0] if errors else "no error in the files")

    return (LiveCheck("the files hold no error", 3, "an error keeps the server from applying them", sample),)
