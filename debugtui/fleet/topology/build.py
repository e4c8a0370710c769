"""From what is read and configured to a topology. Pure, and the same for the same readings in whatever order they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from debugtui.fleet.topology.catalogue import services_by_target
from debugtui.fleet.topology.containers import add_containers, add_groq
from debugtui.fleet.topology.databases import add_databases, add_servers
from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import facts_of
from debugtui.fleet.topology.monitoring import add_monitoring
from debugtui.fleet.topology.places import Places
from debugtui.fleet.topology.services import add_services
from debugtui.fleet.topology.things import add_full_filesystems, add_things, apply_severities
from debugtui.fleet.topology.virtual import add_virtual
from debugtui.fleet.topology.web import add_routes
from debugtui.model.alerts import Severity
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.topology import Topology

if TYPE_CHECKING:
    from debugtui.config.models import Config


def build_topology(view: FleetView, config: Config, severities: Mapping[Target, Severity] | None = None) -> Topology:
    """Return how everything hangs together.

    Args:
        view: what is read.
        config: what is configured.
        severities: the worst that rules found about each thing; None: the states come from the readings alone.
    """
    facts = facts_of(view, config)
    places = Places(facts)
    draft = Draft()
    add_things(draft, facts)
    steps = (add_routes, add_databases, add_servers, add_containers, add_groq, add_monitoring, add_virtual)
    # What is seen goes before what is said, where both give a reason for the same edge.
    for strength, step in enumerate(steps):
        draft.strength = strength
        step(draft, facts, places)
    add_full_filesystems(draft, facts)
    draft.strength += 1
    add_services(draft, facts)
    apply_severities(draft, severities or {})
    topology = draft.finish(view.taken_at)
    owned = services_by_target(topology, facts)
    nodes = tuple(
        replace(node, services=names) if (names := owned.get(node.target)) is not None else node for node in topology.nodes
    )
    return replace(topology, nodes=nodes)
