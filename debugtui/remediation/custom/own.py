"""One own remediation: argument lists, never a shell; looked at, guarded, checked and taken back like all others."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from debugtui.config.redaction import redact
from debugtui.hosts.link import CommandResult
from debugtui.model.canonical import digest
from debugtui.model.plan import FACTORS, DiffPart, Guard, GuardStatus
from debugtui.model.source import FleetView, Problem
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import (
    DeadMan,
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.custom.models import PLACE, OwnCheck, OwnDiff, OwnRemediation, OwnStep
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.remote.settled import by_mark
from debugtui.sources.base import SourceError

_LOOK_LIMIT = 15.0
_TEXT_LIMIT = 200_000
_JUDGED = tuple(name for name in FACTORS if name not in ("uncertainty", "context"))


class Own(Remediation):
    """See the module."""

    def __init__(self, file: OwnRemediation) -> None:
        """Take a file that was read."""
        self._file = file
        self.spec = Spec(  # type: ignore[misc] # of this one, not of the class
            name=f"own.{file.name}",
            title=file.title,
            summary=file.summary,
            target=f"HOST/{file.kind}/{file.resource}",
            parameters=tuple(
                Parameter(one.name, one.help, required=not one.default, default=one.default) for one in file.parameters
            ),
            risk=(1, 4),
            undo=Undo(file.undo),
            undo_says=file.undo_says,
            guards=tuple(guard.name for guard in file.guards),
            kind=file.kind,
        )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Targets of its kind whose name fits."""
        if target.kind != self._file.kind or not re.fullmatch(self._file.resource, target.name):
            return None
        return Offer(self.spec.name, target, True, self._file.summary, rank=40)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Run what only looks."""
        file = self._file
        if not re.fullmatch(file.resource, target.name):
            raise PlanError(f"{self.spec.name} is for names like {file.resource}, not {line(target.name, 100)!r}")
        for parameter in file.parameters:
            if not re.fullmatch(parameter.pattern, params.get(parameter.name, "")):
                raise PlanError(f"{parameter.name} has to match {parameter.pattern}: {parameter.help}")
        identity = await self._identity(eyes, params)
        return Draft(
            target=target,
            problem=_fill(file.problem, params),
            solution=_fill(file.solution, params),
            factors=self._factors(),
            identity=identity,
            data={"identity": identity},
            diff=tuple([await _diff(eyes, one, params) for one in file.diff]),
            guards=tuple([await self._guard(eyes, number, params) for number in range(len(file.guards))]),
            irreversible=file.irreversible,
        )

    async def _identity(self, eyes: Eyes, params: Mapping[str, str]) -> dict[str, str]:
        found = {}
        for one in self._file.identity:
            done = await _look(eyes, _argv(one.argv, params))
            if done.status != 0:
                raise SourceError(Problem(f"{one.label}: {shlex.join(one.argv)} ended with status {done.status}"))
            found[one.label] = digest(clean(done.stdout))
        return found

    async def _guard(self, eyes: Eyes, number: int, params: Mapping[str, str]) -> Guard:
        guard = self._file.guards[number]
        done = await _look(eyes, _argv(guard.argv, params))
        good = _fits(done, guard.status, guard.matches)
        status = GuardStatus.UNKNOWN if good is None else GuardStatus.PASS if good else GuardStatus.FAIL
        return Guard(guard.name, status, guard.why, _evidence(done), guard.critical)

    def _factors(self) -> Factors:
        def factor(name: str) -> Factor:
            found = self._file.risk.get(name)
            return Factor(found.level, found.why) if found else Factor(None, "the file does not say")

        context = self._file.risk.get("context")
        values = {name: factor(name) for name in _JUDGED}
        return Factors(**values, context=Factor(context.level, context.why) if context else Factor(0, "the file names none"))

    # --- steps

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Return the steps of the file."""
        return tuple(self._step(job, number, step) for number, step in enumerate(self._file.steps, 1))

    def _step(self, job: Job, number: int, step: OwnStep) -> LiveStep:
        undo = _argv(step.undo, job.params) if step.undo else None

        async def run(hands: Hands) -> Done:
            if number == 1 and await self._identity(hands, job.params) != job.data["identity"]:
                raise StaleError("the target is not what was approved")
            return await _send(hands, _argv(step.argv, job.params), step.timeout)

        return LiveStep(
            name=step.name,
            command=shlex.join(_argv(step.argv, job.params)),
            writes=True,
            timeout_s=round(step.timeout),
            undo=shlex.join(undo) if undo else None,
            run=run,
            settle=by_mark(job, str(number)),
            dead_man=DeadMan(tuple(undo), round(step.dead_man)) if undo and step.dead_man else None,
        )

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Return the undo of each step that has one, the last first."""
        found: list[LiveStep] = []
        for step in reversed(self._file.steps):
            if step.undo is not None:
                argv = _argv(step.undo, job.params)

                async def run(hands: Hands, argv: list[str] = argv, limit: float = step.timeout) -> Done:
                    return await _send(hands, argv, limit)

                found.append(
                    LiveStep(
                        name=f"undo: {step.name}",
                        command=shlex.join(argv),
                        writes=True,
                        timeout_s=round(step.timeout),
                        undo=None,
                        run=run,
                        settle=by_mark(job, f"r{len(found) + 1}"),
                    )
                )
        return tuple(found)

    # --- checks

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Return the checks of the file."""
        return tuple(_check(check, job.params) for check in self._file.checks)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """An exact rollback ends with the same identity as before; another one with steps that ran."""

        async def same(eyes: Eyes) -> Sample:
            now = await self._identity(eyes, job.params)
            moved = [label for label, value in now.items() if value != _text(job.data["identity"], label)]
            return Sample(not moved, f"different: {', '.join(moved)}" if moved else "as before")

        return (LiveCheck("as before", 2, "what identified the target is read again", same, within_s=10),)


def _fill(text: str, params: Mapping[str, str]) -> str:
    return PLACE.sub(lambda match: params.get(match[1], match[0]), text)


def _argv(argv: Sequence[str], params: Mapping[str, str]) -> list[str]:
    """Put parameters into arguments: each stays inside its argument, whatever it holds."""
    return [_fill(word, params) for word in argv]


async def _look(eyes: Eyes, argv: Sequence[str]) -> CommandResult:
    return await eyes.run(argv, timeout=_LOOK_LIMIT, limit=_TEXT_LIMIT)


def _fits(done: CommandResult, status: int, matches: str) -> bool | None:
    """Return whether a command left what was expected; None where it could not even be run."""
    if done.status in (126, 127) and status not in (126, 127):
        return None
    return done.status == status and (not matches or re.search(matches, clean(done.stdout)) is not None)


def _evidence(done: CommandResult) -> str:
    said = line(redact(clean(done.stdout).strip() or clean(done.stderr).strip()), 300)
    return f"status {done.status}{': ' + said if said else ''}, read just now"


async def _diff(eyes: Eyes, one: OwnDiff, params: Mapping[str, str]) -> DiffPart:
    done = await _look(eyes, _argv(one.before, params))
    return DiffPart(one.title, one.language, clean(done.stdout) if done.status == 0 else "", _fill(one.after, params))


async def _send(hands: Hands, argv: Sequence[str], limit: float) -> Done:
    done = await hands.command(argv, timeout_s=limit)
    said = line(redact(clean(done.stdout).strip() or clean(done.stderr).strip()), 500)
    if done.status != 0:
        raise StepError(f"{argv[0]} ended with status {done.status}: {said or 'no word'}")
    return Done(f"status 0{': ' + said if said else ''}")


def _check(check: OwnCheck, params: Mapping[str, str]) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        done = await _look(eyes, _argv(check.argv, params))
        return Sample(_fits(done, check.status, check.matches), _evidence(done))

    return LiveCheck(check.name, round(check.watch), check.why, sample, within_s=check.within)


def _text(value: object, name: str) -> str:
    return str(value.get(name, "")) if isinstance(value, dict) else ""
