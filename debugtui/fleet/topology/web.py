"""Routes: from a web address over nginx and its upstreams to what answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from debugtui.config.nginx_names import nginx_files
from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, HostFacts, netloc, target_of
from debugtui.fleet.topology.places import Places, is_address, is_loopback
from debugtui.fleet.topology.things import upstream_target
from debugtui.model.docker import Container
from debugtui.model.nginx import Location, NginxReading, Server, Upstream
from debugtui.model.source import Kind, SourceStatus
from debugtui.model.target import EXTERNAL, Target
from debugtui.model.tls import TlsReading
from debugtui.model.topology import NodeState
from debugtui.sources.nginx.describe import address_of


def add_routes(draft: Draft, facts: Facts, places: Places) -> None:
    """Add what web addresses lead to, and where each nginx passes requests."""
    for host in facts.hosts.values():
        for status in host.statuses(Kind.NGINX):
            if isinstance(status.reading, NginxReading):
                _nginx(draft, host, places, status, status.reading)
        for status in host.statuses(Kind.WEB):
            _web(draft, host, facts, places, status)


# From a web address


def _web(draft: Draft, host: HostFacts, facts: Facts, places: Places, status: SourceStatus) -> None:
    target = target_of(status)
    tables = {web.name: web for web in host.config.web} if host.config is not None else {}
    table = tables.get(status.name)
    url = table.url if table is not None else str(getattr(status.reading, "url", ""))
    at = netloc(url)
    if at is None:
        return
    wanted = table.nginx if table is not None else None
    if wanted is not None and host.config is not None:
        name = next((name for name, path in nginx_files(host.config).items() if path == wanted), "")
        nginx = Target(host.name, Kind.NGINX.value, name)
        _through(draft, facts, places, target, nginx, url, f"configured: nginx = {wanted}")
        return
    for name in table.containers if table is not None else ():
        below = Target(host.name, Kind.DOCKER.value, name)
        draft.edge(target, below, f"configured: containers of {target} names {name}")
    direct = table is not None and table.direct
    found = places.resolve("" if direct else host.name, *at)
    outside = not found.places and found.local is None
    # A public name that nothing here resolves: the address is watched through this host, so its port is looked at.
    elsewhere = direct and is_loopback(at[0])
    guessed = places.at_port(host.name, at[1]) if outside and not elsewhere else found.places
    for place in guessed:
        why, certain = f"{at[0]}:{at[1]} {place.says}", place.certain and not outside
        if place.target.kind == Kind.NGINX:
            served = _through(draft, facts, places, target, place.target, url, why, certain=certain, by_name=outside)
            if served or not outside:
                continue
        draft.edge(target, place.target, why, certain=certain)
    if guessed:
        return
    if found.local is not None:
        says = f"nothing that is watched is known to listen on port {at[1]} of {found.local}"
        below = draft.address(found.local, at[0], at[1], says)
        draft.edge(target, below, f"{at[0]}:{at[1]} leads there")
        draft.edge(below, Target(found.local, Kind.SYSTEM.value), f"it is an address of {found.local}")
    elif not direct:
        draft.edge(target, host.target, f"{at[0]}:{at[1]} is reached through {host.name}", certain=False)


def _through(
    draft: Draft,
    facts: Facts,
    places: Places,
    web: Target,
    nginx: Target,
    url: str,
    why: str,
    *,
    certain: bool = True,
    by_name: bool = False,
) -> bool:
    """Add the way of a web address through an nginx; return whether one of its servers is for that name."""
    reading = _reading_of(facts, nginx)
    server = _server_for(reading, url) if reading is not None else None
    named = server is not None and (urlsplit(url).hostname or "") in server.names
    if by_name and named and server is not None:
        why, certain = f"{nginx} serves {urlsplit(url).hostname} ({server.file}:{server.line})", True
    draft.edge(web, nginx, why, certain=certain)
    if server is None or reading is None:
        return named
    location = _location_for(server.locations, urlsplit(url).path or "/")
    # Where no location is for a path, the server itself answers, from its own files.
    known = location is None or _on(draft, facts, places, web, nginx, reading, server, location, certain=certain or named)
    if known and (certain or named) and _plain(server, location):
        draft.settled.add((web, nginx))
    return named


def _on(
    draft: Draft,
    facts: Facts,
    places: Places,
    web: Target,
    nginx: Target,
    reading: NginxReading,
    server: Server,
    location: Location,
    *,
    certain: bool,
) -> bool:
    """Add where the requests of a web address go on from its nginx; return whether that is known. Files go nowhere."""
    where = f"location {location.path} of {' '.join(server.names) or '_'}"
    passes_to = _passes_to(location)
    if any(upstream.name == passes_to for upstream in reading.upstreams):
        reason = f"{where} passes to the upstream {passes_to}"
        draft.edge(web, upstream_target(nginx, passes_to), reason, certain=certain)
        return True
    if not location.to or location.to.startswith(("/", "answers ")):
        return True
    at, host = address_of(location.to), facts.hosts.get(nginx.host)
    if at is None or host is None or not _is_passed(location):
        return False
    behind = _reach(draft, host, places, web, at, f"{where}: {at[0]}:{at[1]}", within=places.inside(nginx))
    return bool(behind)


def _plain(server: Server, location: Location | None) -> bool:
    """Whether the location, or that there is none, is sure: no regular expression goes before it, no named one after it."""
    exact = location is not None and location.path.startswith("= ")
    return exact or not any(one.path.startswith(("~", "@")) for one in server.locations)


def _reading_of(facts: Facts, nginx: Target) -> NginxReading | None:
    host = facts.hosts.get(nginx.host)
    for status in host.statuses(Kind.NGINX) if host is not None else ():
        if target_of(status) == nginx and isinstance(status.reading, NginxReading):
            return status.reading
    return None


def _server_for(reading: NginxReading, url: str) -> Server | None:
    """Return the server that answers a URL, as nginx chooses: by port, then by name, then the first."""
    at = netloc(url)
    if at is None:
        return None
    on_port = [server for server in reading.servers if any(listen.port == at[1] for listen in server.listens)]
    exact = [server for server in on_port if at[0] in server.names]
    wild = [server for server in on_port if any(_fits(name, at[0]) for name in server.names)]
    return next(iter(exact or wild or on_port), None)


def _fits(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    if pattern.startswith("."):
        return name == pattern[1:] or name.endswith(pattern)
    return pattern.endswith(".*") and name.startswith(pattern[:-1])


def _location_for(locations: Sequence[Location], path: str) -> Location | None:
    """Return the location of a path: an exact one, else the longest prefix. Regular expressions are not judged."""
    best: tuple[int, Location] | None = None
    for location in locations:
        sign, _, prefix = location.path.rpartition(" ")
        if sign.startswith("~"):
            continue
        if sign == "=" and path == prefix:
            return location
        if sign != "=" and path.startswith(prefix) and (best is None or len(prefix) > best[0]):
            best = len(prefix), location
    return best[1] if best is not None else None


def _passes_to(location: Location) -> str:
    """Return the name before the path of what a location passes to: of an upstream, or `host:port`."""
    text = location.to.partition("://")[2] if "://" in location.to else location.to
    return text.partition("/")[0]


# From an nginx


def _nginx(draft: Draft, host: HostFacts, places: Places, status: SourceStatus, reading: NginxReading) -> None:
    target = target_of(status)
    within = places.inside(target)
    used = {_passes_to(location) for server in reading.servers for location in server.locations}
    for upstream in reading.upstreams:
        below = upstream_target(target, upstream.name)
        if upstream.name in used:
            draft.edge(target, below, f"a location passes to the upstream {upstream.name}")
            draft.passing.add((target, below))
        _upstream(draft, host, places, below, upstream, within)
    names = {upstream.name for upstream in reading.upstreams}
    for server, location in _passing(reading):
        at = address_of(location.to)
        if _passes_to(location) in names or at is None:
            continue
        why = f"location {location.path} of {' '.join(server.names) or '_'}: {at[0]}:{at[1]}"
        behind = _reach(draft, host, places, target, at, why, within=within)
        draft.passing.update((target, below) for below in behind)
    _certificates(draft, host, target, reading)


def _passing(reading: NginxReading) -> Iterator[tuple[Server, Location]]:
    for server in reading.servers:
        for location in server.locations:
            if _is_passed(location):
                yield server, location


def _is_passed(location: Location) -> bool:
    """Whether a location passes requests to an address that stands in it."""
    plain = _passes_to(location)
    return "://" in location.to or (":" in plain and not location.to.startswith(("answers ", "/", "unix:")))


def _upstream(
    draft: Draft, host: HostFacts, places: Places, target: Target, upstream: Upstream, within: Container | None
) -> None:
    for server in upstream.servers:
        at = address_of(server.address)
        if server.down or at is None:
            continue
        note = " (backup)" if server.backup else ""
        why = f"upstream {upstream.name}{note}: {server.address}"
        answers = {True: NodeState.OK, False: NodeState.DOWN, None: NodeState.UNKNOWN}[server.answers]
        container = Target(host.name, Kind.DOCKER.value, server.container)
        if server.container and container in draft.nodes and not places.resolve(host.name, *at).places:
            draft.edge(target, container, f"{why} is published by {server.container}")
        else:
            _reach(draft, host, places, target, at, why, answers, within)


def _reach(
    draft: Draft,
    host: HostFacts,
    places: Places,
    above: Target,
    at: tuple[str, int],
    why: str,
    state: NodeState = NodeState.UNKNOWN,
    within: Container | None = None,
) -> tuple[Target, ...]:
    """Add what is behind an address that requests are passed to; the address itself where nothing watched is known there.

    Returns it; empty where nothing is known, not even the address.

    Args:
        draft: the topology so far.
        host: of the nginx.
        places: who is behind an address.
        above: what passes requests.
        at: host and port.
        why: that it does.
        state: whether the address accepts connections.
        within: the container that the nginx runs in; None: on the host itself.
    """
    found = places.resolve(host.name, *at, within)
    behind = found.places or (() if found.local or is_address(at[0]) else places.alike(host.name, at[0]))
    for place in behind:
        draft.edge(above, place.target, f"{why} {place.says}", certain=place.certain)
    if behind or found.inside:
        return tuple(place.target for place in behind)
    if found.local is not None:
        says = "nothing that is watched is known to listen there"
        below = draft.address(found.local, "127.0.0.1" if is_loopback(at[0]) else at[0], at[1], says)
        draft.edge(below, Target(found.local, Kind.SYSTEM.value), f"it is an address of {found.local}")
    else:
        below = draft.address(EXTERNAL, *at, "not watched")
    if state is not NodeState.UNKNOWN:
        draft.become(below, state, "accepts connections" if state is NodeState.OK else "accepts no connections")
    draft.edge(above, below, why)
    return (below,)


def _certificates(draft: Draft, host: HostFacts, target: Target, reading: NginxReading) -> None:
    on_disk = {
        status.reading.disk.path: status.reading.disk
        for status in host.statuses(Kind.TLS)
        if isinstance(status.reading, TlsReading) and status.reading.disk is not None
    }
    for server in reading.servers:
        path = server.certificate
        if not path.startswith("/") or not any(listen.tls for listen in server.listens):
            continue
        below, disk = Target(host.name, Kind.SYSTEM.value, path), on_disk.get(path)
        state, says = NodeState.UNKNOWN, "not read"
        if disk is not None:
            left = disk.certificate.days_left
            wrong = left < 0 or disk.key_matches is False
            state = NodeState.DOWN if wrong else NodeState.DEGRADED if left < 14 else NodeState.OK
            says = f"ends in {left:.0f} days" + (", its key does not fit" if disk.key_matches is False else "")
        draft.add(below, f"certificate {path}", state, says)
        draft.edge(target, below, f"ssl_certificate of {' '.join(server.names) or '_'} ({server.file}:{server.line})")
        draft.edge(below, host.target, f"it lies on {host.name}")
