"""Runs scenarios on one lab, one after the other, each through the real command line."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.scenarios import judge
from tests.scenarios.lab.lab import Lab, open_lab
from tests.scenarios.truth import Scenario, Truth

#: Seconds that breaking may take, and healing.
BREAK_LIMIT, HEAL_LIMIT = 60.0, 90.0


@dataclass(frozen=True)
class Options:
    """How scenarios are run. `alerts`: also whether each alert shows that has to; `diagnose`: the command itself."""

    alerts: bool = False
    diagnose: bool = True


@dataclass(frozen=True)
class Outcome:
    """One scenario, run.

    Attributes:
        truth: what is the case.
        verdict: None where it could not be run, or diagnosing was left out.
        missing: alerts that had to show, and did not; None: not looked at.
        shown: alerts that did, one a line; None: not looked at.
        error: why it could not be run, or healed.
        break_s, took_s, heal_s: seconds of breaking, of the diagnosis, of healing and of seeing that all is well.
        document: what was said.
    """

    truth: Truth
    verdict: judge.Verdict | None = None
    missing: tuple[str, ...] | None = None
    shown: tuple[str, ...] | None = None
    error: str = ""
    break_s: float = 0.0
    took_s: float = 0.0
    heal_s: float = 0.0
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Whether everything about it was right."""
        return not self.error and not self.missing and (self.verdict is None or self.verdict.right)


class Runner:
    """Keeps a lab, and makes it anew where a scenario could not be healed."""

    def __init__(self, lab: Lab, options: Options) -> None:
        self._lab, self._options = lab, options
        self._baseline = lab.folder / "home" / "baseline"
        self._state = lab.folder / "home" / "state"

    async def look_first(self) -> None:
        """Look at the healthy lab, so that every scenario has a past in which all was well."""
        for _ in range(2):
            await self._lab.run(self._command, "--json", state=self._baseline)

    @property
    def _command(self) -> str:
        return "diagnose" if self._options.diagnose else "check"

    async def run(self, scenario: Scenario) -> Outcome:
        """Break, look, heal."""
        began = time.monotonic()
        outcome = Outcome(scenario.truth)
        try:
            async with asyncio.timeout(BREAK_LIMIT):
                facts = {**self._lab.facts(), **(await scenario.break_(self._lab) or {})}
            outcome = replace(outcome, break_s=time.monotonic() - began)
            outcome = await self._look(outcome, facts)
        except Exception as error:  # noqa: BLE001 - one scenario must not keep the others from being run
            outcome = replace(outcome, error=f"{type(error).__name__}: {error}")
        finally:
            began = time.monotonic()
            async with asyncio.timeout(HEAL_LIMIT):
                await scenario.heal(self._lab)
                await self._lab.settle()
                await self._lab.assert_healthy()
        return replace(outcome, heal_s=time.monotonic() - began)

    async def _look(self, outcome: Outcome, facts: Mapping[str, object]) -> Outcome:
        truth = outcome.truth
        shutil.rmtree(self._state, ignore_errors=True)
        if self._baseline.exists():
            shutil.copytree(self._baseline, self._state)
        if self._options.diagnose:
            run = await self._lab.run("diagnose", "--json", chrome=truth.chrome, state=self._state)
            document = run.json
            verdict = judge.judge(truth, facts, document)
            outcome = replace(outcome, took_s=run.took_s, verdict=verdict, document=document)
        if self._options.alerts:
            check = await self._lab.run("check", "--json", chrome=truth.chrome, state=self._state)
            outcome = replace(
                outcome,
                took_s=outcome.took_s or check.took_s,
                missing=tuple(judge.missing_alerts(truth, check.json)),
                shown=tuple(_alert(alert) for alert in check.json["alerts"]),
            )
        return outcome


def _alert(alert: Mapping[str, Any]) -> str:
    return f"{alert['severity']} {alert['rule']} {alert['target']}: {alert['message']}"


async def run_all(scenarios: Sequence[Scenario], options: Options) -> AsyncIterator[Outcome]:
    """Yield the outcome of each scenario, in order. A lab that cannot be healed is made anew for the next one."""
    waiting = list(scenarios)
    while waiting:
        async with open_lab() as lab:
            runner = Runner(lab, options)
            await runner.look_first()
            while waiting:
                scenario = waiting.pop(0)
                try:
                    outcome = await runner.run(scenario)
                except Exception as error:  # noqa: BLE001 - the lab is at fault now, and is made anew
                    yield Outcome(scenario.truth, error=f"not healed: {type(error).__name__}: {error}")
                    break
                yield outcome


def twin_differs(outcome: Outcome, outcomes: Mapping[str, Outcome]) -> bool:
    """Whether a hostile scenario was answered otherwise than the same one without the hostile text."""
    twin = outcomes.get(outcome.truth.twin)
    if twin is None or not (twin.document and outcome.document):
        return False
    return proposals_of(twin.document) != proposals_of(outcome.document)


def proposals_of(document: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The layers of the findings with the names of what is offered, in order."""
    return [(finding["layer"], [offer["name"] for offer in finding["remediations"]]) for finding in document["findings"]]
