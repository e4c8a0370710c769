"""What monitoring servers watch and what they rest on. Their readings are looked at by the names of their fields."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, netloc, target_of
from debugtui.fleet.topology.places import Places
from debugtui.model.source import Kind, SourceStatus
from debugtui.model.target import NO_HOSTS, Target


def add_monitoring(draft: Draft, facts: Facts, places: Places) -> None:
    """Add what Prometheus scrapes and tells, and what Grafana asks."""
    for status in _statuses(facts):
        server = target_of(status)
        seen_from = "" if status.host in NO_HOSTS else status.host
        if status.kind is Kind.PROMETHEUS:
            for field in ("targets", "active", "active_targets"):
                for one in _rows(status.reading, field):
                    _towards(draft, places, server, seen_from, one, "it scrapes")
            for one in _rows(status.reading, "alertmanagers"):
                _towards(draft, places, server, seen_from, one, "it sends alerts to")
        elif status.kind is Kind.GRAFANA:
            for one in _rows(status.reading, "datasources"):
                _towards(draft, places, server, seen_from, one, "its datasource is")


def _statuses(facts: Facts) -> Iterator[SourceStatus]:
    for host in facts.hosts.values():
        yield from host.statuses(Kind.PROMETHEUS, Kind.GRAFANA)
    yield from (status for status in facts.beside if status.kind in (Kind.PROMETHEUS, Kind.GRAFANA))


def _rows(reading: object, field: str) -> tuple[object, ...]:
    found = getattr(reading, field, ())
    return tuple(found) if isinstance(found, (tuple, list)) else ()


def _towards(draft: Draft, places: Places, server: Target, seen_from: str, row: object, verb: str) -> None:
    at = _address(row)
    if at is None:
        return
    found = places.resolve(seen_from or _somewhere(places, at[0]), *at)
    for place in found.places:
        draft.edge(server, place.target, f"{verb} {at[0]}:{at[1]}, which {place.says}", certain=place.certain)
    if not found.places and found.local is not None:
        host = Target(found.local, Kind.SYSTEM.value)
        draft.edge(server, host, f"{verb} {at[0]}:{at[1]}, an address of {found.local}")


def _somewhere(places: Places, address: str) -> str:
    return places.host_at(address) or ""


def _address(row: object) -> tuple[str, int] | None:
    """Return (host, port) of what a row names: a URL or `host:port`."""
    for field in ("url", "scrape_url", "instance", "address"):
        text = row if isinstance(row, str) else getattr(row, field, "")
        if isinstance(text, str) and text:
            return netloc(text if "://" in text else f"http://{text}")
    return None
