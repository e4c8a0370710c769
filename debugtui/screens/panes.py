"""The panes of the main screen, as data: number, title, columns, which kinds feed them."""

from __future__ import annotations

from dataclasses import dataclass

from debugtui.model.source import Kind
from debugtui.screens.rows import alerts, containers, groq, hosts, locks, vms, web
from debugtui.widgets.table_rows import Column


@dataclass(frozen=True, slots=True)
class PaneSpec:
    """One pane.

    Attributes:
        id: `hosts`, `vms`... ; the widget's id is `pane-ID`, its table's `table-ID`.
        number: the key that goes there.
        title: on its border.
        kind: the sources that feed it; None for the pane that everything feeds.
        columns: of its table.
        nothing: said when there is nothing to show.
        also: more kinds that feed it.
    """

    id: str
    number: int
    title: str
    kind: Kind | None = None
    columns: tuple[Column, ...] = ()
    nothing: str = ""
    also: tuple[Kind, ...] = ()


PANES: tuple[PaneSpec, ...] = (
    PaneSpec("hosts", 1, "Hosts", Kind.SYSTEM, hosts.COLUMNS, "no hosts configured"),
    PaneSpec("vms", 2, "VMs", Kind.LIBVIRT, vms.COLUMNS, "no VMs"),
    PaneSpec("locks", 3, "PostgreSQL locks", Kind.POSTGRES, locks.COLUMNS, "no databases"),
    PaneSpec("alerts", 4, "Alerts", None, alerts.COLUMNS, "nothing is wrong that is watched"),
    PaneSpec("containers", 5, "Containers", Kind.DOCKER, containers.COLUMNS, "no containers"),
    PaneSpec("groq", 6, "Groq", Kind.GROQ, groq.COLUMNS, "no use of Groq"),
    PaneSpec("web", 7, "Web", Kind.WEB, web.COLUMNS, "no web address", (Kind.NGINX, Kind.TLS, Kind.CHROME)),
)

BY_ID = {pane.id: pane for pane in PANES}
BY_KIND = {pane.kind: pane for pane in PANES if pane.kind is not None}
