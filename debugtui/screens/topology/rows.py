"""From a topology and its catalogue to the rows of the three tabs; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from debugtui.fleet.topology.tree import Branch, alone, tree_of, unused
from debugtui.model.catalogue import Catalogue, Service
from debugtui.model.target import Target
from debugtui.model.topology import Node, NodeState, Topology
from debugtui.themes.tones import Tone
from debugtui.widgets.table_rows import Cell, Column, Row

TREE = (
    Column("thing", "thing", min_width=34, weight=5, sortable=False),
    Column("state", "state", width=10, sortable=False),
    Column("why", "because", min_width=22, weight=6, sortable=False),
    Column("says", "what it says", min_width=18, weight=3, priority=1, sortable=False),
)
SERVICES = (
    Column("service", "service", min_width=26, weight=3),
    Column("state", "state", width=10),
    Column("owner", "owner", min_width=18, weight=3),
    Column("contact", "contact", min_width=14, weight=2),
    Column("runbook", "runbook", min_width=14, weight=2, priority=1),
    Column("dashboard", "dashboard", min_width=20, weight=3, priority=2),
)
REST = (
    Column("thing", "thing", min_width=30, weight=2),
    Column("state", "state", width=10),
    Column("says", "what it says", min_width=20, weight=3),
)

STATES: dict[NodeState, tuple[str, Tone]] = {
    NodeState.OK: ("● ok", "ok"),
    NodeState.DEGRADED: ("◐ degraded", "warn"),
    NodeState.DOWN: ("✖ down", "bad"),
    NodeState.UNKNOWN: ("◌ unknown", "dim"),
}

#: What a row opens, by its key.
Opens = dict[str, Target]


def state_cell(state: NodeState) -> Cell:
    """Return a state as sign and word."""
    return Cell(*STATES[state])


def tree_rows(topology: Topology, folded: frozenset[str]) -> tuple[list[Row], Opens]:
    """Return the rows of the tree, without what stands below folded ones, and what each row opens."""
    branches: list[Branch] = []
    hidden: int | None = None
    for branch in tree_of(topology):
        if hidden is not None and branch.depth > hidden:
            continue
        hidden = branch.depth if branch.key in folded else None
        branches.append(branch)
    guides = _guides([branch.depth for branch in branches])
    rows = [_tree_row(branch, guide, folded) for branch, guide in zip(branches, guides, strict=True)]
    return rows, {branch.key: branch.node.target for branch in branches}


def _tree_row(branch: Branch, guide: str, folded: frozenset[str]) -> Row:
    node, edge = branch.node, branch.edge
    mark = "  " if branch.leaf else "▸ " if branch.key in folded else "▾ "
    if branch.again:
        thing, says = Cell(f"{mark}{node.target} ↑", "dim"), Cell("see above", "dim")
    else:
        thing, says = Cell(f"{mark}{node.target}", "" if branch.depth else "heading"), Cell(node.says, "dim")
    why = Cell("")
    if edge is not None:
        why = Cell(edge.why, "dim") if edge.certain else Cell(f"guess: {edge.why}", "accent")
    return Row(branch.key, (thing, state_cell(node.state), why, says), indent=guide)


def _guides(depths: Sequence[int]) -> list[str]:
    """Return the lines in front of each row: `├ `, `└ `, with `│ ` for each level that goes on below."""
    found: list[str] = []
    goes_on: dict[int, bool] = {}
    for depth in reversed(depths):
        parts = ["│ " if goes_on.get(level) else "  " for level in range(1, depth)]
        found.append("".join((*parts, "├ " if goes_on.get(depth) else "└ ")) if depth else "")
        goes_on[depth] = depth > 0
        goes_on = {level: on for level, on in goes_on.items() if level <= depth}
    found.reverse()
    return found


def service_rows(topology: Topology, catalogue: Catalogue, folded: frozenset[str]) -> tuple[list[Row], Opens]:
    """Return each service and what it consists of, and what each row opens."""
    nodes = {node.target: node for node in topology.nodes}
    rows: list[Row] = []
    opens: Opens = {}
    for service in catalogue.services:
        key = f"service {service.name}"
        rows.append(_service_row(service, key, key in folded))
        parts = () if key in folded else service.resources
        for number, target in enumerate(parts, 1):
            below = f"{key} > {target}"
            rows.append(_part_row(nodes[target], below, "└ " if number == len(parts) else "├ "))
            opens[below] = target
    return rows, opens


def _service_row(service: Service, key: str, folded: bool) -> Row:
    mark = "▸ " if folded else "▾ "
    cells = (
        Cell(f"{mark}{service.name}", "heading"),
        state_cell(service.state),
        Cell(service.owner) if service.owner else Cell("nobody is named", "warn"),
        Cell(service.contact) if service.contact else Cell("-", "dim"),
        Cell(service.runbook) if service.runbook else Cell("-", "dim"),
        Cell(service.dashboard) if service.dashboard else Cell("-", "dim"),
    )
    return Row(key, cells)


def _part_row(node: Node, key: str, guide: str) -> Row:
    shared = f"with {len(node.services)} services" if len(node.services) > 1 else ""
    return Row(key, (Cell(str(node.target)), state_cell(node.state), Cell(node.says, "dim"), Cell(shared, "dim")), indent=guide)


def rest_rows(topology: Topology, catalogue: Catalogue) -> tuple[list[Row], Opens]:
    """Return what is in no service, what nothing is known to need, and what stands alone."""
    nodes = {node.target: node for node in topology.nodes}
    sections: tuple[tuple[str, Iterable[Node]], ...] = (
        ("in no service", [nodes[target] for target in catalogue.unplaced]),
        ("nothing is known to need it", unused(topology)),
        ("nothing is known of what it needs or what needs it", alone(topology)),
    )
    rows: list[Row] = []
    opens: Opens = {}
    for title, found in sections:
        many = list(found)
        if many:
            rows.append(Row(title, (Cell(f"{title}: {len(many)}", "heading"),), heading=True))
        for node in many:
            key = f"{title} > {node.target}"
            rows.append(Row(key, (Cell(str(node.target)), state_cell(node.state), Cell(node.says, "dim"))))
            opens[key] = node.target
    return rows, opens
