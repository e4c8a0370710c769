"""Probes one use of the Groq API, never into a limited account and never beyond its budget; reads what others know of it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from debugtui.config.models import GroqConfig
from debugtui.config.redaction import redact, register
from debugtui.config.secrets import SecretError
from debugtui.hosts.link import Link, LinkError
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, Limit, PassiveFigures
from debugtui.model.source import Gap, Kind, Problem
from debugtui.model.text import line
from debugtui.sources.base import READ_LIMIT_S, SourceError
from debugtui.sources.groq import headers, passive
from debugtui.sources.groq.budget import Budget, BudgetError
from debugtui.sources.groq.probe import WORST, Answer, Probe
from debugtui.sources.groq.spread import spread

#: Seconds between two probes where the configuration does not say: listing models costs nothing, a completion a token.
EVERY_S = {"models": 30.0, "completion": 60.0}
#: How long we pause after an answer that says so without saying how long; and after one that only another key mends.
PAUSE, PAUSE_KEY = timedelta(seconds=60), timedelta(minutes=5)
#: Completions pause while less than this share of a limit is left: what is left belongs to the application.
LOW_PERCENT = 5.0
WINDOW, MOST = timedelta(hours=1), 240


class GroqSource:
    """One use of the API."""

    kind = Kind.GROQ
    has_rates = False
    limit_s = 4 * READ_LIMIT_S

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
        """Prepare; nothing is sent before the first read.

        Args:
            config: of this use.
            key: gives the API key; asked once, and again after it was refused.
            via: the link of the host that the API is reached through.
            state: file of the tokens that were spent today.
            log_lines: the newest lines of the application's log.
            metrics: asks the application's Prometheus.
            clock: time.
        """
        self.name = config.name
        self.period_s = config.every or EVERY_S[config.probe]
        self._config, self._ask_key = config, key
        self._log_lines, self._metrics = log_lines, metrics
        self._clock = clock or SystemClock()
        self._probe = Probe(config, via, self._clock)
        self._budget = Budget(state, config.budget)
        self._key = ""
        self._calls: deque[GroqCall] = deque(maxlen=MOST)
        self._limits: tuple[Limit, ...] = ()
        self._models: list[str] | None = None
        self._paused: tuple[datetime, str] | None = None
        self._tokens = (0, 0)
        self._gaps: dict[str, Gap] = {}

    async def close(self) -> None:
        """Nothing stays open between reads."""

    async def read(self, *, full: bool) -> GroqReading:
        """Probe now, unless it is paused. An API that fails is a reading with a fault; see `Source.read` for the rest."""
        del full
        now = self._clock.now()
        if self._paused is not None and now >= self._paused[0]:
            self._paused = None
        if self._paused is None:
            await self._send(await self._the_key(), now)
        return self._reading(now, await self._passive())

    async def _the_key(self) -> str:
        if not self._key:
            try:
                # A line end that was copied along is no part of a key; the SDK would call it a broken connection.
                self._key = "".join(await self._ask_key()).strip()
            except SecretError as error:
                raise SourceError(error.problem) from error
            register(self._key)
        if not self._key or any(sign.isspace() or not sign.isprintable() or ord(sign) > 126 for sign in self._key):
            self._key = ""
            raise SourceError(Problem(f"no API key for groq/{self.name}", "api_key in [[groq]] says where it is"))
        return self._key

    # --- probing

    async def _send(self, key: str, now: datetime) -> None:
        answer = await self._completion(key, now) if self._config.probe == "completion" else None
        if answer is None:
            answer = await self._probe.models(key)
        if answer.models is not None:
            self._models = answer.models
        self._limits = headers.limits(answer.headers) or self._limits
        self._calls.append(answer.call)
        self._pause_after(answer.call, now)

    async def _completion(self, key: str, now: datetime) -> Answer | None:
        """Send a completion where the budget and the limits allow it; None: they do not."""
        low = next((limit for limit in self._limits if limit.left_percent < LOW_PERCENT), None)
        try:
            if low is not None:
                why = f"{low.remaining} of {low.limit} {low.name} are left: they belong to the application"
            elif not self._budget.reserve(WORST, now):
                why = f"the budget of {self._config.budget} tokens a day is spent"
            else:
                return await self._spend(key, now)
        except BudgetError as error:
            why = f"what was spent today is not known ({error})"
        self._gaps["completion"] = Gap("completion", Problem(f"no completion is sent: {why}", "the models are listed instead"))
        if low is not None:
            self._limits = ()  # the next answer tells anew
        return None

    async def _spend(self, key: str, now: datetime) -> Answer:
        if self._models is None:
            listed = await self._probe.models(key)
            self._models = listed.models
        answer = await self._probe.completion(key, self._config.model or "")
        spent = answer.call.tokens_in + answer.call.tokens_out
        self._tokens = (self._tokens[0] + answer.call.tokens_in, self._tokens[1] + answer.call.tokens_out)
        if spent or answer.call.status is not None:
            # An answer without figures may have cost what was reserved; a refusal cost nothing.
            refused = answer.call.status is not None and answer.call.status >= 400
            self._budget.settle(WORST, spent if spent else 0 if refused else WORST, now)
        self._gaps.pop("completion", None)
        return answer

    def _pause_after(self, call: GroqCall, now: datetime) -> None:
        if call.fault is GroqFault.RATE_LIMITED:
            resets = [limit.reset_s for limit in self._limits if limit.remaining == 0 and limit.reset_s]
            wait = timedelta(seconds=call.retry_after_s) if call.retry_after_s is not None else PAUSE
            if call.retry_after_s is None and resets:
                wait = timedelta(seconds=max(resets))
            self._paused = (now + wait, f"429: asked to wait {wait.total_seconds():.0f} s")
        elif call.fault in (GroqFault.AUTHENTICATION, GroqFault.PERMISSION):
            self._key = ""  # whoever gives it may give another one next time
            self._paused = (now + PAUSE_KEY, f"{call.status}: the key is refused; trying again does not mend it")
        elif call.fault is GroqFault.CAPACITY:
            self._paused = (now + PAUSE, "498: no capacity")

    # --- what others know

    async def _passive(self) -> tuple[PassiveFigures, ...]:
        found = []
        if self._log_lines is not None and self._config.logs is not None:
            origin = f"log of {self._config.logs.container}"
            try:
                rows = await self._log_lines()
                work = asyncio.to_thread(passive.from_log, rows, origin, self._config.base_url, self._config.logs.pattern)
                found.append(await work)
                self._gaps.pop("log", None)
            except (SourceError, LinkError, TimeoutError, ValueError) as error:
                self._gaps["log"] = Gap("log", Problem(f"{origin}: {redact(line(str(error), 200))}"))
        if self._metrics is not None:
            try:
                found.append(await passive.from_metrics(self._metrics, f"prometheus {self._config.prometheus}"))
                self._gaps.pop("prometheus", None)
            except (SourceError, LinkError, TimeoutError) as error:
                self._gaps["prometheus"] = Gap("prometheus", Problem(redact(line(str(error), 200))))
        return tuple(found)

    # --- the reading

    def _reading(self, now: datetime, told: tuple[PassiveFigures, ...]) -> GroqReading:
        while self._calls and self._calls[0].at < now - WINDOW:
            self._calls.popleft()
        calls, config = tuple(self._calls), self._config
        sound = [call for call in calls if call.fault is None]
        try:
            spent = self._budget.spent(now)
        except BudgetError as error:
            spent = 0
            self._gaps["budget"] = Gap("budget", Problem(str(error)))
        listed = None if self._models is None or not config.model else config.model in self._models
        return GroqReading(
            taken_at=now,
            base_url=config.base_url,
            probe=config.probe,
            model=config.model or "",
            models=None if self._models is None else len(self._models),
            model_listed=listed,
            newest=calls[-1] if calls else None,
            calls=calls,
            latency=spread(call.total_ms for call in sound),
            ttft=spread(call.ttft_ms for call in sound),
            queue=spread(call.queue_ms for call in sound),
            tokens_s=spread(call.tokens_s for call in sound),
            by_class=dict(Counter(call.fault for call in calls if call.fault is not None)),
            limits=self._limits,
            paused_until=self._paused[0] if self._paused else None,
            paused_why=self._paused[1] if self._paused else "",
            tokens_today=spent,
            tokens_budget=config.budget,
            cost_today=self._cost(),
            passive=told,
            gaps=tuple(self._gaps.values()),
        )

    def _cost(self) -> float | None:
        """What the probes of this run have cost, in US dollars; None where the price is not configured."""
        if self._config.price_in is None or self._config.price_out is None:
            return None
        return (self._tokens[0] * self._config.price_in + self._tokens[1] * self._config.price_out) / 1e6
