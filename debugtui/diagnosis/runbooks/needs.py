"""What of a configuration one run of a runbook needs: no other host is connected, no other source is read."""

from __future__ import annotations

from debugtui.config.models import Config
from debugtui.diagnosis.runbooks.aim import Around
from debugtui.diagnosis.runbooks.models import Runbook
from debugtui.diagnosis.runbooks.placing import kind_of, places_of
from debugtui.diagnosis.runbooks.step import Step
from debugtui.model.source import Kind


def needs(config: Config, runbook: Runbook, around: Around) -> tuple[Config, frozenset[Kind]]:
    """Return the configuration with the hosts that are needed, and the kinds of sources."""
    kinds: set[Kind] = set()
    names: set[str] = set(around.hosts())
    groq = False
    for step in runbook.steps:
        if step.kind == "note":
            continue
        kinds |= _kinds(step)
        places = places_of(step, around)
        for place in places if not isinstance(places, str) else ():
            names |= {place.target.host, place.values.get("host", "")}
            groq = groq or place.target.kind == Kind.GROQ
    hosts = tuple(host for host in config.hosts if host.name in names)
    kept = {host.name for host in hosts}
    uses = tuple(one for one in config.groq if groq and (one.via is None or one.via in kept))
    return config.model_copy(update={"hosts": hosts, "groq": uses}), frozenset(kinds)


def _kinds(step: Step) -> set[Kind]:
    """Return the kinds of sources that a step reads or asks; an HTTP server is asked without one."""
    if step.kind == "reading":
        return {step.source}
    kind, _ = kind_of(step)
    return {kind} if step.kind in ("sql", "logs") else set()
