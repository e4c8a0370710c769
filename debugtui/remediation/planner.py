"""From a remediation's draft to a plan: common guards, risk, steps in words, number, expiry."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from debugtui.alerts.book import AlertBook
from debugtui.alerts.rules import UNREADABLE
from debugtui.alerts.settings import rules_of
from debugtui.config.redaction import redact
from debugtui.model.canonical import canonical
from debugtui.model.execution import Execution
from debugtui.model.ids import new_id
from debugtui.model.plan import (
    Before,
    Check,
    DiffPart,
    Guard,
    GuardStatus,
    Mitigation,
    Plan,
    Risk,
    RiskClass,
    Step,
    UndoStep,
    fingerprint,
)
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import HostView, Problem
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation import registry, risk
from debugtui.remediation.base import Draft, Factor, Job, PlanError, Remediation, Spec
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.quiet_hours import within_peak
from debugtui.sources.base import SourceError

#: How long a plan may be approved after it was made. The approval itself expires sooner (`approvals.EXPIRY_S`).
PLAN_LIFE = timedelta(minutes=15)

#: Programs whose session means that a backup is being taken right now.
BACKUP_PROGRAMS = ("pg_dump", "pg_dumpall", "pg_basebackup", "pgbackrest", "barman", "wal-g")


async def make_plan(
    eyes: Eyes, name: str, target: Target, params: Mapping[str, str], *, unfinished: Iterable[Execution] = ()
) -> Plan:
    """Look at the target and make a plan. Nothing is changed.

    Args:
        eyes: read access to the target's host.
        name: full name of the remediation.
        target: what it is for.
        params: by name.
        unfinished: executions that have not ended.

    Raises:
        UnknownRemediationError, PlanError: no such plan can be made.
        SourceError, LinkError: the target could not be read.
    """
    now = eyes.clock.now()
    return await _plan(eyes, registry.get(name), target, params, tuple(unfinished), new_id("pln", now), now)


async def remake(eyes: Eyes, plan: Plan, *, unfinished: Iterable[Execution] = ()) -> Plan:
    """Make the same plan again from the target as it is now: same number, same expiry, everything else fresh."""
    remediation = registry.get(plan.remediation)
    return await _plan(eyes, remediation, plan.target, dict(plan.params), tuple(unfinished), plan.id, plan.made_at)


def job_of(plan: Plan, results: Mapping[str, object] | None = None) -> Job:
    """Return what the plan's steps are made from.

    Args:
        plan: the plan.
        results: what steps that already ran left.
    """
    return Job(plan.id, plan.target, dict(plan.params), plan.facts, dict(results or {}))


async def _plan(
    eyes: Eyes,
    remediation: Remediation,
    target: Target,
    params: Mapping[str, str],
    unfinished: Sequence[Execution],
    number: str,
    made_at: datetime,
) -> Plan:
    spec = remediation.spec
    params = check_params(spec, params)
    if target.kind != spec.layer:
        raise PlanError(f"{spec.name} is for {spec.target}, not for {target}")
    draft = await _drafted(remediation, eyes, target, params)
    if not draft.guards:
        raise PlanError(f"{spec.name} has no guard: a fault of that remediation")
    taken_at = eyes.clock.now()
    guards = (*_common_guards(eyes, draft, unfinished), *draft.guards)
    judged = risk.assess(_factors(draft, await _context(eyes, draft), guards), stop=draft.stop)
    data = {**draft.data, **({"expected": [str(one) for one in draft.expected]} if draft.expected else {})}
    job = Job(number, draft.target, params, data)
    steps, undo, checks = remediation.steps(job), remediation.undo(job), remediation.checks(job)
    if not steps or not checks:
        raise PlanError(f"{spec.name} has no step or no check for {draft.target}: a fault of that remediation")
    return Plan(
        id=number,
        remediation=spec.name,
        target=draft.target,
        params=tuple(sorted(params.items())),
        problem=_say(draft.problem),
        solution=_say(draft.solution),
        risk=judged,
        before=Before(fingerprint(draft.identity), taken_at, tuple(sorted(draft.identity.items()))),
        diff=tuple(DiffPart(_say(part.title), part.language, redact(part.before), redact(part.after)) for part in draft.diff),
        guards=tuple(
            Guard(guard.name, guard.status, _say(guard.why), redact(guard.evidence), guard.critical) for guard in guards
        ),
        steps=tuple(Step(step.name, redact(step.command), step.writes, step.timeout_s, step.undo) for step in steps),
        rollback=tuple(UndoStep(step.name, redact(step.command)) for step in undo),
        irreversible=tuple(_say(text) for text in draft.irreversible),
        checks=tuple(Check(check.name, check.watch_s, check.why) for check in checks),
        mitigations=_mitigations(draft, judged),
        data=canonical(data),
        made_at=made_at,
        expires_at=made_at + PLAN_LIFE,
    )


async def _drafted(remediation: Remediation, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
    try:
        return await remediation.draft(eyes, target, params)
    except Exception as error:
        # The client libraries are not loaded here; what a server or libvirt refuses is known by where it comes from.
        if type(error).__module__.startswith(("asyncpg", "debugtui.sources")) and not isinstance(error, SourceError):
            raise SourceError(Problem(f"{target} could not be looked at: {redact(line(str(error), 300))}")) from error
        raise


def _say(text: str) -> str:
    return redact(line(text, 2_000))


def check_params(spec: Spec, params: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters with their defaults.

    Raises:
        PlanError: one is unknown or missing.
    """
    names = {parameter.name for parameter in spec.parameters if not parameter.prefix}
    prefixes = tuple(f"{parameter.name}." for parameter in spec.parameters if parameter.prefix)
    for name in params:
        if name in names or (name.startswith(prefixes) and name not in prefixes):
            continue
        near = difflib.get_close_matches(name, sorted(names), 1)
        known = ", ".join([*sorted(names), *(f"{prefix}KEY" for prefix in prefixes)]) or "none"
        hint = f"did you mean {near[0]!r}?" if near else f"it takes: {known}"
        raise PlanError(f"{spec.name} has no parameter {line(name, 100)!r}; {hint}")
    filled = dict(params)
    for parameter in spec.parameters:
        if parameter.prefix or parameter.name in filled:
            continue
        if parameter.required:
            raise PlanError(f"{spec.name} needs the parameter {parameter.name}: {parameter.help}")
        if parameter.default:
            filled[parameter.name] = parameter.default
    return filled


def _factors(draft: Draft, context: Factor, guards: Sequence[Guard]) -> dict[str, tuple[int | None, str]]:
    factors = draft.factors
    own = (context, factors.context)
    # An unknown one is the worst; otherwise the higher one counts.
    worst = max(own, key=lambda factor: 4 if factor.level is None else factor.level)
    return {
        "interruption": _pair(factors.interruption),
        "reversibility": _pair(factors.reversibility),
        "durable_data": _pair(factors.durable_data),
        "blast_radius": _pair(factors.blast_radius),
        "blocking": _pair(factors.blocking),
        "verifiability": _pair(factors.verifiability),
        "uncertainty": risk.uncertainty(guards, oldest_s=0.0),
        "context": _pair(worst),
    }


def _pair(factor: Factor) -> tuple[int | None, str]:
    return factor.level, _say(factor.why)


def _common_guards(eyes: Eyes, draft: Draft, unfinished: Sequence[Execution]) -> Iterable[Guard]:
    read = ", ".join(f"{name} {line(value, 80)}" for name, value in sorted(draft.identity.items()))
    yield Guard("target_identity", GuardStatus.PASS, "read just now; it is read again before anything is sent", line(read, 500))
    touched = {str(draft.target), str(draft.data.get("changes") or draft.target)}
    others = [execution for execution in unfinished if str(execution.target) in touched]
    if others:
        first = others[0]
        why = f"{first.id} on this target is {first.state.value}: it must be closed first"
        yield Guard("no_other_execution", GuardStatus.FAIL, why, f"since {first.changed_at:%Y-%m-%d %H:%M:%S} UTC")
    else:
        yield Guard("no_other_execution", GuardStatus.PASS, "no other execution on this target is under way or unknown")
    if draft.target.kind == "postgres":
        yield _repair_role(eyes, draft.target)


def _repair_role(eyes: Eyes, target: Target) -> Guard:
    name = target.name.partition("/")[0]
    try:
        configured = eyes.database(name).repair_dsn is not None
    except KeyError:
        configured = False
    if configured:
        return Guard("repair_role", GuardStatus.PASS, "a repair role is configured; it is used only after the approval")
    return Guard("repair_role", GuardStatus.FAIL, f"no repair role is configured for {line(name, 80)}: repair_dsn names it")


async def _context(eyes: Eyes, draft: Draft) -> Factor:
    """Judge the surroundings: change freeze, peak hour, a running backup, other alerts."""
    repair = eyes.config.repair
    if repair.freeze:
        return Factor(3, "a change freeze is configured")
    if peak := within_peak(repair.peak, eyes.clock.now().astimezone()):
        return Factor(2, f"peak hour: {peak}")
    view = await eyes.view()
    host = next((host for host in view.hosts if host.name == eyes.host.name), None)
    if host is None:
        return Factor(None, "the host's other readings are not known")
    if backup := _backup(host):
        return Factor(2, f"a backup is running: {backup}")
    others = [
        alert
        for alert in AlertBook(rules_of(eyes.config.alerts)).update(view)
        if alert.target.host == eyes.host.name and alert.target != draft.target and alert.rule not in UNREADABLE
    ]
    if others:
        return Factor(1, f"another alert: {line(redact(others[0].message), 160)}")
    return Factor(0, "calm: no other alert on this host")


def _backup(host: HostView) -> str:
    for status in host.sources:
        if isinstance(status.reading, PostgresReading):
            for session in status.reading.sessions:
                if session.application.lower().startswith(BACKUP_PROGRAMS):
                    return f"{session.application} in {status.name}"
    return ""


def _mitigations(draft: Draft, judged: Risk) -> tuple[Mitigation, ...]:
    found = tuple(Mitigation(item.remediation, _say(item.why)) for item in draft.mitigations)
    if found or judged.cls < RiskClass.STOP:
        return found
    factor, cls = risk.cheaper(judged)
    why = f"lower {factor.replace('_', ' ')} first: the plan would then be class {cls}"
    return (Mitigation("", why), Mitigation("", "a maintenance window with a rehearsed way back, agreed with the owner"))
