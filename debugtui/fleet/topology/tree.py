"""A topology as a tree that can be looked at: routes first, below each what it needs, everything shown once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from debugtui.fleet.topology.walk import Walk
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import Edge, Node, Topology

#: Deepest level; a tree of everything shown once cannot be much deeper in practice, and a screen is only so wide.
DEEPEST = 12

#: Which tops come first: what users see.
_FIRST = {kind: place for place, kind in enumerate((Kind.WEB.value, Kind.NGINX.value))}
#: What stands below a thing in this order.
_BELOW = {
    kind.value: place
    for place, kind in enumerate(
        (Kind.WEB, Kind.NGINX, Kind.DOCKER, Kind.POSTGRES, Kind.REDIS, Kind.RABBITMQ, Kind.GROQ, Kind.LIBVIRT, Kind.SYSTEM)
    )
}


@dataclass(frozen=True, slots=True)
class Branch:
    """One row of the tree.

    Attributes:
        key: unique in the tree, and the same at the next look: the targets from the top to here.
        node: what stands here.
        edge: why it stands below the row above it; None at the top.
        depth: 0 at the top.
        again: whether it is shown in full at an earlier row, and only referred to here.
        leaf: whether nothing stands below it.
    """

    key: str
    node: Node
    edge: Edge | None
    depth: int
    again: bool = False
    leaf: bool = False


def tree_of(topology: Topology) -> Iterator[Branch]:
    """Yield the rows of the tree. Nothing is missing in it: a circle that nothing leads into begins at its first thing."""
    walk = Walk(topology)
    placed: set[Target] = set()
    tops = sorted(walk.tops(), key=lambda target: (_FIRST.get(target.kind, len(_FIRST)), target))
    for target in tops:
        if walk.below(target):
            yield from _branch(walk, placed, target)
    for node in topology.nodes:  # circles, and what lies too deep
        if node.target not in placed and (walk.below(node.target) or walk.above(node.target)):
            yield from _branch(walk, placed, node.target)


def alone(topology: Topology) -> tuple[Node, ...]:
    """Return what nothing needs and what needs nothing: it could not be placed."""
    walk = Walk(topology)
    return tuple(node for node in topology.nodes if not walk.below(node.target) and not walk.above(node.target))


def unused(topology: Topology) -> tuple[Node, ...]:
    """Return what serves others, and that nothing is known to need; routes are used by people."""
    walk = Walk(topology)
    serving = (Kind.DOCKER, Kind.POSTGRES, Kind.REDIS, Kind.RABBITMQ, Kind.LIBVIRT, Kind.NGINX, Kind.GROQ)
    return tuple(
        node for node in topology.nodes if node.target.kind in serving and node.target.name and not walk.above(node.target)
    )


def _branch(walk: Walk, placed: set[Target], top: Target) -> Iterator[Branch]:
    stack: list[tuple[Target, Edge | None, str, int]] = [(top, None, str(top), 0)]
    while stack:
        target, edge, key, depth = stack.pop()
        again = target in placed
        below = () if again or depth >= DEEPEST else _shown(walk, target)
        yield Branch(key, walk.nodes[target], edge, depth, again and bool(walk.below(target)), not below)
        placed.add(target)
        stack += [(one.below, one, f"{key} > {one.below}", depth + 1) for one in reversed(below)]


def _shown(walk: Walk, target: Target) -> tuple[Edge, ...]:
    """Return the edges to show: what another thing below leads to as well, within two steps, is shown there."""
    edges = walk.below(target)
    below = {edge.below for edge in edges}
    # Two that lead to each other hide neither.
    near = {edge.below: _near(walk, edge.below, target) for edge in edges}
    through = {other for start, reached in near.items() for other in reached & below if start not in near[other]}
    shown = (edge for edge in edges if edge.below not in through)
    return tuple(sorted(shown, key=lambda edge: (_BELOW.get(edge.below.kind, len(_BELOW)), edge.below)))


def _near(walk: Walk, start: Target, without: Target) -> set[Target]:
    """Return what a thing certainly needs, within two steps, and not by way of the one above it."""
    first = {edge.below for edge in walk.below(start) if edge.certain and edge.below != without}
    second = {edge.below for target in first for edge in walk.below(target) if edge.certain}
    return (first | second) - {start}
