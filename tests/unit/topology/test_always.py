"""What holds for every topology, whatever is read."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.fleet.topology.build import build_topology
from debugtui.fleet.topology.catalogue import build_catalogue
from debugtui.fleet.topology.tree import tree_of
from debugtui.fleet.topology.walk import Walk
from debugtui.model.alerts import Severity
from debugtui.model.docker import Container
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState
from debugtui.model.system import HostNetwork
from debugtui.model.target import Target
from debugtui.model.topology import NodeState, Topology
from tests.unit.topology.parts import (
    config,
    connected,
    container,
    docker,
    host,
    libvirt,
    listening,
    nginx,
    pool,
    postgres,
    server,
    session,
    status,
    system,
    upstream,
    view,
    vm,
    web,
)

NAMES = st.sampled_from(["a", "b", "web-1", "a/b", "kvm/system", "[@click=app.quit]x[/]", "x\x1b[31my", "\u202eevil", "é", ""])
HOSTS = ("kvm", "b")
PORTS = st.integers(8000, 8004)
CONNECTS = st.sampled_from(
    [
        "U postgresql://a:8001/l",
        "R redis://127.0.0.1:8002/0",
        "G groq:",
        "H http://b:8003",
        "E tcp://10.0.0.9:1",
        "junk",
        "X y://[",
        "Z tcp://h:99999",
    ]
)
SERVICES = """
[[services]]
name = "s"
resources = ["kvm/docker/a", "b/docker/b", "kvm/docker/a", "gone/postgres/x"]
depends_on = ["t"]
[[services]]
name = "t"
resources = ["b/docker/b", "kvm/docker/a"]
depends_on = ["s"]
[[hosts]]
name = "kvm"
address = "local"
postgres = [{name = "a", dsn = "postgresql://w@127.0.0.1:8001/l"}]
web = [{name = "a", url = "http://b:8000/", nginx = "/etc/nginx/nginx.conf"}]
"""

CONTAINERS = st.builds(
    container,
    NAMES.filter(bool),
    project=st.sampled_from(["", "p", "q"]),
    service=st.sampled_from(["a", "b"]),
    networks=st.sampled_from([("host",), ("n",), ()]),
    state=st.sampled_from(["running", "exited", "restarting", "paused", "?"]),
    ports=st.tuples(PORTS.map(lambda port: f"0.0.0.0:{port}->80/tcp")),
    listens=st.tuples(PORTS),
    addresses=st.sampled_from([("172.17.0.2",), ("172.17.0.3",), ()]),
    connects=st.lists(CONNECTS, max_size=3).map(tuple),
    depends_on=st.sampled_from([("a",), ("b", "a"), ()]),
    labels=st.sampled_from([(), (("service", "S"),), (("owner", "[b]x[/]"),)]),
)
FRESHNESS = st.sampled_from(list(Freshness))


@st.composite
def hosts(draw: st.DrawFn, name: str) -> HostView:
    boxes = tuple({one.name: one for one in draw(st.lists(CONTAINERS, max_size=4))}.values())
    sockets = tuple(listening(one, draw(PORTS)) for one in boxes) + tuple(
        connected(one, "127.0.0.1", draw(PORTS)) for one in boxes
    )
    network = HostNetwork(draw(st.sampled_from([("10.0.0.1",), ("10.0.0.2",)])), (), (), draw(st.sampled_from([sockets, None])))
    ups = tuple(upstream(up, f"127.0.0.1:{draw(PORTS)}", "10.0.0.1:8002") for up in ("a", "u"))
    sources = [
        status(name, Kind.SYSTEM, replace(system(draw(st.sampled_from(HOSTS))), network=network), freshness=draw(FRESHNESS)),
        status(name, Kind.DOCKER, docker(*boxes), freshness=draw(FRESHNESS)),
        status(
            name, Kind.POSTGRES, postgres(session("172.17.0.2:1", "a"), session("127.0.0.1:5", "b"), session("?", "é")), "a"
        ),
        status(
            name, Kind.LIBVIRT, libvirt(name, *(vm(one) for one in HOSTS), pools=(pool("a", "/"),)), freshness=draw(FRESHNESS)
        ),
        status(name, Kind.NGINX, nginx(*ups, servers=(server("b", 8000, ("/", "http://u"), ("~ x", "fastcgi:9")),)), "main"),
        status(name, Kind.WEB, web("http://b:8000/"), "a"),
        status(name, Kind.PROMETHEUS, None, "main"),
    ]
    return host(name, *draw(st.permutations(sources)), link=draw(st.sampled_from([LinkState.UP, LinkState.UP, LinkState.LOST])))


FLEETS = st.tuples(*(hosts(name) for name in HOSTS))


def shuffled(fleet: tuple[HostView, ...], seed: int) -> FleetView:
    chance = random.Random(seed)

    def mixed(many):
        return tuple(chance.sample(many, len(many)))

    def source(one):
        reading = one.reading
        if one.kind is Kind.DOCKER:
            reading = replace(reading, containers=mixed(reading.containers))
        elif one.kind is Kind.LIBVIRT:
            reading = replace(reading, vms=mixed(reading.vms), pools=mixed(reading.pools))
        elif one.kind is Kind.POSTGRES:
            reading = replace(reading, sessions=mixed(reading.sessions))
        return replace(one, reading=reading)

    return view(*mixed([replace(one, sources=mixed([source(each) for each in one.sources])) for one in fleet]))


@settings(deadline=None, max_examples=60)
@given(FLEETS, st.integers(0, 5))
def test_it_is_whole_and_does_not_depend_on_the_order(fleet: tuple[HostView, ...], seed: int) -> None:
    made = config(SERVICES)
    topology = build_topology(view(*fleet), made)
    targets = [node.target for node in topology.nodes]
    assert len(set(targets)) == len(targets)
    pairs = [(edge.above, edge.below) for edge in topology.edges]
    assert len(set(pairs)) == len(pairs)
    assert {end for pair in pairs for end in pair} <= set(targets)
    assert all(above != below for above, below in pairs)
    assert all(edge.why for edge in topology.edges)
    assert build_topology(shuffled(fleet, seed), made) == topology
    assert build_catalogue(shuffled(fleet, seed), made, topology) == build_catalogue(view(*fleet), made, topology)


@settings(deadline=None, max_examples=60)
@given(FLEETS)
def test_nothing_that_is_lost_is_ok_and_text_from_outside_is_safe(fleet: tuple[HostView, ...]) -> None:
    topology = build_topology(view(*fleet), config(SERVICES))
    lost = {
        (one.name, source.kind.value)
        for one in fleet
        for source in one.sources
        if source.freshness in (Freshness.LOST, Freshness.STALE) or (source.kind is Kind.SYSTEM and one.link.down)
    }
    for node in topology.nodes:
        if (node.target.host, node.target.kind) in lost and not node.title.startswith(("certificate", "filesystem")):
            assert node.state is not NodeState.OK, node
        assert (node.title + node.says).isprintable()
    assert all(edge.why.isprintable() for edge in topology.edges)


@settings(deadline=None, max_examples=40)
@given(FLEETS)
def test_the_tree_shows_everything_that_hangs_together_in_full_once(fleet: tuple[HostView, ...]) -> None:
    topology = build_topology(view(*fleet), config(SERVICES))
    branches = list(tree_of(topology))
    assert len({branch.key for branch in branches}) == len(branches)
    walk = Walk(topology)
    placed = {node.target for node in topology.nodes if walk.below(node.target) or walk.above(node.target)}
    assert {branch.node.target for branch in branches} == placed
    full = [branch.node.target for branch in branches if not branch.again and walk.below(branch.node.target)]
    assert len(set(full)) == len(full)


@settings(deadline=None, max_examples=40)
@given(FLEETS)
def test_ways_are_chains_of_edges_and_end_in_circles_too(fleet: tuple[HostView, ...]) -> None:
    topology = build_topology(view(*fleet), config(SERVICES))
    walk = Walk(topology)
    for node in topology.nodes:
        for end, way in walk.ways_down(node.target).items():
            assert way[0].above == node.target
            assert way[-1].below == end
            assert all(one.below == other.above for one, other in pairwise(way))
            assert node.target in walk.ways_up(end)


def test_a_hostile_name_changes_nothing_but_its_own_node() -> None:
    def place(*more: Container) -> Topology:
        api = container("api", networks=("host",), connects=("D postgresql://127.0.0.1:6001/ledger",))
        return build_topology(
            view(
                host("kvm", status("kvm", Kind.SYSTEM, system("kvm")), status("kvm", Kind.DOCKER, docker(api, *more))),
                host("b", status("b", Kind.DOCKER, docker(container("api")))),
            ),
            config(),
        )

    hostile = [
        container("b/docker/api", command="[@click=app.quit]x[/]", connects=("[b]X[/b] tcp://evil",)),
        container("../b/system", labels=(("owner", "[@click=app.quit]me[/]"), ("service", "api"))),
        container("kvm/system"),
        container("pool/default"),
    ]
    before, after = place(), place(*hostile)
    own = {Target("kvm", "docker", one.name) for one in hostile}
    assert [node for node in after.nodes if node.target not in own] == list(before.nodes)
    assert [edge for edge in after.edges if edge.above not in own and edge.below not in own] == list(before.edges)


def test_severities_of_rules_worsen_what_is_known_and_nothing_else() -> None:
    one = view(
        host("a", status("a", Kind.SYSTEM, system("a"))),
        host("b", status("b", Kind.SYSTEM, system("b")), link=LinkState.LOST),
    )
    worst = {Target("a", "system"): Severity.CRITICAL, Target("b", "system"): Severity.CRITICAL}
    found = {str(node.target): node.state for node in build_topology(one, config(), worst).nodes}
    assert found == {"a/system": NodeState.DOWN, "b/system": NodeState.UNKNOWN}


def test_anything_belongs_to_a_node() -> None:
    topology = build_topology(
        view(
            host(
                "a",
                status("a", Kind.SYSTEM, system("a")),
                status("a", Kind.POSTGRES, postgres(), "x"),
                status("a", Kind.WEB, web("http://a"), "w"),
                status("a", Kind.NGINX, nginx(upstream("u", "1.2.3.4:5")), "main"),
            )
        ),
        config(),
    )
    walk = Walk(topology)
    ways = {
        "a/postgres/x/4711": "a/postgres/x",
        "a/system/nginx.service": "a/system",
        "a/tls/w": "a/web/w",
        "a/chrome/w/0": "a/web/w",
        "a/nginx/main/u": "a/nginx/main/u",
        "a/nginx/main/0.0.0.0:80": "a/nginx/main",
        "a/journal": "a/system",
        "a/redis/none": "a/system",
    }
    assert {text: str(walk.home(Target.parse(text))) for text in ways} == ways
    assert walk.home(Target("nowhere", "docker", "x")) is None


def test_a_thousand_things_are_each_placed_once() -> None:
    fleet = []
    for number in range(20):
        name = f"kvm-{number:02}"
        boxes = [
            container(
                f"c{at}", project=f"p{at // 10}", service=f"s{at}", networks=("host",) if at % 2 else (f"n{at // 10}",),
                ports=(f"0.0.0.0:{9000 + at}->80/tcp",), addresses=(f"172.17.0.{at}",), depends_on=(f"s{at - 1}",),
                connects=("D postgresql://127.0.0.1:6001/ledger", f"N tcp://s{at - 1}:80"),
            )
            for at in range(30)
        ]  # fmt: skip
        ups = [upstream(f"u{at}", f"127.0.0.1:{9000 + at}") for at in range(5)]
        fleet.append(
            host(
                name,
                status(
                    name, Kind.SYSTEM, system(name, sockets=tuple(listening(one, 7000 + at) for at, one in enumerate(boxes)))
                ),
                status(name, Kind.DOCKER, docker(*boxes)),
                status(name, Kind.LIBVIRT, libvirt(name, *(vm(f"v{at}", disk=f"/v/{at}") for at in range(9)))),
                status(
                    name,
                    Kind.NGINX,
                    nginx(*ups, servers=(server("x", 80, *((f"/{at}", f"http://u{at}") for at in range(5))),)),
                    "main",
                ),
                status(name, Kind.POSTGRES, postgres(*(session(f"172.17.0.{at}:1", f"s{at}") for at in range(30))), "ledger"),
                status(name, Kind.WEB, web("http://x/"), "w"),
            )
        )
    whole, made = view(*fleet), config()
    topology = build_topology(whole, made)
    assert len(topology.nodes) >= 1000
    assert len({node.target for node in topology.nodes}) == len(topology.nodes)
