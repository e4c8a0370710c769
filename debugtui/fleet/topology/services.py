"""What the configuration says of services: the order of their resources, and what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts
from debugtui.model.source import Kind
from debugtui.model.target import GROQ, Target
from debugtui.model.topology import NodeState

if TYPE_CHECKING:
    from debugtui.config.models import ServiceConfig


def add_services(draft: Draft, facts: Facts) -> None:
    """Add the resources of the configured services, and how they hang together where nothing stronger is known."""
    configured = {service.name: service for service in facts.config.services}
    if not configured:
        return
    for service in configured.values():
        for target in resources_of(service):
            if target not in draft.nodes:
                draft.add(target, target.name or str(target), NodeState.UNKNOWN, _missing(facts, service, target))
                host = facts.hosts.get(target.host)
                if host is not None:
                    draft.edge(target, host.target, f"configured: it is on {host.name}")
    way = Ways(draft)
    for service in configured.values():
        steps = _steps(facts, resources_of(service))
        wanted = [(above, below) for earlier, above, below in steps if not any(way.leads(one, below) for one in earlier)]
        for above, below in wanted:
            way.link(above, below, f"configured: the service {service.name} passes from {above} to {below}")
    for service in configured.values():
        for name in service.depends_on:
            other = configured.get(name)
            for above, below in ((a, b) for a in resources_of(service)[:1] for b in (resources_of(other)[:1] if other else ())):
                way.link(above, below, f"configured: the service {service.name} depends on {name}")


def resources_of(service: ServiceConfig) -> tuple[Target, ...]:
    """Return the resources of a service; a certificate or a browser's view is a side of its web address."""
    found = []
    for text in service.resources:
        target = Target.parse(text)
        if target.kind in (Kind.TLS, Kind.CHROME):
            target = Target(target.host, Kind.WEB.value, target.name)
        found.append(target)
    return tuple(dict.fromkeys(found))


def _missing(facts: Facts, service: ServiceConfig, target: Target) -> str:
    said = f"the service {service.name} names it"
    if target.host not in facts.hosts and target.host != GROQ:
        return f"{said}; no such host is watched"
    return f"{said}; it was not found"


def _steps(facts: Facts, resources: tuple[Target, ...]) -> Iterator[tuple[tuple[Target, ...], Target, Target]]:
    """Yield each step of a request, with all else that it passed before.

    Twins (containers of one image or Compose service) are one stop of the way. Databases, queues and the Groq API pass nothing
    on: what comes after them is asked by whoever asked them.
    """
    stops: list[list[Target]] = []
    for target in resources:
        if stops and _twins(facts, stops[-1][0], target):
            stops[-1].append(target)
        else:
            stops.append([target])
    carrier: list[Target] = []
    for number, stop in enumerate(stops):
        earlier = tuple(target for before in stops[:number] if before is not carrier for target in before)
        yield from ((earlier, above, below) for above in carrier for below in stop)
        if not carrier or stop[0].kind not in _ENDS:
            carrier = stop


def _twins(facts: Facts, one: Target, other: Target) -> bool:
    if one.kind != Kind.DOCKER or other.kind != Kind.DOCKER:
        return False
    first, second = (_image(facts, target) for target in (one, other))
    return first is not None and first == second


def _image(facts: Facts, target: Target) -> tuple[str, str, str] | None:
    host = facts.hosts.get(target.host)
    for container in host.containers if host is not None else ():
        if container.name == target.name:
            if container.service:
                return container.project, container.service, ""
            return "", "", container.image_id or container.image
    return None


#: Kinds of things that a request does not pass through to others.
_ENDS = frozenset(kind.value for kind in (Kind.POSTGRES, Kind.REDIS, Kind.RABBITMQ, Kind.GROQ, Kind.BACKUP))


class Ways:
    """Which thing leads to which, and adds a way only where there is none in either direction."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._below = draft.below()

    def link(self, above: Target, below: Target, why: str) -> None:
        """Add an edge where neither leads to the other yet."""
        if above not in self._draft.nodes or below not in self._draft.nodes or above == below:
            return
        if self.leads(above, below) or self.leads(below, above):
            return
        self._draft.edge(above, below, why)
        self._below.setdefault(above, []).append(below)

    def leads(self, above: Target, below: Target) -> bool:
        """Return whether one thing needs another, directly or by way of others."""
        seen, waiting = {above}, [above]
        while waiting:
            for target in self._below.get(waiting.pop(), ()):
                if target == below:
                    return True
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return False
