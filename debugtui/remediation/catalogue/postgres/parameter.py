"""Changes a parameter of the whole server, and takes it back exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

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
    Undo,
)
from debugtui.remediation.base import Parameter as Asked
from debugtui.remediation.catalogue.postgres import parameter_guards as guards
from debugtui.remediation.catalogue.postgres.common import (
    FAIL,
    PASS,
    asker,
    limits,
    literal,
    repairing,
    send,
    show,
    supported,
    whole_database,
)
from debugtui.remediation.catalogue.postgres.concurrently import shown
from debugtui.remediation.catalogue.postgres.guc_value import ValueFormatError, canonical, readable, same
from debugtui.remediation.catalogue.postgres.parameter_run import (
    RELOAD,
    STATEMENT_S,
    STEP_S,
    back_statement,
    clean_checks,
    old_line,
    reload_step,
    seen_check,
    settle_line,
    write,
)
from debugtui.remediation.catalogue.postgres.parameter_state import (
    AUTO,
    Parameter,
    find_parameter,
)
from debugtui.remediation.catalogue.postgres.readings import reading_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.risk import STOP_RULES


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
        await supported(ask)
        found = await find_parameter(ask, params["name"])
        wanted = _wanted(found, params["value"])
        stop = STOP_RULES["service_restart"] if found.context in ("postmaster", "internal") else ""
        if same(wanted, found.value, found.vartype) and not found.pending_restart:
            raise NothingToDoError(f"{found.name} is {found.readable} already")
        text = params["value"].strip()
        later = not found.sees_files and await guards.repair_sees_files(ask, eyes, database)
        judged = (
            guards.allowed(found),
            guards.no_restart(found),
            await guards.within_bounds(ask, eyes, database, found, wanted),
            await guards.no_override(ask, found),
            await guards.config_files(ask, found, later=later),
            await guards.nothing_else_waits(ask, found, later=later),
            guards.old_value(found, later=found.sees_files or later),
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
            return await write(hands, job.data, before, statement)

        async def settle(eyes: Eyes) -> Settled:
            return await settle_line(eyes, job.data)

        undo = shown(back_statement(job), RELOAD)
        command = shown(*before, statement)
        return (
            LiveStep(f"Write the line to {AUTO}", command, True, STEP_S, undo, run, settle),
            reload_step(job, "Load the files", str(job.data["wanted"]), str(job.data["before"])),
        )

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Restore or remove the line, then load the files."""
        statement = back_statement(job)
        before = limits(STATEMENT_S)

        async def run(hands: Hands) -> Done:
            async with repairing(hands, str(job.data["database"]), before) as connection:
                await send(connection, statement, STATEMENT_S + 2)
            return Done(f"{AUTO} is as it was")

        async def settle(eyes: Eyes) -> Settled:
            found = await find_parameter(asker(eyes, str(job.data["database"])), str(job.data["name"]))
            return Settled.DONE if found.sees_files and found.auto == old_line(job) else Settled.UNKNOWN

        return (
            LiveStep(f"Restore {AUTO}", shown(*before, statement), True, STEP_S, None, run, settle),
            reload_step(job, "Load the files", str(job.data["before"]), str(job.data["wanted"])),
        )

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """A new session has the value, and the files hold no error."""
        return (seen_check(job, str(job.data["wanted"])), *clean_checks(job))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """A new session has the old value, and the line is as it was."""

        async def restored(eyes: Eyes) -> Sample:
            found = await find_parameter(asker(eyes, str(job.data["database"])), str(job.data["name"]))
            old = old_line(job)
            return Sample(found.auto == old, f"the line holds {show(found.auto, 100)!r}" if found.auto else "there is no line")

        line = (LiveCheck(f"{AUTO} is as it was", 3, "to the letter", restored),) if job.data["sees_files"] else ()
        return (seen_check(job, str(job.data["before"])), *line, *clean_checks(job))

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
