"""Runs the steps of a runbook. Every one of them only looks, so none needs an approval; planning a repair comes after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from debugtui.config.ask import Asker
from debugtui.config.models import Config
from debugtui.config.secrets import SecretError
from debugtui.diagnosis.runbooks import fill
from debugtui.diagnosis.runbooks.aim import Aim, Around, Place
from debugtui.diagnosis.runbooks.looks import Looks
from debugtui.diagnosis.runbooks.models import Runbook
from debugtui.diagnosis.runbooks.placing import places_of
from debugtui.diagnosis.runbooks.result import result
from debugtui.diagnosis.runbooks.seen import Seen, not_here, unseen
from debugtui.diagnosis.runbooks.servers import Servers
from debugtui.diagnosis.runbooks.step import Step
from debugtui.fleet.fleet import Fleet
from debugtui.hosts.link import LinkError
from debugtui.model.clock import Clock
from debugtui.model.ids import new_id
from debugtui.model.runbook import RunbookRun, StepRun, StepVerdict
from debugtui.sources.base import SourceError

#: Steps that run at the same time.
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Bench:
    """What running needs: the fleet, started; its configuration; who asks the operator; time."""

    fleet: Fleet
    config: Config
    asker: Asker
    clock: Clock


class Runner:
    """Runs one runbook on one target. Close it: it owns the connections that its steps opened."""

    def __init__(self, bench: Bench, runbook: Runbook, aim: Aim) -> None:
        self._bench, self.runbook, self.aim = bench, runbook, aim
        self._around = Around(bench.config, aim)
        servers = Servers(bench.config, bench.asker, bench.fleet.link)
        self._looks = Looks(bench.fleet, bench.config, servers, bench.clock)

    async def close(self) -> None:
        """Close what was opened. Safe to call twice."""
        await self._looks.close()

    async def all(self, tell: Callable[[StepRun], None] | None = None) -> tuple[StepRun, ...]:
        """Run every step, several at a time; return them in the order of the runbook.

        Args:
            tell: is called with each as it ends.
        """
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> StepRun:
            async with turns:
                done = await self.step(number)
            if tell is not None:
                tell(done)
            return done

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(1, len(self.runbook.steps) + 1)]
        return tuple(task.result() for task in tasks)

    async def step(self, number: int) -> StepRun:
        """Run one step.

        Args:
            number: from 1.

        Raises:
            IndexError: there is no such step.
        """
        step = self.runbook.steps[number - 1]
        clock = self._bench.clock
        at, begun = clock.now(), clock.monotonic()
        run = StepRun(number, step.id, step.title, step.kind, at, StepVerdict.SHOWN)
        if step.kind == "note":
            return replace(run, output=step.text or "")
        places = places_of(step, self._around)
        if isinstance(places, str):
            return replace(run, verdict=StepVerdict.SKIPPED, says=places)
        seen = [(place, await self._look(step, place)) for place in places]
        done = result(run, step, seen, self._around, self._bench.clock.now())
        return replace(done, took_ms=round(1000 * (clock.monotonic() - begun), 1))

    async def _look(self, step: Step, place: Place) -> Seen:
        try:
            return await self._looks.at(step, place)
        except fill.UnfilledError as error:
            return not_here(f"{place.target} gives no {error.name}: {fill.PARAMETERS[error.name]}")
        except (SourceError, LinkError, SecretError) as error:
            return unseen(str(error.problem))
        except TimeoutError:
            return unseen(f"{place.target} did not answer in time")
        except KeyError:
            return not_here(f"{place.target.host} is no host that is connected")
        except ValueError as error:
            return unseen(str(error))


def new_run(runner: Runner, clock: Clock, *, operator: str, language: str = "en") -> RunbookRun:
    """Return a use of a runbook that begins now; no step was run yet."""
    book, aim = runner.runbook, runner.aim
    now = clock.now()
    title = book.title.in_language(language)
    return RunbookRun(new_id("run", now), book.name, title, aim.target, now, aim.service, operator)


def with_step(run: RunbookRun, done: StepRun) -> RunbookRun:
    """Return a use with a step in it, instead of an earlier run of the same one."""
    others = [step for step in run.steps if step.number != done.number]
    return replace(run, steps=tuple(sorted([*others, done], key=lambda step: step.number)))
