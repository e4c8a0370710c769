"""The queries of the operator's own alert rules, asked of a Prometheus beside its own reading.

A source of a Prometheus asks them with every read and keeps the answers in its reading (`model.queries.HasAnswers`):

    answers = await own_answers(self._ask, own_queries(config.alerts, name), now)

A query that fails is an answer with a problem; it never fails the reading.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime

from debugtui.hosts.link import LinkError
from debugtui.model.queries import QueryAnswer, QuerySample
from debugtui.model.source import Problem
from debugtui.model.text import line
from debugtui.sources.base import SourceError

#: Asks one instant query: the labels and the newest value of each series.
Ask = Callable[[str], Awaitable[Iterable[tuple[Mapping[str, str], float]]]]

#: Seconds for one query, queries at the same time, series of one answer, characters of a label.
LIMIT_S, AT_ONCE, MOST, LABEL = 5.0, 4, 500, 200


async def own_answers(ask: Ask, queries: Mapping[str, str], now: datetime) -> dict[str, QueryAnswer]:
    """Ask every query; return the answers by the names of the rules.

    Args:
        ask: asks one query; raises `SourceError` or `LinkError`.
        queries: PromQL by the name of the rule.
        now: when this is asked (UTC).
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(query: str) -> QueryAnswer:
        async with gate:
            try:
                async with asyncio.timeout(LIMIT_S):
                    series = await ask(query)
            except (SourceError, LinkError) as error:
                return QueryAnswer(now, problem=error.problem)
            except TimeoutError:
                return QueryAnswer(now, problem=Problem(f"no answer to a query within {LIMIT_S:g} s"))
        return QueryAnswer(now, tuple(_samples(series)))

    found = await asyncio.gather(*(one(query) for query in queries.values()))
    return dict(zip(queries, found, strict=True))


def _samples(series: Iterable[tuple[Mapping[str, str], float]]) -> Iterable[QuerySample]:
    for number, (labels, value) in enumerate(series):
        if number == MOST:
            return
        if math.isfinite(value):
            safe = {line(str(name), LABEL): line(str(text), LABEL) for name, text in labels.items()}
            yield QuerySample(tuple(sorted(safe.items())), value)
