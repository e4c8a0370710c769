"""What is wrong with an nginx."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.nginx import NginxReading, Upstream
from debugtui.model.target import Target

#: From so many requests in five minutes on a share says something; shares that are too many, and that cut users off.
LEAST_REQUESTS, MANY_5XX, MOST_5XX = 20, 0.01, 0.1
SLOW_P95_MS = 1_000.0
#: Levels of the error log that nginx itself calls urgent.
URGENT = ("emerg", "alert", "crit")


def findings(target: Target, reading: NginxReading) -> Iterator[Finding]:
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
    if reading.status is not None and reading.status.dropped > 0:
        says = f"{reading.status.dropped} connections were dropped: worker_connections is too small"
        yield Finding(Severity.MEDIUM, "nginx_dropped", target, says, float(reading.status.dropped), 0.0)
    access = reading.access
    if access is None or access.requests < LEAST_REQUESTS:
        return
    if access.share_5xx > MANY_5XX:
        severity = Severity.CRITICAL if access.share_5xx > MOST_5XX else Severity.HIGH
        says = f"{100 * access.share_5xx:.1f} % of the requests are answered with 5xx, the newest: {access.newest_5xx}"
        yield Finding(severity, "nginx_5xx", target, says, access.share_5xx, MANY_5XX)
    if access.p95_ms is not None and access.p95_ms > SLOW_P95_MS:
        says = f"p95 of all requests is {access.p95_ms / 1000:.1f} s, the slowest: {access.slowest}"
        yield Finding(Severity.MEDIUM, "nginx_slow", target, says, access.p95_ms, SLOW_P95_MS)
