"""What must be true before a parameter of the server is changed."""

from __future__ import annotations

from decimal import Decimal

from debugtui.model.amounts import size_text
from debugtui.model.plan import Guard
from debugtui.remediation.catalogue.postgres.allowed import ALLOWED, INSTEAD, Allowed
from debugtui.remediation.catalogue.postgres.common import FAIL, PASS, UNKNOWN, no_role, repair_role, show
from debugtui.remediation.catalogue.postgres.guc_value import number, same
from debugtui.remediation.catalogue.postgres.index_state import Ask
from debugtui.remediation.catalogue.postgres.parameter_state import (
    AUTO,
    Parameter,
    file_errors,
    memory_bytes,
    overrides,
    waiting_changes,
)
from debugtui.remediation.eyes import Eyes

_READ = "pg_settings, read just now"

_SEES_FILES = """
SELECT has_table_privilege($1::name, 'pg_file_settings', 'SELECT')
       AND has_function_privilege($1::name, 'pg_show_all_file_settings()', 'EXECUTE') AS sees
"""

# Both functions want a plain role name; the first one is new in PostgreSQL 15.
_MAY = """
SELECT has_parameter_privilege($1, $2, 'ALTER SYSTEM') AS sets,
       has_function_privilege($1, 'pg_reload_conf()', 'EXECUTE') AS loads
"""


def allowed(parameter: Parameter) -> Guard:
    """It is on the list of those that may be changed."""
    if parameter.name in ALLOWED:
        return Guard(
            "allowed", PASS, f"{parameter.name} may be changed on a running server", f"context {parameter.context}, {_READ}"
        )
    why = INSTEAD.get(parameter.name, "it is not on the list of parameters that may be changed here")
    return Guard("allowed", FAIL, f"{parameter.name}: {why}", f"{len(ALLOWED)} parameters are on the list")


def no_restart(parameter: Parameter) -> Guard:
    """It takes effect without a restart, and nothing waits for one."""
    if parameter.context in ("postmaster", "internal"):
        why = "only a restart of PostgreSQL would apply it, and a wrong value keeps the server from starting"
        return Guard("no_restart", FAIL, why, f"context {parameter.context}, {_READ}")
    return Guard("no_restart", PASS, "it takes effect with a reload", f"context {parameter.context}, {_READ}")


async def within_bounds(ask: Ask, eyes: Eyes, database: str, parameter: Parameter, wanted: str) -> Guard:
    """The value can be lived with. The server accepts absurd ones, and some only show when it does not start any more."""
    rule, name = ALLOWED.get(parameter.name), "within_bounds"
    if rule is None:
        return Guard(name, FAIL, "there are no bounds for it: it is not on the list", "")
    if not rule.low or any(same(_value(parameter, text), wanted, parameter.vartype) for text in rule.special):
        return Guard(name, PASS, "the value is one of its own words", rule.why)
    low, high = Decimal(_value(parameter, rule.low)), Decimal(_value(parameter, rule.high))
    said = f"{rule.low} to {rule.high}"
    if rule.ram_share is not None:
        ram, known = await memory_bytes(eyes, database, ask)
        share = max(_of_ram(parameter, ram, rule), low, Decimal(_value(parameter, "16MB")))
        if share < high:
            high, said = share, f"{rule.low} to {rule.ram_share:.1%} of {size_text(ram)} ({known})"
    if low <= Decimal(wanted) <= high:
        return Guard(name, PASS, f"it is within {said}", rule.why)
    return Guard(name, FAIL, f"it has to be within {said}: {rule.why}", f"asked for: {wanted} {parameter.unit or ''}".strip())


def _value(parameter: Parameter, text: str) -> str:
    return str(number(text, parameter.vartype, parameter.unit))


def _of_ram(parameter: Parameter, ram: int, rule: Allowed) -> Decimal:
    own = number(f"{ram // 1024}kB", "integer", parameter.unit)
    return own * Decimal(str(rule.ram_share))


async def no_override(ask: Ask, parameter: Parameter) -> Guard:
    """Nothing else decides the value: a command line, a role's or a database's own setting."""
    name = "no_override"
    found = await overrides(ask, parameter.name)
    if found:
        first = found[0]
        of = " in ".join(
            part
            for part in (
                f"role {show(first['role'], 60)}" if first["role"] else "every role",
                f"database {show(first['database'], 60)}" if first["database"] else "",
            )
            if part
        )
        why = f"{of} has a value of its own, {show(first['value'], 60)}, which would hide this one there"
        return Guard(name, FAIL, why, f"pg_db_role_setting has {len(found)}, read just now")
    if parameter.source in ("default", "configuration file"):
        return Guard(name, PASS, "nothing but the configuration files decides it", f"its source is {parameter.source}, {_READ}")
    why = f"its value comes from the {parameter.source}, which the configuration files do not change"
    return Guard(name, FAIL, why, f"source {parameter.source}, {_READ}")


async def repair_sees_files(ask: Ask, eyes: Eyes, database: str) -> bool:
    """Whether the repair role may read the configuration files; then step 1 looks at them before it changes anything."""
    user, role = await repair_role(ask, eyes, database)
    return role is not None and bool((await ask(_SEES_FILES, user))[0]["sees"])


def _unseen(name: str, what: str, *, later: bool) -> Guard:
    if later:
        why = f"step 1 reads the files with the repair role before it changes anything, and stops there if {what}"
        return Guard(name, PASS, why, "the monitoring role may not read pg_file_settings; the repair role may")
    why = f"neither the monitoring role nor the repair role may read pg_file_settings: whether {what} is not known"
    hint = "GRANT SELECT ON pg_file_settings and EXECUTE ON FUNCTION pg_show_all_file_settings()"
    return Guard(name, UNKNOWN, why, hint, critical=False)


async def config_files(ask: Ask, parameter: Parameter, *, later: bool) -> Guard:
    """The files hold no error: with one, a reload applies nothing and still says that it did. `later`: step 1 looks."""
    name = "config_files"
    if not parameter.sees_files:
        return _unseen(name, "they hold an error", later=later)
    if errors := await file_errors(ask):
        return Guard(name, FAIL, "the configuration files hold an error: a reload would not apply what they say", errors[0])
    return Guard(name, PASS, "the configuration files hold no error", "pg_file_settings, read just now")


async def nothing_else_waits(ask: Ask, parameter: Parameter, *, later: bool) -> Guard:
    """No other change waits in the files: the reload would apply it, too. `later`: step 1 looks."""
    name = "nothing_else_waits"
    if not parameter.sees_files:
        return _unseen(name, "another change waits in them", later=later)
    if waiting := await waiting_changes(ask):
        why = f"{', '.join(waiting[:5])} changed in the files and not loaded yet: the reload would apply that, too"
        return Guard(name, FAIL, why, f"{len(waiting)} of them, read just now")
    return Guard(name, PASS, "nothing else in the files waits for a reload", "pg_file_settings, read just now")


def old_value(parameter: Parameter, *, later: bool) -> Guard:
    """The line that stands there now is known: without it nothing could be taken back exactly."""
    name = "old_value"
    if not parameter.auto_known:
        why = f"whether {AUTO} holds a line for it is not known: the monitoring role needs pg_read_all_settings"
        return Guard(name, UNKNOWN, why, f"its source is {parameter.source}")
    if not parameter.auto_exact and not later:
        why = f"nobody may read the line of {AUTO}, so it could not be restored to the letter"
        return Guard(name, UNKNOWN, why, "neither the monitoring role nor the repair role may read pg_file_settings")
    if parameter.auto is None:
        return Guard(name, PASS, f"{AUTO} has no line for it: the rollback removes ours", "read just now")
    return Guard(
        name, PASS, f"{AUTO} has a line for it, which the rollback restores", f"{show(parameter.auto, 100)}, read just now"
    )


async def may_alter(ask: Ask, eyes: Eyes, database: str, parameter: Parameter) -> Guard:
    """The repair role may change it and reload, and the server lets anybody."""
    name = "may_alter_system"
    if not parameter.alterable:
        return Guard(
            name, FAIL, "this server forbids ALTER SYSTEM: something else writes its configuration", "allow_alter_system is off"
        )
    user, role = await repair_role(ask, eyes, database)
    if role is None:
        return no_role(name, user)
    who = show(user, 80)
    if role["super"]:
        return Guard(name, PASS, f"the repair role {who} is a superuser", "pg_roles, read just now")
    if parameter.version < 150_000:
        return Guard(
            name, FAIL, f"before PostgreSQL 15 only a superuser may; the repair role {who} is none", "pg_roles, read just now"
        )
    may = (await ask(_MAY, user, parameter.name))[0]
    missing = []
    if not may["sets"]:
        missing.append(f"GRANT ALTER SYSTEM ON PARAMETER {parameter.name} TO {who}")
    if not may["loads"]:
        missing.append(f"GRANT EXECUTE ON FUNCTION pg_reload_conf() TO {who}")
    if missing:
        return Guard(
            name, FAIL, f"the repair role {who} may not: {'; '.join(missing)}", "has_parameter_privilege, read just now"
        )
    return Guard(name, PASS, f"the repair role {who} may change it and reload", "has_parameter_privilege, read just now")
