"""The sources of the monitoring servers: on the host that leads to each, or at the place `monitoring`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from debugtui.config.alerts import AlertsConfig, own_queries
from debugtui.config.ask import Asker
from debugtui.config.models import Config, HostConfig, HttpConfig
from debugtui.config.secrets import Secret, SecretRef, resolve
from debugtui.fleet.fleet import HostParts
from debugtui.hosts.link import Link
from debugtui.hosts.open import open_link
from debugtui.model.target import MONITORING
from debugtui.sources.base import Source

if TYPE_CHECKING:
    from debugtui.sources.monitoring.login import Ask
    from debugtui.sources.monitoring.server import Way

#: The tables of the configuration, in the order in which the sources stand on the screen.
KINDS = ("prometheus", "alertmanager", "loki", "grafana")


def with_monitoring(parts: Sequence[HostParts], config: Config, asker: Asker) -> list[HostParts]:
    """Return the parts of a fleet with the monitoring servers added.

    A server whose host is not among the parts (`check --host`) is left out.
    """
    links = {part.link.host: part.link for part in parts}
    found: dict[str, list[tuple[Source, bool]]] = {}
    for kind, server in servers(config):
        if server.via is None or server.via in links:
            link = links[server.via] if server.via is not None else None
            found.setdefault(server.via or MONITORING, []).append((source_of(kind, server, link, asker, config.alerts), True))
    whole = [replace(part, sources=(*part.sources, *found.get(part.link.host, ()))) for part in parts]
    if MONITORING in found:
        # A place of its own: it needs no connection but those that its sources make.
        whole.append(HostParts(open_link(HostConfig(name=MONITORING, address="local"), asker), found[MONITORING]))
    return whole


def servers(config: Config) -> Iterator[tuple[str, HttpConfig]]:
    """Yield every monitoring server of a configuration, with its kind."""
    for kind in KINDS:
        for server in getattr(config, kind):
            yield kind, server


def only_through(config: Config, hosts: Sequence[str]) -> Mapping[str, tuple[HttpConfig, ...]]:
    """Return the monitoring servers that some hosts lead to, by kind, for a configuration of these hosts alone."""
    return {kind: tuple(server for server in getattr(config, kind) if server.via in hosts) for kind in KINDS}


def source_of(kind: str, server: HttpConfig, link: Link | None, asker: Asker, alerts: AlertsConfig | None = None) -> Source:
    """Return the source of one server."""
    way = way_of(kind, server, link, asker)
    if kind == "prometheus":
        from debugtui.sources.monitoring.prometheus import PrometheusSource

        own = own_queries(alerts, server.name) if alerts is not None else {}
        return PrometheusSource(server.name, way, every=server.every, own=own)
    if kind == "alertmanager":
        from debugtui.sources.monitoring.alertmanager import AlertmanagerSource

        return AlertmanagerSource(server.name, way, every=server.every)
    if kind == "loki":
        from debugtui.sources.monitoring.loki import LokiSource

        return LokiSource(server.name, way, every=server.every)
    from debugtui.sources.monitoring.grafana import GrafanaSource

    return GrafanaSource(server.name, way, every=server.every)


def way_of(kind: str, server: HttpConfig, link: Link | None, asker: Asker) -> Way:
    """Return how one server is reached, and how it is told who asks."""
    from debugtui.sources.monitoring.login import Login
    from debugtui.sources.monitoring.server import Way

    password = _secret(server.password, f"password of {kind}/{server.name}", server, asker)
    token = _secret(server.token, f"token of {kind}/{server.name}", server, asker)
    login = Login(f"{kind}/{server.name}", user=server.user, password=password, token=token)
    return Way(kind, server.url, link, login=login, ca=server.ca)


def _secret(ref: SecretRef | None, name: str, server: HttpConfig, asker: Asker) -> Ask | None:
    """Return what gives a secret. One that is not of the environment is kept for the run."""
    if ref is None:
        return None
    kept: list[Secret] = []

    async def secret() -> str | None:
        if kept and ref.env is None:
            return kept[0]
        found = await resolve(ref, name=name, purpose=f"to read {server.url}", asker=asker)
        if found:
            kept[:] = [found]
        return found

    return secret
