"""The Groq source: one probe a read at most, and what the application itself tells of its calls."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from debugtui.config.models import GroqConfig
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, Limit, PassiveFigures
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.groq.budget import Budget, BudgetError, Reserve, Spent, SpentError
from debugtui.sources.groq.client import prepare
from debugtui.sources.groq.keys import Keys
from debugtui.sources.groq.listening import LISTEN_LIMIT, Listening
from debugtui.sources.groq.pause import Pause
from debugtui.sources.groq.probe import COMPLETION, MODELS, Outcome, Way, probe
from debugtui.sources.groq.spread import spread

#: Seconds between two probes where the configuration names none.
MODELS_PERIOD, COMPLETION_PERIOD = 30.0, 60.0
#: How long a call counts, and how many are kept.
WINDOW, MOST_CALLS = timedelta(hours=1), 240
#: Beside completions, the list of models is read this often, in seconds.
LISTING_PERIOD = 600.0


class GroqSource:
    """One use of the Groq API.

    With `probe = "completion"` a read falls back to the list of models, and says so in a gap, whenever a completion must not be
    sent: the budget is spent, its file cannot be read and written, or there is none (`state` is None).
    """

    kind = Kind.GROQ
    has_rates = False

    def __init__(
        self,
        config: GroqConfig,
        key: Callable[[], Awaitable[str]],
        *,
        via: Link | None = None,
        state: Path | None = None,
        log_lines: Callable[[], Awaitable[Sequence[str]]] | None = None,
        metrics: Callable[[str], Awaitable[object]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Watch one use.

        Args:
            config: what is watched.
            key: gives the API key; asked before each probe, so that a new key is noticed.
            via: the link through which the API is reached; None: from this machine.
            state: the file that keeps what the probes have spent; several sources may share it.
            log_lines: gives the lines that the application logged in the last five minutes.
            metrics: asks Prometheus; gives the `data.result` of an instant query.
            clock: time.
        """
        self.name = config.name
        self.period_s = config.every or (COMPLETION_PERIOD if config.probe == COMPLETION else MODELS_PERIOD)
        self.limit_s = config.timeout + 2 * LISTEN_LIMIT + 10.0  # the libraries are loaded, the budget's file is locked
        self._config = config
        self._model = config.model or ""
        self._keys = Keys(config.name, key)
        self._via = via
        self._clock = clock or SystemClock()
        self._listening = Listening(config, log_lines, metrics)
        wanted = config.probe == COMPLETION and state is not None
        self._budget = Budget(state, config.name, self._model, config.budget) if wanted and state is not None else None
        self._pause = Pause()
        self._tls: ssl.SSLContext | None = None
        self._calls: deque[GroqCall] = deque(maxlen=MOST_CALLS)
        self._newest: GroqCall | None = None
        self._limits: dict[str, Limit] = {}
        self._models: frozenset[str] | None = None
        self._listed_at: float | None = None
        self._spent: Spent | None = None
        self._out_of_budget = False

    async def read(self, *, full: bool) -> GroqReading:
        """Probe, unless a pause lasts, and read what the application tells.

        Args:
            full: beside a completion, read the list of models, too.

        Raises:
            SourceError: there is no key, and nothing passive to read either.
            LinkError: the link that leads to the API is not up.
        """
        passive, gaps = await self._listening.read()
        try:
            await self._probe(full, gaps)
        except SourceError as error:
            if not passive:
                raise
            gaps.append(Gap("probe", error.problem))
        return self._reading(passive, gaps)

    async def close(self) -> None:
        """Withdraw the question for the key; no connection is kept between reads. Safe to call twice."""
        await self._keys.close()

    async def _probe(self, full: bool, gaps: list[Gap]) -> None:
        key, changed = await self._keys.current()
        if changed:
            self._pause.new_key()
        if self._pause.active(self._clock.monotonic()):
            return
        if self._tls is None:
            self._tls = await prepare()
        config = self._config
        way = Way(config.base_url, config.timeout, self._tls, self._via)
        reserve = await self._reserve(gaps) if config.probe == COMPLETION else None
        kind = COMPLETION if reserve is not None else MODELS
        outcome = await probe(way, key, kind, self._model, self._clock.now())
        if reserve is not None:
            await self._settle(reserve, outcome, gaps)
        self._note(outcome)
        if kind == COMPLETION and outcome.call.fault is None and not self._pause.active(self._clock.monotonic()):
            await self._list(way, key, full, gaps)

    async def _reserve(self, gaps: list[Gap]) -> Reserve | None:
        """Set aside what a completion may cost; None, with a gap: none may be sent."""
        self._out_of_budget = False
        if not self._model:
            gaps.append(_instead("no model is configured", "model = ... in the configuration"))
            return None
        if self._budget is None:
            gaps.append(_instead("there is no file that keeps what was spent"))
            return None
        try:
            reserve, self._spent = await asyncio.to_thread(self._budget.reserve, self._clock.now())
        except SpentError as error:
            self._out_of_budget = True
            gaps.append(_instead(f"the budget is spent: {error}", "it starts anew at midnight UTC"))
            await self._look_at_budget(gaps)
            return None
        except BudgetError as error:
            gaps.append(_budget_gap(error))
            return None
        return reserve

    async def _look_at_budget(self, gaps: list[Gap]) -> None:
        if self._budget is not None:
            try:
                self._spent = await asyncio.to_thread(self._budget.spent, self._clock.now())
            except BudgetError as error:
                gaps.append(_budget_gap(error))

    async def _settle(self, reserve: Reserve, outcome: Outcome, gaps: list[Gap]) -> None:
        """Put what the completion cost in the place of what was set aside; where that is not known, it stays."""
        used = outcome.used if outcome.used is not None else None if outcome.generated else (0, 0)
        if used is None or self._budget is None:
            return
        try:
            self._spent = await asyncio.to_thread(self._budget.settle, reserve, used, self._clock.now())
        except BudgetError as error:
            gaps.append(_budget_gap(error))

    def _note(self, outcome: Outcome) -> None:
        """Keep what a probe came to."""
        now = self._clock.monotonic()
        call = outcome.call
        if outcome.models is not None:
            self._models, self._listed_at = outcome.models, now
            if self._model and self._model not in outcome.models and call.fault is None:
                says = f"the model {line(self._model, 100)} is not among the {len(outcome.models)} that the API lists"
                call = replace(call, fault=GroqFault.NO_MODEL, says=says)
        self._limits.update({limit.name: limit for limit in outcome.limits})
        self._newest = call
        self._calls.append(call)
        self._pause.judge(call, outcome.limits, self._clock.now(), now)

    async def _list(self, way: Way, key: str, full: bool, gaps: list[Gap]) -> None:
        """Beside a completion that went well: see now and then whether the model is still listed. It costs nothing."""
        now = self._clock.monotonic()
        if not full and self._listed_at is not None and now - self._listed_at < LISTING_PERIOD:
            return
        outcome = await probe(way, key, MODELS, "", self._clock.now())
        self._listed_at = now
        if outcome.models is not None:
            self._models = outcome.models
        else:
            gaps.append(Gap("models", Problem(f"the list of models could not be read: {outcome.call.says}")))

    def _reading(self, passive: tuple[PassiveFigures, ...], gaps: list[Gap]) -> GroqReading:
        now = self._clock.now()
        while self._calls and now - self._calls[0].at > WINDOW:
            self._calls.popleft()
        calls = tuple(self._calls)
        sound = [call for call in calls if call.fault is None and call.kind == self._config.probe]
        if not sound:  # a completion that is never sent: what stood in for it
            sound = [call for call in calls if call.fault is None]
        spent = self._spent if self._spent is not None and self._spent.day >= now.date().isoformat() else None
        self._pause.active(self._clock.monotonic())
        return GroqReading(
            taken_at=now,
            base_url=self._config.base_url,
            probe=self._config.probe,
            model=self._model,
            models=None if self._models is None else len(self._models),
            model_listed=None if self._models is None or not self._model else self._model in self._models,
            newest=self._newest,
            calls=calls,
            latency=spread(call.total_ms for call in sound),
            ttft=spread(call.ttft_ms for call in sound),
            queue=spread(call.queue_ms for call in sound),
            tokens_s=spread(call.tokens_s for call in sound),
            by_class=dict(Counter(call.fault for call in calls if call.fault is not None)),
            limits=tuple(self._limits.values()),
            paused_until=self._pause.until_at,
            paused_why=self._pause.why,
            tokens_today=spent.tokens if spent else 0,
            tokens_budget=self._config.budget,
            budget_spent=self._out_of_budget and spent is not None,
            cost_today=self._cost(spent),
            passive=passive,
            gaps=tuple(gaps),
        )

    def _cost(self, spent: Spent | None) -> float | None:
        """US dollars of today; None: a price is not configured."""
        price_in, price_out = self._config.price_in, self._config.price_out
        if price_in is None or price_out is None:
            return None
        return (spent.tokens_in * price_in + spent.tokens_out * price_out) / 1e6 if spent else 0.0


def _instead(why: str, hint: str = "") -> Gap:
    return Gap("completion", Problem(f"{why}; the list of models is probed instead", hint))


def _budget_gap(error: BudgetError) -> Gap:
    return _instead(f"the file of what was spent cannot be used: {line(str(error), 120)}", "it lies in the state directory")
