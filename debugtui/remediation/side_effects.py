"""What else got worse: the host before a change compared with the host after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from debugtui.alerts.book import AlertBook
from debugtui.alerts.rules import UNREADABLE
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.config.redaction import redact
from debugtui.model.alerts import Severity
from debugtui.model.docker import DockerReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import FleetView, Freshness, HostView
from debugtui.model.target import Target
from debugtui.model.text import line


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that got worse. `critical`: something that served does not serve any more."""

    target: Target
    says: str
    critical: bool


def compare(
    before: FleetView, after: FleetView, host: str, expected: Iterable[Target], rules: Rules = DEFAULT
) -> tuple[Effect, ...]:
    """Return what of a host got worse and was not meant to change.

    Args:
        before: readings from before the change.
        after: readings from after it.
        host: the host.
        expected: what the change disturbs on purpose, and everything below it.
        rules: the alert rules, with what the operator changed of them.
    """
    meant = tuple(str(target) for target in expected)
    was, now = _host(before, host), _host(after, host)
    if was is None or now is None:
        return ()
    found = [*_stopped(was, now), *_unreadable(was, now)]
    said = {effect.target for effect in found}
    found += (effect for effect in _alerts(before, after, host, rules) if effect.target not in said)
    return tuple(effect for effect in found if not _is_meant(str(effect.target), meant))


def _is_meant(target: str, meant: tuple[str, ...]) -> bool:
    return any(target == one or target.startswith(f"{one}/") or one.startswith(f"{target}/") for one in meant)


def _host(view: FleetView, name: str) -> HostView | None:
    return next((host for host in view.hosts if host.name == name), None)


def _serving(host: HostView) -> dict[Target, str]:
    """Return everything that serves now, with its state in words."""
    found: dict[Target, str] = {}
    for status in host.sources:
        if status.freshness is Freshness.LOST:
            continue
        reading = status.reading
        if isinstance(reading, DockerReading):
            for container in reading.containers:
                if container.state == "running" and not container.looping:
                    health = "unhealthy" if container.health == "unhealthy" else "running"
                    found[Target(host.name, "docker", container.name)] = health
        elif isinstance(reading, LibvirtReading):
            for vm in reading.vms:
                if vm.state == "running":
                    found[Target(host.name, "libvirt", vm.name)] = "running"
    return found


def _stopped(was: HostView, now: HostView) -> Iterable[Effect]:
    before, after = _serving(was), _serving(now)
    read = {status.kind.value for status in now.sources if status.freshness is not Freshness.LOST}
    for target, state in before.items():
        if target.kind not in read:
            continue  # not readable is said once, for the source
        if target not in after:
            yield Effect(target, f"{target} was {state} before, and is not running now", critical=True)
        elif state == "running" and after[target] == "unhealthy":
            yield Effect(target, f"{target} was healthy before, and is unhealthy now", critical=True)


def _unreadable(was: HostView, now: HostView) -> Iterable[Effect]:
    readable = {(status.kind, status.name) for status in was.sources if status.freshness is Freshness.LIVE}
    for status in now.sources:
        if (status.kind, status.name) in readable and status.freshness in (Freshness.LOST, Freshness.STALE):
            target = Target(now.name, status.kind.value, status.name if isinstance(status.reading, PostgresReading) else "")
            problem = redact(line(str(status.problem or "no answer"), 200))
            yield Effect(target, f"{target} could be read before, and cannot now: {problem}", critical=True)


def _alerts(before: FleetView, after: FleetView, host: str, rules: Rules) -> Iterable[Effect]:
    known = {(alert.rule, alert.target) for alert in AlertBook(rules).update(before)}
    for alert in AlertBook(rules).update(after):
        new = (alert.rule, alert.target) not in known
        if new and alert.target.host == host and alert.severity.rank <= Severity.HIGH.rank and alert.rule not in UNREADABLE:
            says = f"new alert, {alert.severity.value}: {redact(line(alert.message, 300))}"
            yield Effect(alert.target, says, critical=alert.severity is Severity.CRITICAL)
