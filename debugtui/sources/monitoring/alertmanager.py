"""The Alertmanager source: what it holds, what is silenced, whether it can tell anybody. Silences are only read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from debugtui.model.alertmanager import AlertmanagerReading, Integration, Silence
from debugtui.model.clock import Clock
from debugtui.model.source import Gap, Kind, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.monitoring.exposition import Growth, Samples, only, wanted
from debugtui.sources.monitoring.firing import of_alertmanager
from debugtui.sources.monitoring.parts import Parts
from debugtui.sources.monitoring.server import ServerSource, Way
from debugtui.sources.monitoring.shapes import moment, name, rows, sentence, since_epoch, table

_PREFIX = "alertmanager_config_last_reload_success"
_REQUESTS = "alertmanager_notification_requests_total"
_FAILED = "alertmanager_notification_requests_failed_total"
_OWN = frozenset({"alertmanager_config_hash", f"{_PREFIX}ful", f"{_PREFIX}_timestamp_seconds", _REQUESTS, _FAILED})

#: Most silences kept.
MOST = 500


class AlertmanagerSource(ServerSource):
    """One Alertmanager (API v2)."""

    kind = Kind.ALERTMANAGER

    def __init__(self, source_name: str, way: Way, *, every: float | None = None, clock: Clock | None = None) -> None:
        super().__init__(source_name, way, every=every, clock=clock)
        self._growth = Growth(self._clock)

    async def read(self, *, full: bool) -> AlertmanagerReading:
        """Read it.

        Args:
            full: nothing more is read.

        Raises:
            SourceError: it does not answer as an Alertmanager.
            LinkError: the link is not up.
        """
        get = Parts(self._api, self._clock)
        status = table(await self._api.get("/api/v2/status"))
        if not isinstance(status.get("versionInfo"), dict):
            says = f"{self._way.url} does not answer as an alertmanager"
            raise SourceError(Problem(says, "url in the configuration: without /api/v2, with the prefix where it has one"))
        cluster = table(status.get("cluster"))
        own = await get.text("own metrics", "/metrics", lambda text: wanted(text, _OWN)) or {}
        reloaded = only(own, f"{_PREFIX}ful")
        alerts = await get.get("alerts", "/api/v2/alerts", of_alertmanager)
        silences = await get.get("silences", "/api/v2/silences", _silences)
        receivers = await get.get("receivers", "/api/v2/receivers", _receivers) or ()
        if not own and not any(gap.feature == "own metrics" for gap in get.gaps):
            get.gaps.append(Gap("own metrics", Problem("/metrics tells nothing of an alertmanager")))
        return AlertmanagerReading(
            taken_at=self._clock.now(),
            url=self._way.url,
            version=name(table(status["versionInfo"]).get("version")),
            started_at=moment(status.get("uptime")),
            cluster=name(cluster.get("status")),
            peers=tuple(name(peer.get("name")) for peer in rows(cluster.get("peers")))[:50],
            receivers=receivers,
            alerts=alerts,
            silences=silences,
            config_hash=_hash(only(own, "alertmanager_config_hash")),
            config_ok=None if reloaded is None else bool(reloaded),
            config_at=since_epoch(only(own, f"{_PREFIX}_timestamp_seconds")),
            integrations=self._integrations(own) if _REQUESTS in own else None,
            gaps=tuple(get.gaps),
        )

    def _integrations(self, own: Samples) -> tuple[Integration, ...]:
        """Return the ways that were ever used; a receiver's name beside them (newer versions) is summed over."""
        requests, failed = _by_integration(own, _REQUESTS), _by_integration(own, _FAILED)
        found = []
        for way, count in sorted(requests.items()):
            lately = self._growth.of(f"{_REQUESTS}/{way}", count), self._growth.of(f"{_FAILED}/{way}", failed.get(way, 0.0))
            if count:
                found.append(Integration(way, round(count), round(failed.get(way, 0.0)), *lately))
        return tuple(found)


def _by_integration(own: Samples, metric: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for known, value in own.get(metric, []):
        way = known.get("integration", "")
        found[way] = found.get(way, 0.0) + value
    return found


def _hash(value: float | None) -> str:
    return "" if value is None else f"{int(value):x}"


def _receivers(document: object) -> tuple[str, ...]:
    return tuple(name(one.get("name")) for one in rows(document))[:200]


def _silences(document: object) -> tuple[Silence, ...]:
    """Return the silences that hold or will; those that ended are history."""
    found = [
        Silence(
            id=name(one.get("id")),
            state=state,
            matchers=tuple(_matchers(rows(one.get("matchers")))),
            by=sentence(one.get("createdBy")),
            comment=sentence(one.get("comment")),
            starts_at=moment(one.get("startsAt")),
            ends_at=moment(one.get("endsAt")),
        )
        for one in rows(document)
        if (state := name(table(one.get("status")).get("state"))) in ("active", "pending")
    ]
    return tuple(sorted(found, key=lambda one: (one.state, one.ends_at.timestamp() if one.ends_at else 0.0))[:MOST])


def _matchers(found: Iterable[dict[str, Any]]) -> Iterable[str]:
    for one in found:
        sign = ("=~" if one.get("isRegex") else "=") if one.get("isEqual", True) else ("!~" if one.get("isRegex") else "!=")
        yield f'{name(one.get("name"))}{sign}"{sentence(one.get("value"))}"'
