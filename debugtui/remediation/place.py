"""Where a target's repairs are made: a target names its host, but the uses of the Groq API stand beside the hosts."""

from __future__ import annotations

from debugtui.config.models import Config, GroqConfig
from debugtui.model.target import GROQ, Target
from debugtui.model.text import line
from debugtui.remediation.base import PlanError


def use_of(config: Config, name: str) -> GroqConfig:
    """Return the configuration of one use of the Groq API.

    Raises:
        PlanError: there is none of that name.
    """
    for use in config.groq:
        if use.name == name:
            return use
    names = ", ".join(use.name for use in config.groq) or "none"
    raise PlanError(f"there is no use of the Groq API {line(name, 80)!r} in the configuration (there are: {names})")


def container_of(use: GroqConfig) -> Target | None:
    """Return the container that holds the settings of the application; None where a file does.

    Raises:
        PlanError: what is configured is no container.
    """
    if use.app is None or use.app.container is None:
        return None
    try:
        target = Target.parse(use.app.container)
    except ValueError:
        target = Target("", "")
    if target.kind != "docker" or not target.name or "/" in target.name:
        said = line(use.app.container, 100)
        raise PlanError(f"the app of groq/{use.name} names no container: HOST/docker/NAME, not {said!r}")
    return target


def host_of(config: Config, target: Target) -> str:
    """Return the name of the host whose link, lock and readings belong to a target.

    Raises:
        PlanError: a use of the Groq API is unknown, or where its application keeps its settings is not configured.
    """
    if target.kind != GROQ:
        return target.host
    use = use_of(config, target.name)
    container = container_of(use)
    if container is not None:
        return container.host
    if use.app is None or use.app.host is None:
        raise PlanError(
            f"where the application of groq/{use.name} keeps its settings is not configured: app in [[groq]] names it"
        )
    return use.app.host


def hosts_of(config: Config, target: Target) -> tuple[str, ...]:
    """Return every host that a repair of a target needs a link to, the one of `host_of` first.

    Raises:
        PlanError: see `host_of`.
    """
    first = host_of(config, target)
    via = use_of(config, target.name).via if target.kind == GROQ else None
    return (first,) if via in (None, first) else (first, str(via))
