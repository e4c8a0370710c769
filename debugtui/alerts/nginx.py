"""What is wrong with an nginx."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.alerts import Severity
from debugtui.model.nginx import NginxReading, Upstream
from debugtui.model.target import Target

#: Levels of the error log that nginx itself calls urgent.
URGENT = ("emerg", "alert", "crit")


def findings(target: Target, reading: NginxReading, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what is wrong."""
    if reading.master_pid is None:
        yield Finding(Severity.CRITICAL, "nginx_down", target, f"no nginx runs with {reading.config}")
    if reading.config_ok is False:
        says = f"the configuration on the disk is broken, the next reload or restart fails: {reading.config_says}"
        yield Finding(Severity.HIGH, "nginx_config", target, says)
    elif reading.not_taken and reading.master_pid is not None:
        yield Finding(Severity.LOW, "nginx_not_reloaded", target, "the configuration was changed, and not reloaded since")
    if reading.master_pid is not None:
        yield from _listens(target, reading)
    for upstream in reading.upstreams:
        yield from _upstream(target, upstream)
    yield from _logs(target, reading)
    yield from _figures(target, reading, rules)


def _listens(target: Target, reading: NginxReading) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for server in reading.servers:
        for listen in server.listens:
            if listen.ours is False:
                taken[listen.address] = listen.owner
    for address, owner in taken.items():
        says = f"{address} is configured, but {f'{owner} listens there' if owner else 'nobody listens there'}"
        yield Finding(Severity.HIGH, "nginx_port", Target(target.host, target.kind, f"{target.name}/{address}"), says)


def _upstream(target: Target, upstream: Upstream) -> Iterator[Finding]:
    watched = [server for server in upstream.servers if not server.down and server.answers is not None]
    dead = [server.address for server in watched if server.answers is False]
    about = Target(target.host, target.kind, f"{target.name}/{upstream.name}")
    if dead and len(dead) == len(watched):
        says = f"no server of the upstream {upstream.name} accepts connections: {', '.join(dead[:3])}"
        yield Finding(Severity.CRITICAL, "nginx_upstream", about, says)
    elif dead:
        says = f"{', '.join(dead[:3])} of the upstream {upstream.name} accepts no connections"
        yield Finding(Severity.MEDIUM, "nginx_upstream", about, says)


def _logs(target: Target, reading: NginxReading) -> Iterator[Finding]:
    for group in reading.errors:
        if group.level in URGENT:
            says = f"{group.count} lines of [{group.level}] in five minutes, the newest: {group.newest}"
            yield Finding(Severity.HIGH, "nginx_log", target, says, float(group.count))
            break


def _figures(target: Target, reading: NginxReading, rules: Rules) -> Iterator[Finding]:
    if reading.status is not None:
        dropped = reading.status.dropped
        says = f"{dropped} connections were dropped: worker_connections is too small"
        yield from rules.counted("nginx_dropped", target, float(dropped), says)
    access = reading.access
    requests = access.requests if access is not None else None
    failing = slow = None
    if access is not None:
        failing, slow = 100 * access.share_5xx, access.p95_ms
    if requests is None or requests >= rules.least("nginx_5xx"):
        newest = access.newest_5xx if access is not None else ""
        yield from rules.counted(
            "nginx_5xx",
            target,
            failing,
            lambda share, _: f"{share:.1f} % of the requests are answered with 5xx, the newest: {newest}",
        )
    if requests is None or requests >= rules.least("nginx_slow"):
        slowest = access.slowest if access is not None else ""
        yield from rules.counted(
            "nginx_slow", target, slow, lambda took, _: f"p95 of all requests is {took / 1000:.1f} s, the slowest: {slowest}"
        )
