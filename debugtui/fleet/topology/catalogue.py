"""Which service owns what: from the configuration, from labels and Compose projects, and from what only one of them uses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from debugtui.fleet.topology.facts import Facts, HostFacts, facts_of
from debugtui.fleet.topology.services import resources_of
from debugtui.fleet.topology.walk import Walk
from debugtui.model.catalogue import Catalogue, Service
from debugtui.model.docker import Container
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import ADDRESS, Target
from debugtui.model.topology import Node, NodeState, Topology

if TYPE_CHECKING:
    from debugtui.config.models import Config

#: What a container's labels may say of its service.
_SAID = ("owner", "contact", "runbook", "dashboard")
#: Kinds that belong to the one service that uses them, in the order in which resources are listed.
_SHARED = (
    Kind.WEB, Kind.NGINX, Kind.DOCKER, Kind.POSTGRES, Kind.REDIS, Kind.RABBITMQ, Kind.GROQ, Kind.LIBVIRT, Kind.BACKUP
)  # fmt: skip
_ORDER = {kind.value: place for place, kind in enumerate(_SHARED)}
#: Kinds that serve, so that one that no service owns is worth telling.
_SERVING = frozenset({Kind.WEB, Kind.DOCKER, Kind.POSTGRES, Kind.LIBVIRT, Kind.REDIS, Kind.RABBITMQ, Kind.GROQ})
_WORST = (NodeState.DOWN, NodeState.DEGRADED, NodeState.UNKNOWN, NodeState.OK)


@dataclass(slots=True)
class _Draft:
    """A service while it is made."""

    name: str
    said: dict[str, str] = field(default_factory=dict)
    own: list[Target] = field(default_factory=list)
    depends_on: tuple[str, ...] = ()
    configured: bool = False
    origins: list[str] = field(default_factory=list)


def build_catalogue(view: FleetView, config: Config, topology: Topology) -> Catalogue:
    """Return the catalogue of what a topology holds; its nodes tell their services already."""
    drafts = _drafts(facts_of(view, config))
    nodes = {node.target: node for node in topology.nodes}
    walk = Walk(topology)
    owned: dict[str, list[Target]] = defaultdict(list)
    for node in topology.nodes:
        for name in node.services:
            owned[name].append(node.target)
    services = tuple(_service(drafts[name], owned[name], nodes, walk) for name in sorted(drafts))
    return Catalogue(services, tuple(node.target for node in topology.nodes if _is_unplaced(node)))


def services_by_target(topology: Topology, facts: Facts) -> dict[Target, tuple[str, ...]]:
    """Return the names of the services that own each thing."""
    drafts = _drafts(facts)
    owners: dict[Target, set[str]] = defaultdict(set)
    for draft in drafts.values():
        for target in draft.own:
            owners[target].add(draft.name)
    explicit = frozenset(owners)
    walk = Walk(topology)
    for node in topology.nodes:
        if node.target not in explicit and node.target.kind in _ORDER and node.target.name:
            users = _users(node, walk, owners, explicit)
            if len(users) == 1:
                owners[node.target] |= users
    return {target: tuple(sorted(names)) for target, names in owners.items()}


def _users(node: Node, walk: Walk, owners: Mapping[Target, set[str]], explicit: frozenset[Target]) -> set[str]:
    """Return the services that use a thing: a route's are those that it leads to, anything else's those that need it."""
    if node.target.kind in (Kind.WEB, Kind.NGINX):
        return _first(node.target, walk, owners, explicit, down=True)
    if node.target.kind == Kind.LIBVIRT:
        inside = [edge.above for edge in walk.above(node.target) if edge.above.kind == Kind.SYSTEM]
        on_it = {edge.above for host in inside for edge in walk.above(host) if edge.above in explicit}
        return {name for target in on_it for name in owners[target]}
    return _first(node.target, walk, owners, explicit, down=False)


def _first(
    start: Target, walk: Walk, owners: Mapping[Target, set[str]], explicit: frozenset[Target], *, down: bool
) -> set[str]:
    """Return the owners of the owned things that are met first in one direction; hosts and engines lead no further.

    What several own tells less than what one owns: an nginx is shared by those whose routes pass through it.
    """
    found: set[str] = set()
    shared: set[str] = set()
    seen, waiting = {start}, [start]
    while waiting:
        target = waiting.pop()
        for edge in walk.below(target) if down else walk.above(target):
            other = edge.below if down else edge.above
            if not edge.certain or other in seen or other.kind == Kind.SYSTEM or not other.name:
                continue
            seen.add(other)
            if other not in explicit:
                waiting.append(other)
            elif len(owners[other]) == 1:
                found |= owners[other]
            else:
                shared |= owners[other]
    return found or shared


# Where services come from


def _drafts(facts: Facts) -> dict[str, _Draft]:
    """Return every service: those that are found, completed by those that are configured."""
    claimed = {target for table in facts.config.services for target in resources_of(table)}
    configured = {table.name.casefold(): table for table in facts.config.services}
    drafts: dict[str, _Draft] = {}
    for host in facts.hosts.values():
        for container in host.containers:
            name = _name_of(container)
            table = configured.get(name.casefold())
            name = table.name if table is not None else name
            target = host.container_target(container)
            if not name or (target in claimed and table is None):
                continue
            draft = drafts.setdefault(name, _Draft(name))
            if target not in claimed:
                draft.own.append(target)
            _listen_to(draft, host, container)
    for table in facts.config.services:
        draft = drafts.setdefault(table.name, _Draft(table.name))
        draft.configured, draft.depends_on = True, table.depends_on
        draft.own[:0] = resources_of(table)
        draft.said |= {key: str(text) for key in _SAID if (text := getattr(table, key))}
        draft.origins.insert(0, "[[services]]")
    return drafts


def _name_of(container: Container) -> str:
    return dict(container.labels).get("service", "") or container.project


def _listen_to(draft: _Draft, host: HostFacts, container: Container) -> None:
    """Take in what a container says of its service; the first that says something is heard."""
    if container.project:
        draft.origins += [_once(draft, f"Compose project {container.project} on {host.name}")]
    for key, text in container.labels:
        if key in _SAID and text and key not in draft.said:
            draft.said[key] = text
            draft.origins.append(f"label debugtui.{key} of {container.name}")
    draft.origins = [text for text in draft.origins if text]


def _once(draft: _Draft, text: str) -> str:
    return "" if text in draft.origins else text


# What is said of each


def _service(draft: _Draft, owned: Iterable[Target], nodes: Mapping[Target, Node], walk: Walk) -> Service:
    place = {target: number for number, target in enumerate(draft.own)} if draft.configured else {}
    resources = sorted(owned, key=lambda one: (place.get(one, len(place)), _ORDER.get(one.kind, len(_ORDER)), one))
    found = [nodes[target] for target in resources]
    worst = min(found, key=lambda node: _WORST.index(node.state), default=None)
    state = worst.state if worst is not None else NodeState.UNKNOWN
    says = f"{worst.target}: {worst.says or worst.state.value}" if worst is not None and state is not NodeState.OK else ""
    return Service(
        name=draft.name,
        **{key: draft.said.get(key, "") for key in _SAID},
        resources=tuple(resources),
        depends_on=tuple(sorted({*draft.depends_on, *_needs(draft.name, resources, nodes, walk)})),
        state=state,
        says=says,
        configured=draft.configured,
        origins=tuple(draft.origins),
    )


def _needs(name: str, resources: Iterable[Target], nodes: Mapping[Target, Node], walk: Walk) -> set[str]:
    """Return the services that own, alone, what this one's things need directly."""
    return {
        owner
        for target in resources
        for edge in walk.below(target)
        if edge.certain and len(nodes[edge.below].services) == 1
        for owner in nodes[edge.below].services
        if owner != name and owner not in nodes[target].services
    }


def _is_unplaced(node: Node) -> bool:
    """Whether a thing that serves belongs to no service."""
    if node.services or node.target.kind == ADDRESS:
        return False
    return node.target.kind in _SERVING and bool(node.target.name) and not node.target.name.startswith("pool/")
