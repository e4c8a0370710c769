"""What a runbook is used on, and the things around it that its steps look at: its host, its containers, its database."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from debugtui.config.hosts import HostConfig, WebConfig
from debugtui.config.models import Config, GroqConfig, ServiceConfig
from debugtui.config.nginx_names import nginx_files
from debugtui.model.source import Kind
from debugtui.model.target import GROQ, MONITORING, NO_HOSTS, Target
from debugtui.model.topology import Topology

#: Most things of one kind that a step is run on.
MOST = 4
#: How far services and topology are followed.
DEPTH = 3

#: One source of these watches a whole host; what is in it has a name of its own.
WHOLE_HOST = frozenset({Kind.SYSTEM, Kind.LIBVIRT, Kind.DOCKER, Kind.JOURNAL})
#: Servers that a configuration names beside the hosts.
MONITORS = (Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA)
#: The kinds whose things are the web addresses of a host.
OF_WEB = frozenset({Kind.WEB, Kind.TLS, Kind.CHROME})

#: The kind of thing that gives a parameter.
GIVES: dict[str, Kind] = {
    "container": Kind.DOCKER,
    "vm": Kind.LIBVIRT,
    "unit": Kind.SYSTEM,
    "mount": Kind.SYSTEM,
    **dict.fromkeys(("database", "session", "backup_folder", "backup_pattern"), Kind.POSTGRES),
    **dict.fromkeys(("site", "url", "web_host", "web_port", "release"), Kind.WEB),
    **dict.fromkeys(("nginx", "nginx_config"), Kind.NGINX),
    **dict.fromkeys(("use", "model", "base_url", "base_host"), Kind.GROQ),
}


class AimError(ValueError):
    """There is no such target. The message is ready to show."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a runbook is used on.

    Attributes:
        target: the thing.
        service: of the catalogue, where one was meant; its first resource is then the target.
        topology: how the things hang together, as far as known.
    """

    target: Target
    service: str = ""
    topology: Topology | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One thing that a step is run on, and the parameters that it gives."""

    target: Target
    values: Mapping[str, str] = field(default_factory=dict)


def aim_at(text: str, config: Config) -> Aim:
    """Read what a person wrote: a target, a host, or a service of the catalogue.

    Raises:
        AimError: it is nothing of the configuration.
    """
    hosts = [host.name for host in config.hosts]
    if text in hosts:
        return Aim(Target(text, Kind.SYSTEM))
    service = next((one for one in config.services if one.name == text), None)
    if service is not None:
        if not service.resources:
            raise AimError(f"the service {text!r} has no resources in the configuration")
        return Aim(Target.parse(service.resources[0]), text)
    try:
        target = Target.parse(text)
    except ValueError as error:
        raise AimError(f"{error}, nor is it a host or a service of the configuration") from None
    if target.host not in hosts and target.host not in NO_HOSTS:
        raise AimError(f"there is no host {target.host!r} in the configuration (there are: {', '.join(hosts) or 'none'})")
    if target.kind not in tuple(Kind):
        raise AimError(f"{target.kind!r} is no kind of target (there are: {', '.join(Kind)})")
    return Aim(target)


class Around:
    """The things around an aim, by kind."""

    def __init__(self, config: Config, aim: Aim) -> None:
        """Look them up in the configuration; nothing is asked of any host."""
        self._config, self._aim = config, aim
        self._hosts = {host.name: host for host in config.hosts}
        self._services = _services_of(config, aim)
        self._near = tuple(dict.fromkeys([*self._linked(), *_resources(self._services), *_neighbours(aim)]))

    @property
    def aim(self) -> Aim:
        """What the runbook is used on."""
        return self._aim

    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that it stands on: its own, else those of what belongs to it."""
        target = self._aim.target
        if target.host in self._hosts:
            return (target.host,)
        via = [one.via for kind in (GROQ, *MONITORS) for one in getattr(self._config, kind) if self._is(kind, one.name)]
        found = [*(one.host for one in self._near), *(name for name in via if name)]
        return tuple(dict.fromkeys(name for name in found if name in self._hosts))[:MOST]

    def _is(self, kind: str, name: str) -> bool:
        return self._aim.target.kind == kind and self._aim.target.name == name

    def places(self, kind: Kind, *, named: bool) -> tuple[Place, ...]:
        """Return the things of a kind, at most `MOST`.

        Args:
            kind: which.
            named: of a kind that one source watches for a whole host: the single things in it, not the host.
        """
        if kind in WHOLE_HOST and not named:
            found: Iterable[Target] = (Target(host, kind) for host in self.hosts())
        else:
            found = self._of_kind(kind)
        return tuple(Place(target, self._values(kind, target)) for target in list(dict.fromkeys(found))[:MOST])

    def _of_kind(self, kind: Kind) -> Iterator[Target]:
        """Yield the target itself where it is of this kind, else what is known to belong to it, else all of its host."""
        target = self._aim.target
        if target.name and (target.kind == kind or (kind in OF_WEB and target.kind in OF_WEB)):
            yield Target(target.host, kind, _whole_name(kind, target.name))
            return
        near = [one for one in self._near if one.kind == kind or (kind in OF_WEB and one.kind in OF_WEB)]
        if near:
            yield from (Target(one.host, kind, _whole_name(kind, one.name)) for one in near if one.name)
        elif kind not in WHOLE_HOST:
            yield from self._everywhere(kind)

    def _everywhere(self, kind: Kind) -> Iterator[Target]:
        hosts = self.hosts()
        for name in hosts:
            yield from (Target(name, kind, one) for one in _on_host(self._hosts[name], kind))
        if kind in MONITORS:
            servers = getattr(self._config, kind)
            chosen = [one for one in servers if one.via in hosts] or servers
            yield from (Target(one.via or MONITORING, kind, one.name) for one in chosen)
        if kind is Kind.GROQ:
            yield from (Target(GROQ, GROQ, one.name) for one in self._config.groq)

    # --- what belongs to the target by the configuration

    def _linked(self) -> Iterator[Target]:
        target = self._aim.target
        host = self._hosts.get(target.host)
        if target.kind in OF_WEB and host is not None:
            yield from (link for web in host.web if web.name == target.name.partition("/")[0] for link in _of_web(host, web))
        if target.kind == Kind.NGINX and host is not None:
            path = nginx_files(host).get(target.name.partition("/")[0])
            yield from (Target(host.name, Kind.WEB, web.name) for web in host.web if path and web.nginx == path)
        for use in self._config.groq:
            if self._is(GROQ, use.name):
                yield from _of_groq(use)
            elif target in tuple(_of_groq(use)):
                yield Target(GROQ, GROQ, use.name)

    # --- parameters

    def _values(self, kind: Kind, target: Target) -> dict[str, str]:
        aimed = self._aim.target
        host = target.host if target.host in self._hosts else next(iter(self.hosts()), "")
        values = {"name": aimed.name or aimed.host, "host": host}
        values["service"] = self._services[0].name if self._services else ""
        values |= self._own(kind, target)
        if aimed.kind == Kind.POSTGRES and kind is Kind.POSTGRES:
            values["session"] = aimed.name.partition("/")[2]
        return {name: value for name, value in values.items() if value}

    def _own(self, kind: Kind, target: Target) -> dict[str, str]:
        name = target.name
        host = self._hosts.get(target.host)
        if kind is Kind.SYSTEM:
            return {"mount": name} if name.startswith("/") else {"unit": name}
        if kind in (Kind.DOCKER, Kind.LIBVIRT):
            return {"container" if kind is Kind.DOCKER else "vm": name}
        if kind is Kind.POSTGRES:
            return {"database": name, **(_backup_values(host, name) if host is not None else {})}
        if kind in OF_WEB and host is not None:
            return next((_web_values(web) for web in host.web if web.name == name), {"site": name})
        if kind is Kind.NGINX and host is not None:
            return {"nginx": name, "nginx_config": nginx_files(host).get(name, "")}
        if kind is Kind.GROQ:
            return next((_groq_values(use) for use in self._config.groq if use.name == name), {"use": name})
        return {"server": name}


def _whole_name(kind: Kind, name: str) -> str:
    """Return the name of the source that a name is about: `coach` of the session `coach/4711`; a mount keeps its slashes."""
    return name if kind in WHOLE_HOST else name.partition("/")[0]


def _on_host(host: HostConfig, kind: Kind) -> tuple[str, ...]:
    """Return the names of what a configuration names on a host."""
    if kind is Kind.NGINX:
        return tuple(nginx_files(host))
    if kind in OF_WEB:
        return tuple(web.name for web in host.web if _watched(web, kind))
    if kind is Kind.POSTGRES:
        return tuple(one.name for one in host.postgres)
    if kind is Kind.REDIS:
        return tuple(one.name for one in host.redis)
    return tuple(one.name for one in host.rabbitmq) if kind is Kind.RABBITMQ else ()


def _watched(web: WebConfig, kind: Kind) -> bool:
    return {Kind.TLS: web.url.startswith("https://"), Kind.CHROME: web.chrome}.get(kind, True)


def _of_web(host: HostConfig, web: WebConfig) -> Iterator[Target]:
    yield from (Target(host.name, Kind.DOCKER, name) for name in web.containers)
    yield from (Target(host.name, Kind.NGINX, name) for name, path in nginx_files(host).items() if path == web.nginx)


def _of_groq(use: GroqConfig) -> Iterator[Target]:
    for text in (use.app.container if use.app else None, use.logs.container if use.logs else None):
        if text:
            yield Target.parse(text)
    if use.app is not None and use.app.host and use.app.unit:
        yield Target(use.app.host, Kind.SYSTEM, use.app.unit)


def _web_values(web: WebConfig) -> dict[str, str]:
    parts = urlsplit(web.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    values = {"site": web.name, "url": web.url, "web_host": parts.hostname or "", "web_port": str(port)}
    return {**values, "release": web.release or ""}


def _backup_values(host: HostConfig, database: str) -> dict[str, str]:
    """Return where the newest backups of a database lie; nothing where the folder itself is a pattern."""
    paths = [backup.path for one in host.postgres if one.name == database for backup in one.backups]
    folder, name = posixpath.split(paths[0]) if paths else ("", "")
    return {} if not folder or set(folder) & set("*?[") else {"backup_folder": folder, "backup_pattern": name}


def _groq_values(use: GroqConfig) -> dict[str, str]:
    return {
        "use": use.name,
        "model": use.model or "",
        "base_url": use.base_url,
        "base_host": urlsplit(use.base_url).hostname or "",
    }


# --- services and topology


def _services_of(config: Config, aim: Aim) -> tuple[ServiceConfig, ...]:
    """Return the services that the target belongs to, then those that they cannot do without."""
    by_name = {one.name: one for one in config.services}
    if aim.service:
        found = [by_name[aim.service]] if aim.service in by_name else []
    else:
        whole = Target(aim.target.host, aim.target.kind, aim.target.name.partition("/")[0])
        wanted = {str(aim.target), str(whole)}
        found = [one for one in config.services if wanted & {str(Target.parse(text)) for text in one.resources}]
    for _ in range(DEPTH):
        below = [by_name[name] for one in found for name in one.depends_on if name in by_name]
        found = list(dict.fromkeys([*found, *below]))
    return tuple(found)


def _resources(services: Iterable[ServiceConfig]) -> Iterator[Target]:
    for service in services:
        yield from (Target.parse(text) for text in service.resources)


def _neighbours(aim: Aim) -> Iterator[Target]:
    """Yield what the target cannot do without, the nearest first, then what cannot do without it."""
    topology = aim.topology
    if topology is None:
        return
    ring, seen = [aim.target], {aim.target}
    for _ in range(DEPTH):
        ring = [edge.below for target in ring for edge in topology.below(target) if edge.below not in seen]
        seen.update(ring)
        yield from ring
    yield from (edge.above for edge in topology.above(aim.target))
