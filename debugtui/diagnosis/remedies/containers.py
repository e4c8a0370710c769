"""What answers faults of containers."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.explain import Root
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.model.diagnosis import Offer
from debugtui.model.target import Target

_UNITS = (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10))


def offers(root: Root, around: Surroundings) -> Iterator[Offer]:
    """Yield what answers the fault of one container, or of an engine."""
    cause = root.cause
    target, rule = cause.target, cause.rule
    if not target.name:
        if rule.startswith("lost_"):
            yield Offer("system.restart_unit", Target(target.host, "system", "docker.service"))
        return
    known = {one.rule for one in (cause, *root.beside)}
    if cause.fact("oom") or known & {"oom_killed", "container_memory"}:
        yield from _more_memory(root)
    if rule == "crash_loop":
        # Without an earlier image it is a person who says what has to change: until then the loop can be ended.
        yield from _recreate(root, only_known=True)
        yield Offer("docker.restart_policy", target, (("policy", "no"),))
        yield from _recreate(root)
        yield Offer("docker.restart", target)
    elif rule == "container_removed":
        return  # what it was made of is gone with it
    elif rule == "failing":
        yield from _recreate(root, only_known=True)
        yield Offer("docker.restart", target)
    elif rule in ("unhealthy", "silent"):
        yield Offer("docker.restart", target)
        yield from _recreate(root, only_known=True)
    elif rule in ("container_remade", "container_moved"):
        yield from _recreate(root)
    elif rule == "container_failed_start":
        yield from _recreate(root)
        yield Offer("docker.start", target)
    elif rule == "container_memory":
        yield Offer("docker.restart", target)
    elif rule == "container_paused":
        yield Offer("docker.unpause", target)
    else:
        yield Offer("docker.start", target)
        yield from _recreate(root, only_known=True)


def _more_memory(root: Root) -> Iterator[Offer]:
    """Twice its limit; without one the host itself is short of memory, and no limit of its own helps."""
    limit = next((one.fact("limit") for one in (root.cause, *root.beside) if one.fact("limit").isdigit()), "")
    if limit:
        yield Offer("docker.update_limits", root.cause.target, (("memory", size(2 * int(limit))),))


def _recreate(root: Root, *, only_known: bool = False) -> Iterator[Offer]:
    """The image before the present one, where the host still holds it; else a person says what has to change."""
    previous = next((one.fact("previous") for one in (root.cause, *root.beside) if one.fact("previous")), "")
    if previous:
        yield Offer("docker.recreate", root.cause.target, (("image", previous),))
    elif not only_known:
        yield Offer("docker.recreate", root.cause.target)


def size(count: int) -> str:
    """Return bytes as the remediation takes them: `512m`."""
    return next((f"{count // unit}{letter}" for letter, unit in _UNITS if count % unit == 0), str(count))
