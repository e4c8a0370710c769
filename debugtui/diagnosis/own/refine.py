"""What the rules' findings lack for a diagnosis: who blocks, who holds, what a limit is, what a page's failure was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from debugtui.diagnosis.anomaly import MONITORS, Anomaly, Aspect, Role
from debugtui.diagnosis.own.containers import first_end, newest, stopped_by
from debugtui.diagnosis.own.images import previous_of
from debugtui.diagnosis.own.making import plural
from debugtui.diagnosis.own.sessions import blocking, holder
from debugtui.diagnosis.rulebook import LONG_MS, RULES
from debugtui.model.alerts import Severity
from debugtui.model.chrome import ChromeReading, PageRequest
from debugtui.model.docker import DockerReading
from debugtui.model.groq import GroqCall, GroqReading
from debugtui.model.libvirt import LibvirtReading
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import SourceStatus
from debugtui.model.system import SystemReading
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.model.web import WebFault, WebReading

#: Days before a certificate's end from which that is a fault and not a reminder.
DAYS = 14.0
#: What browsers ask for by themselves, and what only helps debugging: that it is missing is no fault.
IGNORED = ("/favicon.ico", "/apple-touch-icon", "/robots.txt", "/.well-known/")


def refined(anomaly: Anomaly, status: SourceStatus) -> Iterator[Anomaly]:
    """Yield an anomaly with what its reading tells beyond the rule; nothing where it is no anomaly at all."""
    reading = status.reading
    if status.kind in MONITORS:
        yield _monitor(anomaly, status)
        return
    for kind, refine in _REFINERS:
        if isinstance(reading, kind):
            found = refine(anomaly, reading, status)
            if found is not None:
                yield found
            return
    yield anomaly


def _with(anomaly: Anomaly, **facts: str) -> Anomaly:
    return replace(anomaly, facts=(*anomaly.facts, *((key, value) for key, value in facts.items() if value)))


def _monitor(anomaly: Anomaly, status: SourceStatus) -> Anomaly:
    """Which addresses a finding of a monitoring server is about: of its targets that are down, of the datasource that fails."""
    reading, rest = status.reading, anomaly.target.name.removeprefix(f"{status.name}/")
    if anomaly.rule == "prometheus_target_down":
        down = [one for one in getattr(reading, "targets", None) or () if one.health == "down"]
        job, _, instance = rest.partition("/")
        urls = [one.url or one.instance for one in down if one.job == job and instance in ("", one.instance)]
        return _with(anomaly, instances=",".join(dict.fromkeys(_netloc(url) for url in urls)))
    if anomaly.rule == "grafana_datasource_down":
        url = next((one.url for one in getattr(reading, "datasources", None) or () if one.name == rest), "")
        return _with(anomaly, instances=_netloc(url))
    if anomaly.rule == "prometheus_no_alertmanager":
        known = getattr(reading, "alertmanagers", None) or ()
        return _with(anomaly, instances=",".join(dict.fromkeys(_netloc(one.url) for one in known)))
    return anomaly


def _netloc(url: str) -> str:
    """Return host and port of an address, as the topology writes them."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        return ""
    return f"{parts.hostname or ''}:{port or (443 if parts.scheme == 'https' else 80)}"


def _docker(anomaly: Anomaly, reading: DockerReading, _: SourceStatus) -> Anomaly | None:
    container = next((one for one in reading.containers if one.name == anomaly.target.name), None)
    if container is None:
        return anomaly
    since = anomaly.since
    if anomaly.rule == "crash_loop":
        since = first_end(reading.events, container.name) or container.finished_at
    elif anomaly.rule == "unhealthy":
        since = newest(reading.events, container.name, "health_status")
    elif anomaly.rule in ("container_exited", "oom_killed"):
        since = container.finished_at
    oom = container.oom_killed or any(event.action == "oom" and event.name == container.name for event in reading.events)
    return replace(
        _with(
            anomaly,
            exit_code="" if container.exit_code is None else str(container.exit_code),
            oom="yes" if oom else "",
            limit=str(container.memory_limit_bytes or ""),
            image=container.image,
            told=stopped_by(reading.events, container),
            previous=previous_of(container, reading),
        ),
        since=since,
    )


def _postgres(anomaly: Anomaly, reading: PostgresReading, status: SourceStatus) -> Anomaly | None:
    base = Target(status.host, "postgres", status.name)
    if anomaly.rule == "lock_chain":
        rest = anomaly.target.name.removeprefix(f"{status.name}/")
        place = next((at for at, one in enumerate(reading.locks) if not one.depth and rest in (one.gid, str(one.pid))), None)
        held = None if place is None else blocking(reading, place, base)
        if held is None:
            return anomaly
        found = replace(anomaly, says=held.says, since=held.since or anomaly.since, reading=f"locks[{place}].waiters")
        return _with(found, **held.facts)
    if anomaly.rule == "connections":
        return _connections(anomaly, reading)
    if anomaly.rule in ("idle_in_transaction", "long_query"):
        pid = anomaly.target.name.rpartition("/")[2]
        session = next((one for one in reading.sessions if str(one.pid) == pid), None)
        state = session.state if session else ""
        return _with(anomaly, pid=pid, state=state, application=session.application if session else "")
    if anomaly.rule == "index_invalid":
        first = next((one for one in reading.indexes or () if not one.valid), None)
        path = f"indexes[{first.schema}.{first.name}].valid" if first else "indexes"
        return _with(replace(anomaly, reading=path), name=f"{first.schema}.{first.name}" if first else "")
    return anomaly


def _connections(anomaly: Anomaly, reading: PostgresReading) -> Anomaly:
    found = holder(reading)
    if found is None:
        return anomaly
    name = found.application or "sessions without a name"
    says = f"{anomaly.says}: {name} holds {found.held}, {found.idle} of them idle"
    if found.waiting:
        says += f"; {plural(found.waiting, 'session')} wait for a lock"
    title = (
        f"{name} holds {found.held} of {reading.max_connections} connections, {found.idle} of them idle" if found.leaks else ""
    )
    return _with(
        replace(anomaly, says=says),
        application=found.application if found.leaks else "",
        waiting=str(found.waiting) if found.waiting else "",
        title=title,
    )


def _libvirt(anomaly: Anomaly, reading: LibvirtReading, _: SourceStatus) -> Anomaly | None:
    vm = next((one for one in reading.vms if one.name == anomaly.target.name), None)
    if vm is None:
        return anomaly
    failed = next((disk for disk in vm.disks if disk.error), vm.disks[0] if vm.disks else None)
    error = failed.error if failed else ""
    return _with(anomaly, path=failed.path if failed else "", error=error, reason=vm.reason, state=vm.state)


def _system(anomaly: Anomaly, reading: SystemReading, _: SourceStatus) -> Anomaly | None:
    return _with(anomaly, mount=anomaly.target.name) if anomaly.rule in ("disk", "inodes") else anomaly


def _web(anomaly: Anomaly, reading: WebReading, _: SourceStatus) -> Anomaly | None:
    port = urlsplit(reading.url)
    late = reading.fault is WebFault.TIMEOUT
    return _with(
        replace(anomaly, aspect=Aspect.ERRORS) if late else anomaly,  # who lets others wait may be well, or not
        status="" if reading.status is None else str(reading.status),
        fault=reading.fault.value if reading.fault else "",
        lasted="yes" if late else "",  # many seconds without an answer are no moment
        url=f"{port.hostname or ''}:{port.port or (443 if port.scheme == 'https' else 80)}",
    )


def _tls(anomaly: Anomaly, reading: TlsReading, _: SourceStatus) -> Anomaly | None:
    role = anomaly.role
    if anomaly.rule == "tls_expires" and reading.served is not None and reading.served.days_left > DAYS:
        role = Role.SUPPORT
    newer = reading.disk is not None and reading.same_as_disk is False and reading.disk.certificate.days_left > 0
    lineage = reading.renewal.name if reading.renewal else ""
    found = _with(
        anomaly,
        disk="newer" if newer else "",
        lineage=lineage,
        address=reading.address,
        certificate=reading.served.fingerprint if reading.served is not None else "",
    )
    return replace(found, role=role)


def _nginx(anomaly: Anomaly, reading: NginxReading, status: SourceStatus) -> Anomaly | None:
    if anomaly.rule == "nginx_upstream":
        name = anomaly.target.name.removeprefix(f"{status.name}/")
        upstream = next((one for one in reading.upstreams if one.name == name), None)
        servers = upstream.servers if upstream else ()
        dead = [one for one in servers if one.answers is False]
        partly = any(one.answers for one in servers)
        file = _file_of(name, reading)
        return _with(
            anomaly,
            address=dead[0].address if dead else "",
            addresses=",".join(one.address for one in dead),
            containers=",".join(one.container for one in dead if one.container),
            partly="yes" if partly else "",
            file=file,
            changed=reading.config_changed_at.isoformat() if reading.config_changed_at else "",
        )
    if anomaly.rule in ("nginx_config", "nginx_not_reloaded"):
        return replace(anomaly, since=reading.config_changed_at)
    return anomaly


def _file_of(upstream: str, reading: NginxReading) -> str:
    """Return the file of a server that passes requests to an upstream; the main one where none is known."""
    using = (
        one.file for one in reading.servers
        if one.file and any((place.to.partition("://")[2] or place.to).partition("/")[0] == upstream for place in one.locations)
    )  # fmt: skip
    return next(using, reading.config)


def _groq(anomaly: Anomaly, reading: GroqReading, status: SourceStatus) -> Anomaly | None:
    first = None
    for call in reversed(reading.calls):
        if call.fault is None:
            break
        first = call.at
    role = anomaly.role
    if anomaly.rule in _ONE_PROBE and reading.paused_until is None and not all(_troubled(call) for call in reading.calls[-2:]):
        role = Role.SUPPORT
    if anomaly.rule == "groq_application" and all(one.over for one in reading.passive if one.by_class):
        return None  # it failed within the last minutes, and has long gone well again
    lasted = _lasted(reading, status)
    if anomaly.rule in _ONE_PROBE and reading.paused_until is None and len(reading.calls) < 2 and not lasted:
        role = Role.SUPPORT  # one short probe is no proof; the next one decides
    worst = max(reading.passive, key=lambda one: sum(one.by_class.values()), default=None)
    most = max(worst.by_class, key=lambda fault: worst.by_class[fault], default=None) if worst and worst.by_class else None
    found = _with(anomaly, model=reading.model, most=most.value if most else "", lasted="yes" if lasted else "")
    return replace(found, since=anomaly.since if first is None else first, role=role)


def _lasted(reading: GroqReading, status: SourceStatus) -> bool:
    """Return whether the newest probe was in trouble for so long that it is proof by itself."""
    return (status.took_ms or 0.0) >= LONG_MS and reading.newest is not None and _troubled(reading.newest)


#: From when on a first token, a silence within a stream and a whole answer are slow, in milliseconds.
FIRST_TOKEN_MS, GAP_MS, LATENCY_MS = 2_000.0, 2_000.0, 5_000.0

#: What one probe in trouble may be by accident.
_ONE_PROBE = frozenset(rule for rule, entry in RULES.items() if rule.startswith("groq_") and entry.passing)


def _troubled(call: GroqCall) -> bool:
    slow = ((call.ttft_ms, FIRST_TOKEN_MS), (call.longest_gap_ms, GAP_MS), (call.total_ms, LATENCY_MS))
    return call.fault is not None or any(took is not None and took > most for took, most in slow)


def _chrome(anomaly: Anomaly, reading: ChromeReading, status: SourceStatus) -> Anomaly | None:
    api_fails = [one for one in reading.failed if _of_an_api(one)]
    if anomaly.rule == "request_failed":
        return _request(anomaly, reading, status)
    if anomaly.rule in ("js_exception", "js_rejection") and api_fails:
        # What a script does with an answer that failed is the answer's fault.
        return _with(replace(anomaly, aspect=Aspect.ERRORS, role=Role.SYMPTOM), status=str(api_fails[0].status or ""))
    return anomaly


def _of_an_api(request: PageRequest) -> bool:
    if _is_asset(request):
        return False
    return bool(request.failure) or (request.status or 0) >= 500


def _is_asset(request: PageRequest) -> bool:
    return request.kind.lower() in _ASSETS


#: What a page is made of, in the words that browsers have for it.
_ASSETS = frozenset({"image", "img", "font", "stylesheet", "css", "link", "media", "manifest", "script", "document"})


def _request(anomaly: Anomaly, reading: ChromeReading, status: SourceStatus) -> Anomaly | None:
    what = anomaly.target.name.removeprefix(f"{status.name}/")
    path = what.partition(" ")[2]
    if path.startswith(IGNORED) or path.endswith(".map"):
        return None
    own = urlsplit(reading.url).netloc
    request = next((one for one in reading.failed if what.startswith(one.method) and path in (_path(one, own), "")), None)
    if request is None:
        return anomaly
    code = request.status or 0
    if 400 <= code < 500 and urlsplit(request.url).netloc == own:
        # What the page itself names is not there: the release is not whole. An API that refuses is another story.
        missing = code in (404, 410)
        role = Role.CAUSE if missing and _is_asset(request) else Role.SYMPTOM if missing else Role.SUPPORT
        found = replace(anomaly, aspect=Aspect.CONTENT, role=role, severity=Severity.HIGH, points=62)
        # What a release lacks does not come by itself, and the browser is not opened a second time to see.
        return _with(found, status=str(code), asset=path, lasted="yes" if role is Role.CAUSE else "")
    if urlsplit(request.url).netloc != own:
        return replace(anomaly, role=Role.SUPPORT)  # another site's server is not ours to judge
    # An answer of 5xx, and an address where nobody is, were seen; what was only late may be over.
    seen = code >= 500 or request.failure in _DEFINITE
    return _with(anomaly, status=str(code) if code else "", fault=request.failure, lasted="yes" if seen else "")


#: How a browser says that nobody is there.
_DEFINITE = frozenset({"net::ERR_CONNECTION_REFUSED", "net::ERR_NAME_NOT_RESOLVED", "net::ERR_ADDRESS_UNREACHABLE"})


def _path(request: PageRequest, own: str) -> str:
    parts = urlsplit(request.url)
    return f"{'' if parts.netloc == own else parts.netloc}{parts.path or '/'}"


_REFINERS: tuple[tuple[type, Callable[..., Anomaly | None]], ...] = (
    (DockerReading, _docker),
    (PostgresReading, _postgres),
    (LibvirtReading, _libvirt),
    (SystemReading, _system),
    (WebReading, _web),
    (TlsReading, _tls),
    (NginxReading, _nginx),
    (GroqReading, _groq),
    (ChromeReading, _chrome),
)
