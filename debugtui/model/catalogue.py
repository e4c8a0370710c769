"""The catalogue of services: what each consists of, who is responsible, and how to reach them."""

from __future__ import annotations

from dataclasses import dataclass

from debugtui.model.target import Target
from debugtui.model.topology import NodeState


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    Attributes:
        name: its name: of the table, of the Compose project, or what a label says.
        owner: who is responsible; empty: nobody is named.
        contact: how to reach them; empty: not known.
        runbook: a path, a URL, or the name of a runbook; plain text, since labels may say anything. Empty: none.
        dashboard: where its dashboard is; plain text as well.
        resources: what it consists of, routes first, in the order of the configuration where that gives one.
        depends_on: names of the services that it cannot do without.
        state: of the worst of its resources.
        says: which that is, and why; empty while all is well.
        configured: whether `[[services]]` names it; else it was found.
        origins: where each was found, in words: `Compose project coach on kvm-01`, `label debugtui.owner of coach-api-1`.
    """

    name: str
    owner: str = ""
    contact: str = ""
    runbook: str = ""
    dashboard: str = ""
    resources: tuple[Target, ...] = ()
    depends_on: tuple[str, ...] = ()
    state: NodeState = NodeState.UNKNOWN
    says: str = ""
    configured: bool = False
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All services by name, and what belongs to none of them."""

    services: tuple[Service, ...] = ()
    unplaced: tuple[Target, ...] = ()
