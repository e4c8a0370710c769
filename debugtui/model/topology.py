"""How the watched things hang together: which route leads to which container, VM, database, third party."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.target import Target


class Layer(StrEnum):
    """Where a thing stands, and where a root cause lies (DESIGN: `diagnose --json`)."""

    KVM = "kvm"
    HOST = "host"
    DOCKER = "docker"
    POSTGRES = "postgres"
    GROQ = "groq"
    WEB = "web"
    MONITORING = "monitoring"
    KUBERNETES = "kubernetes"


class NodeState(StrEnum):
    """The state of a node, as far as readings tell. unknown: nothing fresh is known of it."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Node:
    """One thing that serves.

    Attributes:
        target: which thing; the host itself is `HOST/system`.
        layer: where it stands.
        title: its own name, safe to show.
        state: what its readings tell.
        says: why it is not ok, or what it does; one line, safe to show.
        services: names of the services of the catalogue that it belongs to.
    """

    target: Target
    layer: Layer
    title: str
    state: NodeState = NodeState.UNKNOWN
    says: str = ""
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """`above` cannot do without `below`.

    Attributes:
        above, below: the two things.
        why: the reading that says so, one line: `upstream api: 127.0.0.1:8001 is published by api`.
        certain: False where it is inferred (a name that is alike, an address seen once), and nothing stronger says so.
        passes: along it a proxy hands on requests: of some of the addresses that it serves, and not of others.
        settled: from a web address to a proxy: how its requests go on from there is told by edges of its own.
    """

    above: Target
    below: Target
    why: str
    certain: bool = True
    passes: bool = False
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything and how it hangs together, at one moment. No two nodes have the same target; edges may form circles."""

    taken_at: datetime
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()

    def node(self, target: Target) -> Node | None:
        """Return the node of a target; None where there is none."""
        return next((node for node in self.nodes if node.target == target), None)

    def below(self, target: Target) -> tuple[Edge, ...]:
        """Return the edges to what a thing cannot do without."""
        return tuple(edge for edge in self.edges if edge.above == target)

    def above(self, target: Target) -> tuple[Edge, ...]:
        """Return the edges to what cannot do without a thing."""
        return tuple(edge for edge in self.edges if edge.below == target)
