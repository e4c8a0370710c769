"""The passive side: reads what the application's log and metrics say, each with a time limit, and keeps none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from debugtui.config.models import GroqConfig
from debugtui.config.redaction import redact
from debugtui.hosts.link import LinkError
from debugtui.model.groq import PassiveFigures
from debugtui.model.source import Gap, Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError
from debugtui.sources.groq.passive import PatternError, Tally, of_libraries, of_pattern
from debugtui.sources.groq.promql import of_metrics

#: Seconds for the log, and for all questions to Prometheus.
LISTEN_LIMIT = 5.0

LogLines = Callable[[], Awaitable[Sequence[str]]]
Metrics = Callable[[str], Awaitable[object]]


class Listening:
    """Asks both, where they are configured."""

    def __init__(self, config: GroqConfig, log_lines: LogLines | None, metrics: Metrics | None) -> None:
        self._config = config
        self._log_lines, self._metrics = log_lines, metrics
        self._rejected: Problem | None = None

    async def read(self) -> tuple[tuple[PassiveFigures, ...], list[Gap]]:
        """Return what they tell of the last five minutes, and what could not be read."""
        found: list[PassiveFigures] = []
        gaps: list[Gap] = []
        if self._log_lines is not None:
            await self._keep("log", self._log(self._log_lines, gaps), found, gaps)
        if self._metrics is not None:
            await self._keep("metrics", self._prometheus(self._metrics, gaps), found, gaps)
        return tuple(found), gaps

    async def _keep(
        self, feature: str, reading: Awaitable[PassiveFigures | None], found: list[PassiveFigures], gaps: list[Gap]
    ) -> None:
        try:
            async with asyncio.timeout(LISTEN_LIMIT):
                figures = await reading
        except TimeoutError:
            gaps.append(Gap(feature, Problem(f"no answer within {LISTEN_LIMIT:g} s")))
        except (LinkError, SourceError) as error:
            gaps.append(Gap(feature, error.problem))
        except PatternError as error:
            self._rejected = Problem(f"the pattern of the log cannot be used: {error}", "correct groq.logs.pattern")
            gaps.append(Gap(feature, self._rejected))
        except Exception as error:  # noqa: BLE001 - what reads the log and asks Prometheus is given to us; it is shown
            said = line(redact(f"{type(error).__name__}: {str(error)[:2_000]}"), 200)
            gaps.append(Gap(feature, Problem(said)))
        else:
            if figures is not None:
                found.append(figures)

    async def _log(self, log_lines: LogLines, gaps: list[Gap]) -> PassiveFigures | None:
        logs = self._config.logs
        if self._rejected is not None:
            gaps.append(Gap("log", self._rejected))
            return None
        lines = await log_lines()
        tally: Tally
        if logs is not None and logs.pattern is not None:
            tally = await of_pattern(lines, logs.pattern, self._config.model or "")
        else:
            tally = await asyncio.to_thread(of_libraries, lines, self._config.base_url)
        if tally.others and not tally.calls:
            gaps.append(Gap("log", Problem(f"its {tally.others} calls are all of other models than {self._config.model}")))
        return tally.figures(f"log of {logs.container}" if logs is not None else "log")

    async def _prometheus(self, metrics: Metrics, gaps: list[Gap]) -> PassiveFigures | None:
        figures = await of_metrics(metrics, f"prometheus {self._config.prometheus or ''}".rstrip(), self._config.model or "")
        if figures is None:
            about = f" for the model {self._config.model}" if self._config.model else ""
            gaps.append(
                Gap(
                    "metrics",
                    Problem(
                        f"no gen_ai_client_operation_duration_seconds{about}",
                        "the application has to export OpenTelemetry's metrics for generative AI",
                    ),
                )
            )
        return figures
