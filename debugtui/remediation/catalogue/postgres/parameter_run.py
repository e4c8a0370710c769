"""How a parameter is written, loaded and looked for: what a plan of `set_parameter` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debugtui.remediation.base import (
    Done,
    Job,
    LiveCheck,
    LiveStep,
    Sample,
    Settled,
    StaleError,
    StepError,
)
from debugtui.remediation.catalogue.postgres.common import (
    asker,
    limits,
    literal,
    repairing,
    send,
    show,
)
from debugtui.remediation.catalogue.postgres.concurrently import shown
from debugtui.remediation.catalogue.postgres.guc_value import canonical, readable, same
from debugtui.remediation.catalogue.postgres.parameter_state import (
    AUTO,
    AUTO_LINE,
    FILE_ERRORS,
    PARAMETER,
    file_errors,
    find_parameter,
    waiting_changes,
)
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds for one statement, and for one step.
STATEMENT_S, STEP_S = 5.0, 20
#: Seconds until a new session has to see it, and so long it has to stay.
SEEN_S, DWELL_S = 10.0, 10

RELOAD = "SELECT pg_catalog.pg_reload_conf() AS loaded"


def old_line(job: Job) -> str | None:
    """Return the old line's text as step 1 found it, else as the plan knew it."""
    value = job.results.get("old_line", job.data["auto"])
    return None if value is None else str(value)


def back_statement(job: Job) -> str:
    """Return the statement that restores or removes the line."""
    old = old_line(job)
    if old is None:
        return f"ALTER SYSTEM RESET {job.data['name']}"
    exact = job.data["auto_exact"] or "old_line" in job.results
    return f"ALTER SYSTEM SET {job.data['name']} = {literal(old)}{'' if exact else ' -- in the words that the file has now'}"


async def write(hands: Hands, data: Mapping[str, Any], before: tuple[str, ...], statement: str) -> Done:
    """Write the line, on one connection that looks before and after.

    Raises:
        StaleError: the line or the value is not what the plan knows.
        StepError: the files hold an error, or the line did not become what was asked for.
    """
    name = data["name"]
    async with repairing(hands, data["database"], before) as connection:
        row = (await connection.fetch(PARAMETER, name, timeout=STATEMENT_S))[0]
        facts: dict[str, object] = {}
        if row["sees_files"]:
            if errors := await connection.fetch(FILE_ERRORS, timeout=STATEMENT_S):
                raise StepError(f"the configuration files hold an error: {show(errors[0]['error'], 200)}", changed=False)
            if waiting := await waiting_changes(connection.fetch):
                raise StepError(f"{', '.join(waiting[:5])} changed in the files and not loaded yet", changed=False)
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


def reload_step(job: Job, name: str, wanted: str, before: str) -> LiveStep:
    """Return the step that loads the files; `wanted` and `before` tell afterwards whether it happened."""
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


async def settle_line(eyes: Eyes, data: Mapping[str, Any]) -> Settled:
    """Look whether the line was written."""
    found = await find_parameter(asker(eyes, data["database"]), data["name"])
    if not found.sees_files:
        return Settled.UNKNOWN
    if found.auto == data["text"]:
        return Settled.DONE
    return Settled.NOT_DONE if found.auto == data["auto"] else Settled.UNKNOWN


async def _fresh(eyes: Eyes, job: Job) -> Mapping[str, Any]:
    rows = await eyes.fetch(str(job.data["database"]), PARAMETER, job.data["name"], fresh=True)
    return dict(rows[0])


def seen_check(job: Job, wanted: str) -> LiveCheck:
    """Return the check that a new session has a value."""
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


def clean_checks(job: Job) -> tuple[LiveCheck, ...]:
    """Return the check that the files hold no error, where that can be seen."""
    if not job.data["sees_files"]:
        return ()

    async def sample(eyes: Eyes) -> Sample:
        errors = await file_errors(asker(eyes, str(job.data["database"])))
        return Sample(not errors, errors[0] if errors else "no error in the files")

    return (LiveCheck("the files hold no error", 3, "an error keeps the server from applying them", sample),)
