"""What containers cannot do without: their engine, each other, databases, queues, the Groq API."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from debugtui.fleet.topology.draft import Draft
from debugtui.fleet.topology.facts import Facts, HostFacts, netloc
from debugtui.fleet.topology.hints import Hint, hints_of
from debugtui.fleet.topology.listeners import this_machine
from debugtui.fleet.topology.places import Place, Places, is_address, is_loopback
from debugtui.fleet.topology.things import add_filesystem
from debugtui.model.docker import Container
from debugtui.model.source import Kind
from debugtui.model.target import EXTERNAL, GROQ, Target

_DATABASES = ("postgresql", "mysql", "mongodb")
_KINDS = {"postgresql": Kind.POSTGRES, "redis": Kind.REDIS, "rediss": Kind.REDIS, "amqp": Kind.RABBITMQ, "amqps": Kind.RABBITMQ}
#: Schemes whose other end explains something even where it is not watched.
_WORTH = (*_DATABASES, "redis", "rediss", "amqp", "amqps")


def add_containers(draft: Draft, facts: Facts, places: Places) -> None:
    """Add what the containers of every host need."""
    for host in facts.hosts.values():
        engine = host.engine
        draft.edge(engine, host.target, f"the engine runs on {host.name}")
        if host.docker is not None and host.docker.root_dir:
            below = add_filesystem(draft, host, host.docker.root_dir)
            if below is not None:
                draft.edge(engine, below, f"its images and containers lie in {host.docker.root_dir}")
        for container in host.containers:
            target = host.container_target(container)
            draft.edge(target, engine, f"the Docker engine of {host.name} runs it")
            draft.edge(target, host.target, f"it runs on {host.name}")
        _compose(draft, host)
        hints = {container.id: tuple(hints_of(container)) for container in host.containers}
        _sockets(draft, facts, host, places, hints)
        for container in host.containers:
            for hint in hints[container.id]:
                _hint(draft, facts, places, host, container, hint)
    _applications(draft, facts)


def _compose(draft: Draft, host: HostFacts) -> None:
    by_service: dict[tuple[str, str], list[Container]] = defaultdict(list)
    for container in host.containers:
        by_service[container.project, container.service].append(container)
    for container in host.containers:
        for service in container.depends_on if container.project else ():
            for other in by_service.get((container.project, service), ()):
                why = f"Compose: {container.service} of {container.project} depends on {service}"
                draft.edge(host.container_target(container), host.container_target(other), why)


def _sockets(draft: Draft, facts: Facts, host: HostFacts, places: Places, hints: Mapping[str, Sequence[Hint]]) -> None:
    """Add the connections that processes of containers hold."""
    by_id = {container.id: container for container in host.containers}
    serving = {(socket.container, socket.port) for socket in host.sockets if not socket.peer_port}
    for socket in host.sockets:
        container = by_id.get(socket.container)
        if container is None or not socket.peer_port or (socket.container, socket.port) in serving:
            continue
        above = host.container_target(container)
        verb = "is connected" if socket.open else "was connected before"
        found = places.resolve(host.name, socket.peer, socket.peer_port, container).places
        names = (hint.database for hint in hints[container.id] if hint.port == socket.peer_port and hint.database)
        hint = Hint("", "tcp", socket.peer, socket.peer_port, next(names, ""))
        for place in _of_database(found, facts, hint):
            why = f"a process of {container.name} {verb} to {socket.peer}:{socket.peer_port}, which {place.says}"
            draft.edge(above, place.target, why, certain=place.certain)


def _hint(draft: Draft, facts: Facts, places: Places, host: HostFacts, container: Container, hint: Hint) -> None:
    above = host.container_target(container)
    if hint.scheme == GROQ or _is_groq(facts, hint):
        _groq(draft, facts, above, hint)
        if hint.scheme == GROQ:
            return
    if hint.host.startswith("/"):
        _unix(draft, host, above, hint, places)
        return
    if not hint.port or not hint.host:
        return
    found = places.resolve(host.name, hint.host, hint.port, container)
    if found.inside:
        return
    for place in _of_database(found.places, facts, hint):
        draft.edge(above, place.target, f"{hint.variable}: {hint.address} {place.says}", certain=place.certain)
        _server_behind(draft, places, above, place, hint, facts)
    guessed = () if found.places or found.local else _alike(facts, places, host, container, hint)
    for place in guessed:
        draft.edge(above, place.target, f"{hint.variable}: {hint.address} {place.says}", certain=False)
    if not found.places and not guessed and hint.scheme in _WORTH:
        where = found.local or EXTERNAL
        says = "nothing that is watched is known to listen there" if found.local else "not watched"
        below = draft.address(where, "127.0.0.1" if is_loopback(hint.host) else hint.host, hint.port, says)
        draft.edge(above, below, f"{hint.variable} names {hint.address}")
        if found.local:
            draft.edge(below, Target(found.local, Kind.SYSTEM.value), f"it is an address of {found.local}")


def _alike(facts: Facts, places: Places, host: HostFacts, container: Container, hint: Hint) -> tuple[Place, ...]:
    """Return what is called as what a variable names, where nothing here resolves the address: a guess."""
    if is_address(hint.host):
        return ()
    wanted = hint.database if hint.scheme == "postgresql" else ""
    databases = [target for target, name in facts.database_names.items() if wanted and name == wanted]
    near = [target for target in databases if target.host == host.name] or databases
    if len(near) == 1:
        return (Place(near[0], f"is not known, but {near[0]} is the one database {wanted}", False),)
    # In a network of its own it would have been found by its name.
    return places.alike(host.name, hint.host) if container.in_host_network else ()


def _server_behind(draft: Draft, places: Places, above: Target, place: Place, hint: Hint, facts: Facts) -> None:
    """Add the database or queue that is read in the container that a container names: it is the same server."""
    if place.target.kind != Kind.DOCKER:
        return
    kind = _KINDS.get(hint.scheme)
    served = tuple(
        Place(target, f"{place.says}, in which {target} is read", place.certain)
        for target in places.read_in(place.target)
        if target.kind == kind
    )
    for one in _of_database(served, facts, hint) if served else ():
        draft.edge(above, one.target, f"{hint.variable}: {hint.address} {one.says}", certain=one.certain)


def _of_database(found: tuple[Place, ...], facts: Facts, hint: Hint) -> tuple[Place, ...]:
    """Return, of several databases of one server, the one that is named; where none is, each of them as a guess."""
    databases = [place for place in found if place.target.kind == Kind.POSTGRES]
    if not databases or hint.scheme not in ("postgresql", "tcp"):
        return found
    rest = tuple(place for place in found if place.target.kind != Kind.POSTGRES)
    named = [place for place in databases if hint.database and hint.database == facts.database_names.get(place.target)]
    if named:
        return (*rest, *named)
    return (
        *rest,
        *(place._replace(certain=place.certain and len(databases) == 1 and not hint.database) for place in databases),
    )


def _unix(draft: Draft, host: HostFacts, above: Target, hint: Hint, places: Places) -> None:
    """Add the database whose UNIX socket is named; its port is part of the socket's name."""
    for place in places.at_port(host.name, hint.port or 5432):
        if place.target.kind == Kind.POSTGRES:
            why = f"{hint.variable} names the socket of port {hint.port or 5432} in {hint.host}"
            draft.edge(above, place.target, why, certain=False)


# The Groq API


def _is_groq(facts: Facts, hint: Hint) -> bool:
    return hint.scheme in ("http", "https") and any(netloc(use.base_url) == (hint.host, hint.port) for use in facts.config.groq)


def _groq(draft: Draft, facts: Facts, above: Target, hint: Hint) -> None:
    """Add the use of the API that a container's environment tells of: by its address, or by the name of its key."""
    by_key = hint.scheme == GROQ
    fitting = [
        use
        for use in facts.config.groq
        if (by_key and use.app is not None and use.app.key == hint.variable)
        or (not by_key and netloc(use.base_url) == (hint.host, hint.port))
    ] or (list(facts.config.groq) if by_key else [])
    # A use that names another container as its application is not this one's.
    named = [use for use in fitting if not (others := _named_by(use)) or str(above) in others]
    for use in named:
        target = Target(GROQ, GROQ, use.name)
        why = f"{hint.variable} is in its environment" if by_key else f"{hint.variable} names {hint.address}"
        draft.edge(above, target, why, certain=len(named) == 1 and not by_key)


def _named_by(use: object) -> set[str]:
    places = (getattr(use, "logs", None), getattr(use, "app", None))
    return {place.container for place in places if place is not None and place.container}


def add_groq(draft: Draft, facts: Facts, places: Places) -> None:
    """Add what answers for the Groq API where that is no stranger: a proxy, or a container."""
    for use in facts.config.groq:
        at = netloc(use.base_url)
        if at is None:
            continue
        for place in places.resolve(use.via or this_machine(facts) or "", *at).places:
            why = f"its base_url {at[0]}:{at[1]} {place.says}"
            draft.edge(Target(GROQ, GROQ, use.name), place.target, why, certain=place.certain)


def _applications(draft: Draft, facts: Facts) -> None:
    for use in facts.config.groq:
        below = Target(GROQ, GROQ, use.name)
        for text in sorted(_named_by(use)):
            draft.edge(Target.parse(text), below, f"configured: the application of groq/{use.name} is {text}")
