"""On which things a step is run."""

from __future__ import annotations

from debugtui.diagnosis.runbooks import fill
from debugtui.diagnosis.runbooks.aim import GIVES, WHOLE_HOST, Around, Place
from debugtui.diagnosis.runbooks.step import Step
from debugtui.model.source import Kind

_WORDS = {
    Kind.DOCKER: "container",
    Kind.LIBVIRT: "VM",
    Kind.SYSTEM: "unit or filesystem",
    Kind.POSTGRES: "database",
    Kind.WEB: "web address",
    Kind.GROQ: "use of the Groq API",
}


def kind_of(step: Step) -> tuple[Kind, bool]:
    """Return the kind of thing that a step is run on, and whether it is about single ones where a source watches many."""
    given = [GIVES[name] for name in fill.used(step.texts()) if name in GIVES]
    if step.log is not None:
        return {"container": Kind.DOCKER, "unit": Kind.SYSTEM, "nginx": Kind.NGINX}[step.log], True
    if step.kind == "reading":
        kind = step.source
        return kind, kind in given
    if step.on is not None:
        return Kind(step.on), Kind(step.on) in given
    if step.kind == "sql":
        return Kind.POSTGRES, True
    if step.kind == "query":
        return Kind.PROMETHEUS, True
    if step.server is not None:
        return Kind(step.server), True
    return (given[0], True) if given else (Kind.SYSTEM, False)


def places_of(step: Step, around: Around) -> tuple[Place, ...] | str:
    """Return the things that a step is run on, or why there are none."""
    kind, named = kind_of(step)
    found = around.places(kind, named=named)
    if found:
        return found
    target = around.aim.target
    if kind in WHOLE_HOST and not named:
        return f"{target} stands on no host of the configuration"
    what = _WORDS.get(kind, kind.value)
    return f"no {what} is known to belong to {target}"
