"""A topology while it is made: each thing once, each relation once, with the strongest reason that was found for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from debugtui.model.target import ADDRESS, EXTERNAL, Target
from debugtui.model.text import line
from debugtui.model.topology import Edge, Layer, Node, NodeState, Topology

#: Longest reason kept, in characters.
WHY = 300

_LAYERS = {
    "libvirt": Layer.KVM,
    "docker": Layer.DOCKER,
    "postgres": Layer.POSTGRES,
    "backup": Layer.POSTGRES,
    "groq": Layer.GROQ,
    "web": Layer.WEB,
    "nginx": Layer.WEB,
    "prometheus": Layer.MONITORING,
    "loki": Layer.MONITORING,
    "alertmanager": Layer.MONITORING,
    "grafana": Layer.MONITORING,
}


def layer_of(target: Target) -> Layer:
    """Return the layer of a kind of thing; what has none of its own runs on the host, and what is outside is reached by web."""
    if target.host == EXTERNAL:
        return Layer.WEB
    return _LAYERS.get(target.kind, Layer.HOST)


#: Whether it is a guess, how strong it is, and the reason: the lowest is kept.
_Reason = tuple[bool, int, str]


@dataclass(slots=True)
class Draft:
    """Nodes and edges, by what they are about.

    Attributes:
        passing, settled: the pairs of `edges` that are so, see `Edge`.
        strength: how strong the reasons are that are added now: a lower one replaces a higher one of the same certainty.
    """

    nodes: dict[Target, Node] = field(default_factory=dict)
    edges: dict[tuple[Target, Target], _Reason] = field(default_factory=dict)
    passing: set[tuple[Target, Target]] = field(default_factory=set)
    settled: set[tuple[Target, Target]] = field(default_factory=set)
    strength: int = 0

    def add(self, target: Target, title: str, state: NodeState = NodeState.UNKNOWN, says: str = "") -> None:
        """Add a thing; one that is there already stays as it is."""
        if target not in self.nodes:
            self.nodes[target] = Node(target, layer_of(target), line(title, WHY), state, line(says, WHY))

    def become(self, target: Target, state: NodeState, says: str) -> None:
        """Change the state of a thing that is there."""
        self.nodes[target] = replace(self.nodes[target], state=state, says=line(says, WHY))

    def edge(self, above: Target, below: Target, why: str, *, certain: bool = True) -> None:
        """Say that `above` cannot do without `below`. In the end, nothing is said of things that are not there."""
        if above == below:
            return
        reason = (not certain, self.strength, why)
        known = self.edges.setdefault((above, below), reason)
        if reason < known:
            self.edges[above, below] = reason

    def address(self, host: str, address: str, port: int, says: str) -> Target:
        """Return the node of an address behind which nothing watched is known, on a host or outside."""
        text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        target = Target(host, ADDRESS, line(text, WHY))
        if target not in self.nodes:
            self.add(target, text, NodeState.UNKNOWN, says)
        return target

    def below(self) -> dict[Target, list[Target]]:
        """Return what stands below each thing."""
        found: dict[Target, list[Target]] = {}
        for above, below in self.edges:
            if above in self.nodes and below in self.nodes:
                found.setdefault(above, []).append(below)
        return found

    def finish(self, taken_at: datetime) -> Topology:
        """Return the topology: in an order that does not depend on the order in which things were found."""
        nodes = tuple(sorted(self.nodes.values(), key=_place))
        place = {node.target: at for at, node in enumerate(nodes)}
        found: list[tuple[int, int, Edge]] = []
        for (above, below), (guessed, _, why) in self.edges.items():
            first, second = place.get(above), place.get(below)
            if first is not None and second is not None:
                pair = above, below
                edge = Edge(above, below, line(why, WHY), not guessed, pair in self.passing, pair in self.settled)
                found.append((first, second, edge))
        found.sort(key=lambda one: one[:2])
        return Topology(taken_at, nodes, tuple(edge for _, _, edge in found))


def _place(node: Node) -> tuple[str, str, str]:
    return node.target.host, node.target.kind, node.target.name
