"""What answers a cause: names of remediations with their parameters, as data, the best first.

Names and parameters come from rules and readings, never from text. What is proposed here is only ever planned: the plan looks
again, and its guards refuse what does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from debugtui.diagnosis.explain import Root
from debugtui.diagnosis.remedies import containers, database, groq, machine, web
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.model.diagnosis import Offer
from debugtui.model.source import Kind

#: Most offers of one finding.
MOST = 5

_BY_KIND: dict[str, Callable[[Root, Surroundings], Iterator[Offer]]] = {
    Kind.DOCKER: containers.offers,
    Kind.POSTGRES: database.offers,
    Kind.GROQ: groq.offers,
    Kind.LIBVIRT: machine.guests,
    Kind.SYSTEM: machine.hosts,
    Kind.WEB: web.offers,
    Kind.TLS: web.offers,
    Kind.CHROME: web.offers,
    Kind.NGINX: web.offers,
}


def offers(root: Root, around: Surroundings) -> tuple[Offer, ...]:
    """Return what answers a cause; empty where nothing of ours does."""
    make = _BY_KIND.get(root.cause.target.kind)
    if make is None:
        return ()
    found: dict[tuple[str, object], Offer] = {}
    for offer in make(root, around):
        if offer.name == "system.restart_unit" and not around.may_have_units(offer.target.host):
            continue
        found.setdefault((offer.name, offer.target), offer)
    return tuple(list(found.values())[:MOST])
