"""Guards of a recreation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from debugtui.model.plan import Guard
from debugtui.model.text import line
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.common import Box

#: Labels by which somebody else says that the container is theirs to make.
_MANAGERS = {"com.docker.swarm.service.id": "Docker Swarm", "io.kubernetes.container.name": "Kubernetes"}


def not_managed(box: Box) -> Guard:
    """No orchestrator would make it again its own way."""
    for label, manager in _MANAGERS.items():
        if box.label(label):
            why = f"{manager} made it, and would make it again its own way"
            return Guard("not_managed", guards.FAIL, why, f"label {label}")
    says = f"Compose project {line(box.project, 80)}" if box.project else "no label of Swarm or Kubernetes"
    return Guard("not_managed", guards.PASS, "no orchestrator owns it", says)


def image_local(old: Mapping[str, Any], new: Mapping[str, Any]) -> Guard:
    """The host holds both images."""
    says = f"old {str(old['Id'])[:19]}, new {str(new['Id'])[:19]}, read just now"
    return Guard(
        "image_local", guards.PASS, "the host holds both images: nothing is pulled, and the way back needs nothing", says
    )


def network_shared(around: guards.Neighbours) -> Guard:
    """Nobody lives in its network: they would stay in the old one's."""
    sharing = [one for one in around.dependants if "uses its network" in one]
    if sharing:
        why = f"{sharing[0]}: it would stay in the old one's network"
        return Guard("network_shared", guards.FAIL, why, f"{len(sharing)} containers")
    return Guard("network_shared", guards.PASS, "no other container lives in its network", "NetworkMode of all containers")


def dead_man(program: str) -> Guard:
    """The host can bring the old one back by itself."""
    if program:
        why = f"should the link be lost half-way, the host brings the old one back by itself ({program})"
        return Guard("dead_man", guards.PASS, why, "tried just now", critical=False)
    why = "the host has neither docker nor curl for the engine's socket: a lost link could leave it down"
    return Guard("dead_man", guards.UNKNOWN, why, "tried just now", critical=False)
