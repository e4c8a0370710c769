"""What a thing cannot do without: the topology walked downwards, with what is known where it has no edges."""

from __future__ import annotations

import posixpath
from collections import deque
from enum import IntEnum
from typing import NamedTuple

from debugtui.diagnosis.anomaly import Anomaly, node_of
from debugtui.model.source import Kind
from debugtui.model.target import NO_HOSTS, Target
from debugtui.model.topology import Edge, Topology

#: No chain of things is longer than this.
MOST_HOPS = 12


class Relation(IntEnum):
    """How it is known that one thing rests on another, the weakest first.

    guess: both are on one host, and nothing better is known. host: one runs on the other. inferred: by edges of which one is a
    guess. edge: by certain edges. same: it is the same thing. clue: its own log names the address.
    """

    GUESS = 1
    HOST = 2
    INFERRED = 3
    EDGE = 4
    SAME = 5
    CLUE = 6


class Way(NamedTuple):
    """The way down to a thing: how many steps, whether all are certain, and the last step's reason."""

    hops: int
    certain: bool
    why: str


class Reach:
    """Walks one topology; each start is walked once."""

    def __init__(self, topology: Topology) -> None:
        self._below: dict[Target, list[Edge]] = {}
        for edge in topology.edges:
            self._below.setdefault(edge.above, []).append(edge)
        self._walked: dict[Target, dict[Target, Way]] = {}

    def below(self, start: Target) -> dict[Target, Way]:
        """Return everything that a thing rests on, however far down."""
        if start not in self._walked:
            self._walked[start] = self._walk(start)
        return self._walked[start]

    def _walk(self, start: Target) -> dict[Target, Way]:
        found: dict[Target, Way] = {}
        settled = {edge.below for edge in self._below.get(start, ()) if edge.settled}
        waiting: deque[tuple[Target, int, bool]] = deque([(start, 0, True)])
        while waiting:
            here, hops, certain = waiting.popleft()
            if hops >= MOST_HOPS:
                continue
            for edge in self._below.get(here, ()):
                if edge.passes and here in settled:
                    continue  # where the requests of `start` go on is told by its own edges
                sure = certain and edge.certain
                for node in {edge.below, node_of(edge.below)}:
                    before = found.get(node)
                    if node != start and (before is None or (sure and not before.certain)):
                        found[node] = Way(hops + 1, sure, edge.why)
                        waiting.append((node, hops + 1, sure))
        return found

    def of(self, anomaly: Anomaly) -> dict[Target, Way]:
        """Return everything that what an anomaly is about rests on."""
        own = self.below(anomaly.target)
        return {**self.below(anomaly.node), **own} if anomaly.node != anomaly.target else own

    def relation(self, above: Anomaly, below: Anomaly) -> tuple[Relation, str] | None:
        """Return how the thing of one anomaly rests on the other's, and why; None where nothing says so."""
        if above.node == below.node or (above.target == below.target):
            return Relation.SAME, ""
        if _looked_for(above, below):
            return Relation.EDGE, f"{above.node} looks for it there"
        if above.fact("instances"):
            return self._watched(above, below)
        if above.rule.startswith("queue_") and above.node in self.below(below.node):
            return Relation.EDGE, f"{below.node.name} works on it"
        ways = self.of(above)
        way = ways.get(below.target) or ways.get(below.node)
        if way is not None:
            if below.target.kind == Kind.SYSTEM and not _is_path(below.target.name):
                return Relation.HOST, way.why
            return (Relation.EDGE if way.certain else Relation.INFERRED), way.why
        if _stored(above, below):
            return Relation.EDGE, f"{above.fact('path')} lies on {below.target.name or 'it'}"
        if above.target.host != below.target.host or above.target.host in NO_HOSTS:
            return None
        if below.target.kind == Kind.SYSTEM and not _is_path(below.target.name):
            return Relation.HOST, f"it runs on {below.target.host}"
        return Relation.GUESS, f"both are on {below.target.host}"

    def _watched(self, above: Anomaly, below: Anomaly) -> tuple[Relation, str] | None:
        """Return how one watched address rests on a thing: a monitoring server has an edge to each of many that it watches."""
        wanted = tuple(above.fact("instances").split(","))
        for edge in self._below.get(above.node, ()):
            if not any(f" {one}," in f"{edge.why}," for one in wanted):
                continue
            there = {edge.below, node_of(edge.below)}
            if below.target in there or below.node in there:
                return (Relation.EDGE if edge.certain else Relation.INFERRED), edge.why
            way = self.below(edge.below).get(below.target) or self.below(edge.below).get(below.node)
            if way is not None and not (below.target.kind == Kind.SYSTEM and not _is_path(below.target.name)):
                return (Relation.EDGE if edge.certain and way.certain else Relation.INFERRED), way.why
            if way is not None and below.rule in ("link_lost",):
                return Relation.EDGE, way.why
        return None

    def kinds_below(self, anomaly: Anomaly) -> frozenset[str]:
        """Return the kinds of things that it is known to rest on; of one upstream of an nginx, not those of the others."""
        below = self.below(anomaly.target) if anomaly.rule == "nginx_upstream" else self.of(anomaly)
        return frozenset(target.kind for target in below)


def _looked_for(above: Anomaly, below: Anomaly) -> bool:
    """Whether one thing looks for the other at an address where that is no more."""
    wanted = {one for name in ("addresses", "instances") for one in above.fact(name).split(",") if one}
    return bool(wanted & set(below.fact("expected").split(",")))


def _is_path(name: str) -> bool:
    return name.startswith("/")


def _stored(above: Anomaly, below: Anomaly) -> bool:
    """Whether a file of one thing lies on the filesystem or in the pool that the other anomaly is about."""
    path = above.fact("path")
    if not path.startswith("/") or above.target.host != below.target.host:
        return False
    folder = below.target.name if below.target.kind == Kind.SYSTEM else below.fact("path")
    if not folder.startswith("/"):
        return False
    return under(path, folder)


def under(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    if not path.startswith("/") or not folder.startswith("/"):
        return False
    clean, above = posixpath.normpath(path), posixpath.normpath(folder)
    return above == "/" or clean == above or clean.startswith(f"{above}/")
