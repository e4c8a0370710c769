"""Which anomaly explains which: each symptom is led down to the deepest and earliest thing that can have led to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from debugtui.diagnosis.anomaly import MONITORS, Anomaly, Role
from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.groups import group_of, primary
from debugtui.diagnosis.names import akin
from debugtui.diagnosis.producers import AT_THE_DOOR, COMPANIONS, fits
from debugtui.diagnosis.reach import Reach, Relation
from debugtui.model.source import Kind
from debugtui.model.target import Target

#: Two systems' clocks, and two samplings: a cause may seem to begin so much later than what it leads to.
TOLERANCE = timedelta(seconds=60)

#: How deep a kind stands: what it rests on has a greater number.
DEPTH: dict[str, int] = {
    Kind.CHROME: 0,
    Kind.WEB: 1,
    Kind.TLS: 2,
    **dict.fromkeys(MONITORS, 2),
    Kind.NGINX: 3,
    Kind.DOCKER: 4,
    Kind.GROQ: 5,
    Kind.REDIS: 5,
    Kind.RABBITMQ: 5,
    Kind.POSTGRES: 5,
    Kind.LIBVIRT: 6,
    Kind.JOURNAL: 7,
    Kind.SYSTEM: 7,
}

_LATE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain: what is felt, what leads to it, how that is known."""

    above: Anomaly
    below: Anomaly
    relation: Relation
    why: str


@dataclass(slots=True)
class Root:
    """One cause, and what hangs on it.

    Attributes:
        cause: the anomaly.
        beside: other anomalies of the same thing, which tell the same.
        links: what it explains, directly or over others.
    """

    cause: Anomaly
    beside: list[Anomaly] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def all(self) -> Iterable[Anomaly]:
        """Yield the cause, what is beside it, and what it explains."""
        yield self.cause
        yield from self.beside
        yield from (link.above for link in self.links)


def depth_of(target: Target) -> int:
    """Return how deep a thing stands."""
    return DEPTH.get(target.kind, 4)


def explain(anomalies: Sequence[Anomaly], reach: Reach, clues: Sequence[Clue] = ()) -> list[Root]:
    """Return the causes, each with what it explains; in the order of their targets."""
    groups = _groups(anomalies)
    heads = {id(member): head for head, members in groups for member in members}
    by_place = _by_place(anomalies)
    best = {}
    for head, members in groups:
        link = _best(head, members, by_place, reach, clues, heads)
        if link is not None:
            best[id(head)] = link
    roots: dict[int, Root] = {}
    for head, members in groups:
        if head.role is not Role.SUPPORT and id(_root(head, best, heads)) == id(head):
            roots[id(head)] = Root(head, [one for one in members if one is not head])
    order = sorted(groups, key=lambda group: group[0].role is Role.SUPPORT)  # what makes a cause of something goes first
    for head, members in order:
        if id(head) in roots or id(head) not in best:
            continue
        cause = _root(head, best, heads)
        if head.role is Role.SUPPORT and id(cause) not in roots:
            continue  # what only accompanies makes no cause of anything
        root = roots.setdefault(id(cause), Root(cause, [one for one in _members(cause, groups) if one is not cause]))
        link = best[id(head)]
        root.links += [link, *(Link(one, head, Relation.SAME, "") for one in members if one is not head)]
    return sorted(roots.values(), key=lambda root: (str(root.cause.target), root.cause.rule))


def _groups(anomalies: Sequence[Anomaly]) -> list[tuple[Anomaly, list[Anomaly]]]:
    """Put together what tells of one thing in one respect; the first of each group is what is at fault there."""
    found: dict[tuple[object, ...], list[Anomaly]] = {}
    for anomaly in anomalies:
        found.setdefault(group_of(anomaly), []).append(anomaly)
    return [(primary(members), members) for members in found.values()]


def _members(head: Anomaly, groups: Sequence[tuple[Anomaly, list[Anomaly]]]) -> list[Anomaly]:
    return next(members for one, members in groups if one is head)


def _by_place(anomalies: Sequence[Anomaly]) -> dict[str, list[Anomaly]]:
    found: dict[str, list[Anomaly]] = {}
    for anomaly in anomalies:
        if anomaly.rule not in COMPANIONS:
            found.setdefault(anomaly.target.host, []).append(anomaly)
    return found


def _best(
    head: Anomaly,
    members: Sequence[Anomaly],
    by_place: dict[str, list[Anomaly]],
    reach: Reach,
    clues: Sequence[Clue],
    heads: dict[int, Anomaly],
) -> Link | None:
    """Return what explains a group best; None where nothing does."""
    named = {target for clue in clues if _of_one(clue, members) for target in clue.about}
    hosts = {head.target.host, *(target.host for target in reach.of(head)), *(target.host for target in named)}
    mine = {id(member) for member in members}
    found: list[Link] = []
    for host in sorted(hosts):
        for below in by_place.get(host, ()):
            if id(below) in mine or not _speaks(below, heads[id(below)]):
                continue
            link = _link(head, below, reach, named)
            if link is not None:
                found.append(link)
    found = _without_guesses(head, found, reach)
    return max(found, key=_rank, default=None)


def _speaks(below: Anomaly, head: Anomaly) -> bool:
    """Whether an anomaly may explain another: the first of its group, or the same of another database of its server."""
    return below is head or (below.fact("server") != "" and below.role is head.role and below.target != head.target)


def _of_one(clue: Clue, members: Sequence[Anomaly]) -> bool:
    return any(clue.source in (member.target, member.node) for member in members)


def _link(above: Anomaly, below: Anomaly, reach: Reach, named: set[Target]) -> Link | None:
    known = reach.relation(above, below)
    clued = below.target in named or below.node in named
    relation, why = known if known is not None else (Relation.GUESS, "")
    if clued:
        relation, why = Relation.CLUE, f"its log tells of {below.node}"
    elif known is None or (
        relation is Relation.SAME and below.role is not Role.CAUSE and above.role is not Role.CAUSE and not _lower(above, below)
    ):
        return None
    if not fits(below, above, relation) or _later(below, above):
        return None
    return Link(above, below, relation, why)


def _lower(above: Anomaly, below: Anomaly) -> bool:
    """Of two symptoms of one thing one explains the other only where it stands deeper, so that no circle comes about."""
    return depth_of(below.target) > depth_of(above.target) or (
        below.rule == "nginx_upstream" and above.rule != "nginx_upstream"
    )


def _later(below: Anomaly, above: Anomaly) -> bool:
    """Whether a cause is known to have begun after what it would lead to."""
    if below.since is None or above.since is None or below.fact("began"):
        return False
    return below.since > above.since + TOLERANCE


def _without_guesses(head: Anomaly, found: list[Link], reach: Reach) -> list[Link]:
    """Leave out guesses about kinds of things of which it is known what this rests on; and of several those without a hint."""
    known = reach.kinds_below(head)
    sure = [link for link in found if link.relation is not Relation.GUESS]
    guesses = [link for link in found if link.relation is Relation.GUESS and link.below.target.kind not in known]
    quiet = [link for link in guesses if link.below.role is Role.SUPPORT]
    if quiet and len(guesses) > 1:
        meant = [link for link in quiet if akin(head.target.name, link.below.target.name)]
        guesses = [link for link in guesses if link.below.role is not Role.SUPPORT] + (meant if len(meant) == 1 else [])
    return sure + guesses


def _rank(link: Link) -> tuple[object, ...]:
    """Order: known before guessed, at fault by itself before felt, the stronger relation, the deepest, the earliest."""
    role = {Role.CAUSE: 2, Role.SYMPTOM: 1, Role.SUPPORT: 0}[link.below.role]
    since = link.below.since or _LATE
    # Of several that were made anew the last one is meant: what came before has proven itself.
    order = since.timestamp() if link.below.rule == "container_remade" else -since.timestamp() if since is not _LATE else -1e12
    depth = depth_of(link.below.target)
    if link.above.fact("fault") in AT_THE_DOOR:
        depth = -depth  # who is met first does not let in; what stands behind is not even asked
    strong = link.relation >= Relation.INFERRED
    return (strong, role, link.relation, depth, order,
            link.below.severity.rank * -1, str(link.below.target), link.below.rule)  # fmt: skip


def _root(head: Anomaly, best: dict[int, Link], heads: dict[int, Anomaly]) -> Anomaly:
    """Follow the links down to where they end; in a circle, to what is deepest in it."""
    seen: list[Anomaly] = [head]
    here = head
    while (link := best.get(id(here))) is not None:
        here = heads[id(link.below)]
        if any(one is here for one in seen):
            return max(seen, key=lambda one: (depth_of(one.target), str(one.target)))
        seen.append(here)
    return here
