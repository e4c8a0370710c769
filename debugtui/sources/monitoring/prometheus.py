"""The Prometheus source: what it scrapes, what its rules say, how it is itself; and questions to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from debugtui.model.clock import Clock
from debugtui.model.monitoring import QueryResult
from debugtui.model.prometheus import AlertmanagerLink, Notifications, PrometheusReading
from debugtui.model.source import Gap, Kind, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.monitoring import prometheus_parts as parts
from debugtui.sources.monitoring.exposition import Growth, Samples, only
from debugtui.sources.monitoring.firing import of_prometheus
from debugtui.sources.monitoring.parts import Parts
from debugtui.sources.monitoring.server import ServerSource, Way
from debugtui.sources.monitoring.shapes import flag, moment, name, number, rows, since_epoch, table
from debugtui.sources.own_queries import own_answers
from debugtui.sources.prometheus import PrometheusQueries

_DROPPED = "prometheus_notifications_dropped_total"
_MISSED = "prometheus_rule_group_iterations_missed_total"


class PrometheusSource(ServerSource):
    """One Prometheus, or what speaks its API (VictoriaMetrics): parts that it lacks are gaps."""

    kind = Kind.PROMETHEUS

    def __init__(
        self,
        source_name: str,
        way: Way,
        *,
        every: float | None = None,
        clock: Clock | None = None,
        own: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            source_name: its configured name.
            way: how it is reached.
            every: seconds between two reads.
            clock: time.
            own: the queries of the operator's own alert rules, by the rule's name.
        """
        super().__init__(source_name, way, every=every, clock=clock)
        self._queries_of_rules = dict(own or {})
        self.queries = PrometheusQueries(way.api)
        self._growth = Growth(self._clock)

    async def query(self, expr: str) -> QueryResult:
        """Return the newest values of an expression; see `PrometheusQueries.query`."""
        return await self.queries.query(expr)

    async def query_range(self, expr: str, start: float, end: float, step: float) -> QueryResult:
        """Return the values of an expression over a span of time; see `PrometheusQueries.query_range`."""
        return await self.queries.query_range(expr, start, end, step)

    async def read(self, *, full: bool) -> PrometheusReading:
        """Read it.

        Args:
            full: also ask it what it has kept of its own counters, where it scrapes itself.

        Raises:
            SourceError: it answers no query.
            LinkError: the link is not up.
        """
        now, before = self._clock.now(), time.time()
        get = Parts(self._api, self._clock)
        server_now = self._server_time(await self._api.get("/api/v1/query", {"query": "time()"}))
        newest = await get.get("newest sample", "/api/v1/query", _one_value, {"query": "time() - max(timestamp(up))"})
        found = await get.get("targets", "/api/v1/targets", parts.targets, {"state": "active"})
        reading = PrometheusReading(
            taken_at=now,
            url=self._way.url,
            ahead_s=round(server_now - (before + time.time()) / 2, 3),
            newest_age_s=newest,
            targets=found.kept if found is not None else None,
            by_health=found.by_health if found is not None else {},
            rules=await get.get("rules", "/api/v1/rules", parts.rules),
            alerts=await get.get("alerts", "/api/v1/alerts", of_prometheus),
            alertmanagers=await get.get("Alertmanagers", "/api/v1/alertmanagers", parts.alertmanagers),
        )
        reading = await self._own(get, reading, full)
        if self._queries_of_rules:
            reading = replace(reading, answers=await own_answers(self._newest, self._queries_of_rules, now))
        if found is not None and sum(found.by_health.values()) > len(found.kept):
            says = f"{len(found.kept)} of {sum(found.by_health.values())} targets are kept, those that are down first"
            get.gaps.append(Gap("targets", Problem(says)))
        return replace(reading, gaps=tuple(get.gaps))

    async def _newest(self, expr: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the labels and the newest value of each series of an expression."""
        result = await self.queries.query(expr)
        return [(one.labels, one.values[-1]) for one in result.series if one.values]

    def _server_time(self, document: object) -> float:
        """Return its clock; a scalar, or with VictoriaMetrics a vector of one.

        Raises:
            SourceError: that is no Prometheus.
        """
        data = parts.data_of(document)
        result = data.get("result")
        pair = result if data.get("resultType") == "scalar" else next((row.get("value") for row in rows(result)), None)
        value = number(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
        if value is None:
            says = f"{self._way.url} does not answer as a prometheus"
            raise SourceError(Problem(says, "url in the configuration: without /api/v1, with the prefix where it has one"))
        return value

    async def _own(self, get: Parts, reading: PrometheusReading, full: bool) -> PrometheusReading:
        """Add what it says of itself."""
        build = await get.get("version", "/api/v1/status/buildinfo", parts.data_of) or {}
        status = await get.get("runtime", "/api/v1/status/runtimeinfo", parts.data_of) or {}
        own = await get.text("own metrics", "/metrics", parts.own_metrics)
        reading = replace(
            reading,
            version=name(build.get("version")),
            started_at=moment(status.get("startTime")),
            config_ok=flag(status.get("reloadConfigSuccess")),
            config_at=moment(status.get("lastConfigTime")),
            retention=name(status.get("storageRetention")),
        )
        if not own:
            return reading
        dropped, missed = self._recently(own)
        if full:
            dropped, missed = await self._kept(get, own, dropped, missed)
        return _with_own(reading, own, dropped, missed)

    def _recently(self, own: Samples) -> tuple[int | None, dict[str, int]]:
        """Return the notifications dropped, and the evaluations missed, in the time that they are watched."""
        total = only(own, _DROPPED)
        dropped = self._growth.of(_DROPPED, total) if total is not None else None
        missed = {group: self._growth.of(f"{_MISSED}/{group}", value) for group, value in parts.newest(own, _MISSED).items()}
        return dropped, {group: count for group, count in missed.items() if count}

    async def _kept(
        self, get: Parts, own: Samples, dropped: int | None, missed: dict[str, int]
    ) -> tuple[int | None, dict[str, int]]:
        """Look the same up in what it scraped of itself, which reaches back further than our own memory.

        It is itself among its targets where one of them started at the very moment when it did.
        """
        started = only(own, "process_start_time_seconds")
        if started is None or _DROPPED not in own:
            return dropped, missed
        mine = f"and on (job, instance) (process_start_time_seconds == {started!r})"
        query = f'increase({{__name__=~"{_DROPPED}|{_MISSED}"}}[5m]) {mine}'
        found = await get.get("counters of its own", "/api/v1/query", _increases, {"query": query})
        for group, value in (found or {}).items():
            if group:
                missed[group] = max(missed.get(group, 0), value)
            else:
                dropped = max(dropped or 0, value)
        return dropped, {group: count for group, count in missed.items() if count}


def _with_own(reading: PrometheusReading, own: Samples, dropped: int | None, missed: dict[str, int]) -> PrometheusReading:
    """Add its own metrics to a reading."""
    version = next((known.get("short_version", "") for known, _ in own.get("vm_app_version", [])), "")
    reloaded = _first(own, "prometheus_config_last_reload_successful", "vm_promscrape_config_last_reload_successful")
    taken = _first(
        own,
        "prometheus_config_last_reload_success_timestamp_seconds",
        "vm_promscrape_config_last_reload_success_timestamp_seconds",
    )
    started = _first(own, "process_start_time_seconds", "vm_app_start_timestamp")
    series = only(own, "prometheus_tsdb_head_series")
    if series is None:
        series = next(
            (value for known, value in own.get("vm_cache_entries", []) if known.get("type") == "storage/hour_metric_ids"), None
        )
    return replace(
        reading,
        version=reading.version or (f"VictoriaMetrics {version}".strip() if "vm_app_start_timestamp" in own else ""),
        started_at=reading.started_at or since_epoch(started),
        config_ok=reading.config_ok if reloaded is None else bool(reloaded),
        config_at=since_epoch(taken) or reading.config_at,
        head_series=None if series is None else round(series),
        notifications=_notifications(own, dropped),
        alertmanagers=_with_errors(reading.alertmanagers, own),
        missed=missed,
    )


def _notifications(own: Samples, dropped: int | None) -> Notifications | None:
    if _DROPPED not in own:
        return None
    return Notifications(
        queue=_whole(only(own, "prometheus_notifications_queue_length")),
        capacity=_whole(only(own, "prometheus_notifications_queue_capacity")),
        sent=_whole(max(parts.newest(own, "prometheus_notifications_sent_total").values(), default=0.0)),
        dropped=_whole(only(own, _DROPPED)),
        dropped_recently=dropped,
    )


def _with_errors(links: tuple[AlertmanagerLink, ...] | None, own: Samples) -> tuple[AlertmanagerLink, ...] | None:
    errors = parts.newest(own, "prometheus_notifications_errors_total")
    if links is None:
        return None
    return tuple(replace(link, errors=_whole(errors.get(link.url))) for link in links)


def _first(own: Samples, *metrics: str) -> float | None:
    return next((value for metric in metrics if (value := only(own, metric)) is not None), None)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _one_value(document: object) -> float | None:
    """Return the value of the only series; None: there is none."""
    pair = next((row.get("value") for row in rows(parts.data_of(document).get("result"))), None)
    value = number(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
    return None if value is None else max(0.0, value)


def _increases(document: object) -> dict[str, int]:
    """Return increases by the group of rules; the notifications' has none."""
    found: dict[str, int] = {}
    for row in rows(parts.data_of(document).get("result")):
        pair = row.get("value")
        value = number(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
        if value is not None:
            found[name(table(row.get("metric")).get("rule_group"))] = round(value)
    return found
