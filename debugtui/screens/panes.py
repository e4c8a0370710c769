"""The panes of the main screen, as data: number, title, columns, which kinds feed them."""

from __future__ import annotations

from dataclasses import dataclass

from debugtui.model.source import Kind
from debugtui.screens.rows import alerts, containers, hosts, locks, vms
from debugtui.widgets.table_rows import Column


@dataclass(frozen=True, slots=True)
class PaneSpec:
    """One pane.

    Attributes:
        id: `hosts`, `vms`... ; the widget's id is `pane-ID`, its table's `table-ID`.
        number: the key that goes there.
        title: on its border.
        kind: the sources that feed it; None for panes fed by everything or by nothing yet.
        columns: of its table; empty: it has no table yet.
        nothing: said when there is nothing to show.
    """

    id: str
    number: int
    title: str
    kind: Kind | None = None
    columns: tuple[Column, ...] = ()
    nothing: str = ""


PANES: tuple[PaneSpec, ...] = (
    PaneSpec("hosts", 1, "Hosts", Kind.SYSTEM, hosts.COLUMNS, "no hosts configured"),
    PaneSpec("vms", 2, "VMs", Kind.LIBVIRT, vms.COLUMNS, "no VMs"),
    PaneSpec("locks", 3, "PostgreSQL locks", Kind.POSTGRES, locks.COLUMNS, "no databases"),
    PaneSpec("alerts", 4, "Alerts", None, alerts.COLUMNS, "nothing is wrong that is watched"),
    PaneSpec("containers", 5, "Containers", Kind.DOCKER, containers.COLUMNS, "no containers"),
    PaneSpec("groq", 6, "Groq"),
    PaneSpec("web", 7, "Web"),
)

BY_ID = {pane.id: pane for pane in PANES}
BY_KIND = {pane.kind: pane for pane in PANES if pane.kind is not None}
