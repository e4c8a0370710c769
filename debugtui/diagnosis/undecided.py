"""What is not known, as a question, and the one reading that would decide it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debugtui.diagnosis.anomaly import Anomaly
from debugtui.model.diagnosis import Finding, Undecided
from debugtui.model.source import FleetView, Kind, LinkState
from debugtui.model.text import line

_WOULD_DECIDE: dict[str, str] = {
    Kind.POSTGRES: "its sessions, read with a login that it accepts",
    Kind.DOCKER: "its list of containers, read with a login that may open its socket",
    Kind.LIBVIRT: "its list of VMs, read with a login that libvirt accepts",
    Kind.NGINX: "its processes and its error log, read with a login that may see them",
    Kind.CHROME: "the page, opened in a browser",
    Kind.GROQ: "one probe with a key",
    Kind.SYSTEM: "its figures of processor, memory and disks",
}
_READINGS: dict[str, str] = {
    Kind.WEB: "the log of what answers there",
    Kind.CHROME: "the log of what answers there",
    Kind.NGINX: "the log of the upstream behind it",
    Kind.DOCKER: "its log",
    Kind.POSTGRES: "the server's log",
}


def unseen(anomalies: Sequence[Anomaly]) -> Iterator[Undecided]:
    """Yield a question for each source that refuses us or cannot be read, whose state is therefore not known."""
    for anomaly in anomalies:
        if anomaly.rule != "unseen":
            continue
        how = "it refuses our login, which says nothing of its own state" if anomaly.fact("refused") else "it cannot be read"
        wanted = _WOULD_DECIDE.get(anomaly.target.kind, "a reading of it")
        yield Undecided(f"is {anomaly.target} well? {how}", f"{anomaly.target}: {wanted}")


def refused(view: FleetView) -> Iterator[Undecided]:
    """Yield a question for each host that refuses us: that is no fault of the host."""
    for host in view.hosts:
        if host.link.state is LinkState.REFUSED:
            why = f": {line(host.link.problem.says, 120)}" if host.link.problem else ""
            yield Undecided(
                f"is {host.name} well? it refuses our connection{why}", f"{host.name}/system: a connection that it accepts"
            )


def unsure(finding: Finding) -> Undecided:
    """Return the question that a cause leaves open which is not sure enough."""
    wanted = _READINGS.get(finding.target.kind, "a second reading that tells the same")
    return Undecided(f"is this a fault, and what leads to it: {finding.title}?", f"{finding.target}: {wanted}")
