"""Ways through a topology: what a thing needs, who needs it, and to which node anything belongs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import Edge, Topology

#: Kinds that are sides of another thing: of a web address, of a host.
_SIDES = {Kind.TLS.value: Kind.WEB.value, Kind.CHROME.value: Kind.WEB.value, Kind.JOURNAL.value: Kind.SYSTEM.value}

#: A way: its edges, from where it begins.
Way = tuple[Edge, ...]


class Walk:
    """The edges of a topology by both of their ends; made once, it answers quickly."""

    def __init__(self, topology: Topology) -> None:
        """Index the edges."""
        self.topology = topology
        self.nodes = {node.target: node for node in topology.nodes}
        self._below: dict[Target, list[Edge]] = {}
        self._above: dict[Target, list[Edge]] = {}
        for edge in topology.edges:
            self._below.setdefault(edge.above, []).append(edge)
            self._above.setdefault(edge.below, []).append(edge)

    def below(self, target: Target) -> tuple[Edge, ...]:
        """Return the edges to what a thing cannot do without."""
        return tuple(self._below.get(target, ()))

    def above(self, target: Target) -> tuple[Edge, ...]:
        """Return the edges to what cannot do without a thing."""
        return tuple(self._above.get(target, ()))

    def ways_down(self, target: Target, *, certain_only: bool = False) -> dict[Target, Way]:
        """Return the shortest way to everything that a thing needs, itself apart; a certain way goes before a guessed one."""
        return _ways(target, self._below, certain_only, down=True)

    def ways_up(self, target: Target, *, certain_only: bool = False) -> dict[Target, Way]:
        """Return the shortest way to everything that needs a thing, itself apart; a certain way goes before a guessed one."""
        return _ways(target, self._above, certain_only, down=False)

    def home(self, target: Target) -> Target | None:
        """Return the node that any target belongs to: a session to its database, a unit to its host; None: to none here."""
        kind = _SIDES.get(target.kind, target.kind)
        name = target.name
        while True:
            found = Target(target.host, kind, name)
            if found in self.nodes:
                return found
            if not name:
                break
            name = name.rpartition("/")[0]
        host = Target(target.host, Kind.SYSTEM.value)
        return host if host in self.nodes else None

    def tops(self) -> tuple[Target, ...]:
        """Return what nothing else needs, in the order of the nodes."""
        return tuple(node.target for node in self.topology.nodes if node.target not in self._above)


def _ways(start: Target, edges: Mapping[Target, Iterable[Edge]], certain_only: bool, *, down: bool) -> dict[Target, Way]:
    found: dict[Target, Way] = {}
    later: deque[tuple[Target, Way]] = deque()
    waiting: deque[tuple[Target, Way]] = deque([(start, ())])
    seen = {start}
    while waiting or later:
        target, way = (waiting or later).popleft()
        if way and target not in seen:
            seen.add(target)
            found[target] = way
        elif way and found.get(target) != way:
            continue
        for edge in edges.get(target, ()):
            other = edge.below if down else edge.above
            if other in seen:
                continue
            if edge.certain:
                seen.add(other)
                found[other] = (*way, edge)
                waiting.append((other, found[other]))
            elif not certain_only:
                later.append((other, (*way, edge)))
    return found
