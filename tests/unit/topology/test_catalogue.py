"""Which service owns what, and who is responsible."""

from __future__ import annotations

from debugtui.fleet.topology.build import build_topology
from debugtui.fleet.topology.catalogue import build_catalogue
from debugtui.model.catalogue import Service
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import NodeState
from tests.unit.topology.parts import (
    below_of,
    built,
    config,
    container,
    docker,
    edge,
    host,
    libvirt,
    nginx,
    postgres,
    server,
    session,
    status,
    system,
    upstream,
    view,
    vm,
    web,
    why,
)

TOOLS = """
[[services]]
name = "tickets"
owner = "Team Blue"
contact = "+33 1 00 00 00 00"
resources = ["oak/web/front", "oak/docker/tickets-api-1", "oak/postgres/tickets"]
depends_on = ["mail"]
runbook = "service-down"
dashboard = "https://graphs.test/d/1"
[[services]]
name = "mail"
resources = ["oak/docker/postfix"]
"""


def services(*hosts, text: str = "") -> dict[str, Service]:
    made = config(text)
    topology = build_topology(view(*hosts), made)
    return {service.name: service for service in build_catalogue(view(*hosts), made, topology).services}


def oak(*containers, sources=()):
    return host("oak", status("oak", Kind.DOCKER, docker(*containers)), *sources)


def compose(name: str, project: str, service: str, **changes: object):
    return container(name, project=project, service=service, **changes)


def targets(service: Service) -> list[str]:
    return [str(target) for target in service.resources]


def test_a_compose_project_is_a_service_with_what_only_it_uses() -> None:
    api = compose("tickets-api-1", "tickets", "api", addresses=("172.20.0.2",), ports=("0.0.0.0:8000->8000/tcp",))
    other = compose("wiki-app-1", "wiki", "app", addresses=("172.20.0.3",))
    sources = (
        status("oak", Kind.POSTGRES, postgres(session("172.20.0.2:1")), "own"),
        status("oak", Kind.POSTGRES, postgres(session("172.20.0.2:1"), session("172.20.0.3:1")), "shared"),
        status(
            "oak",
            Kind.NGINX,
            nginx(upstream("api", "127.0.0.1:8000"), servers=(server("t.test", 80, ("/", "http://api")),)),
            "main",
        ),
        status("oak", Kind.WEB, web("http://t.test/"), "front"),
    )
    found = services(oak(api, other, sources=sources))
    assert targets(found["tickets"]) == [
        "oak/web/front",
        "oak/nginx/main",
        "oak/nginx/main/api",
        "oak/docker/tickets-api-1",
        "oak/postgres/own",
    ]
    assert targets(found["wiki"]) == ["oak/docker/wiki-app-1"]
    assert found["tickets"].origins == ("Compose project tickets on oak",)


def test_labels_say_who_is_responsible_and_a_label_names_a_service_without_compose() -> None:
    labels = (
        ("contact", "#ops"),
        ("dashboard", "https://g.test"),
        ("owner", "Team Red"),
        ("runbook", "database"),
        ("service", "billing"),
    )
    found = services(
        oak(container("one", labels=labels), container("two", labels=(("owner", "Someone else"), ("service", "billing"))))
    )
    billing = found["billing"]
    assert (billing.owner, billing.contact, billing.runbook, billing.dashboard) == (
        "Team Red",
        "#ops",
        "database",
        "https://g.test",
    )
    assert targets(billing) == ["oak/docker/one", "oak/docker/two"]
    assert "label debugtui.owner of one" in billing.origins


def test_the_configuration_completes_what_is_found_and_goes_before_labels() -> None:
    api = compose("tickets-api-1", "tickets", "api", labels=(("owner", "nobody"), ("contact", "none")))
    worker = compose("tickets-worker-1", "tickets", "worker")
    found = services(oak(api, worker, container("postfix")), text=TOOLS)
    tickets = found["tickets"]
    assert (tickets.owner, tickets.contact, tickets.runbook) == ("Team Blue", "+33 1 00 00 00 00", "service-down")
    assert targets(tickets) == [
        "oak/web/front",
        "oak/docker/tickets-api-1",
        "oak/postgres/tickets",
        "oak/docker/tickets-worker-1",
    ]
    assert tickets.configured
    assert tickets.depends_on == ("mail",)


def test_what_another_service_is_given_by_hand_is_not_the_projects() -> None:
    text = '[[services]]\nname = "search"\nresources = ["oak/docker/tickets-index-1"]\n'
    found = services(oak(compose("tickets-api-1", "tickets", "api"), compose("tickets-index-1", "tickets", "index")), text=text)
    assert targets(found["tickets"]) == ["oak/docker/tickets-api-1"]
    assert targets(found["search"]) == ["oak/docker/tickets-index-1"]


def test_resources_follow_each_other_where_nothing_stronger_is_known() -> None:
    api = compose("tickets-api-1", "tickets", "api")
    topology = built(oak(api, container("postfix")), text=TOOLS)
    reason, certain = why(topology, "oak/web/front", "oak/docker/tickets-api-1")
    assert (reason, certain) == ("configured: the service tickets passes from oak/web/front to oak/docker/tickets-api-1", True)
    assert edge(topology, "oak/docker/tickets-api-1", "oak/postgres/tickets")
    assert why(topology, "oak/web/front", "oak/docker/postfix")[0] == "configured: the service tickets depends on mail"
    missing = topology.node(Target.parse("oak/postgres/tickets"))
    assert (missing.state, missing.says) == (NodeState.UNKNOWN, "the service tickets names it; it was not found")


def test_what_is_known_already_gets_no_second_way_and_none_against_it() -> None:
    text = '[[services]]\nname = "s"\nresources = ["oak/postgres/base", "oak/docker/app"]\n'
    topology = built(
        oak(
            container("app", addresses=("172.20.0.2",)),
            sources=(status("oak", Kind.POSTGRES, postgres(session("172.20.0.2:1")), "base"),),
        ),
        text=text,
    )
    assert edge(topology, "oak/docker/app", "oak/postgres/base")
    assert edge(topology, "oak/postgres/base", "oak/docker/app") is None


def test_databases_and_apis_pass_nothing_on() -> None:
    text = """
    [[groq]]
    name = "ai"
    [[services]]
    name = "s"
    resources = ["oak/web/f", "oak/docker/app", "oak/postgres/base", "groq/ai", "oak/redis/q", "oak/docker/late"]
    """
    topology = built(oak(container("app"), container("late")), text=text)
    assert {str(one.above) for one in topology.edges if str(one.below) in ("groq/ai", "oak/redis/q", "oak/docker/late")} == {
        "oak/docker/app"
    }
    assert below_of(topology, "oak/postgres/base") == {}


def test_who_shares_an_nginx_is_no_other_services_dependency() -> None:
    text = """
    [[services]]
    name = "one"
    resources = ["oak/web/one", "oak/nginx/main", "oak/docker/a"]
    [[services]]
    name = "two"
    resources = ["oak/web/two", "oak/nginx/main", "oak/docker/b"]
    """
    ups = (upstream("a", "127.0.0.1:8001"), upstream("b", "127.0.0.1:8002"))
    sites = (server("a.test", 80, ("/", "http://a")), server("b.test", 80, ("/", "http://b")))
    boxes = (container("a", ports=("0.0.0.0:8001->80/tcp",)), container("b", ports=("0.0.0.0:8002->80/tcp",)))
    sources = (
        status("oak", Kind.NGINX, nginx(*ups, servers=sites), "main"),
        status("oak", Kind.WEB, web("http://a.test/more"), "more"),
    )
    found = services(oak(*boxes, sources=sources), text=text)
    assert (found["one"].depends_on, found["two"].depends_on) == ((), ())
    assert "oak/web/more" in targets(found["one"])
    assert "oak/web/more" not in targets(found["two"])


def test_twins_are_one_stop_of_the_way() -> None:
    text = '[[services]]\nname = "s"\nresources = ["oak/web/f", "oak/docker/a", "oak/docker/b", "oak/docker/base"]\n'
    twins = (container("a", image_id="sha256:1"), container("b", image_id="sha256:1"))
    topology = built(oak(*twins, container("base"), sources=(status("oak", Kind.WEB, web("http://f.test"), "f"),)), text=text)
    assert edge(topology, "oak/docker/a", "oak/docker/b") is None
    assert all(edge(topology, f"oak/docker/{name}", "oak/docker/base") for name in "ab")


def test_a_service_owns_the_vm_that_only_it_runs_in() -> None:
    found = services(
        host(
            "inner",
            status("inner", Kind.SYSTEM, system("inner")),
            status("inner", Kind.DOCKER, docker(compose("x-a-1", "x", "a"))),
        ),
        host(
            "metal",
            status("metal", Kind.SYSTEM, system("metal")),
            status("metal", Kind.LIBVIRT, libvirt("metal", vm("inner"), vm("idle"))),
        ),
    )
    assert targets(found["x"]) == ["inner/docker/x-a-1", "metal/libvirt/inner"]


def test_the_state_of_a_service_is_that_of_its_worst_part_and_nothing_known_is_unknown() -> None:
    found = services(
        oak(compose("a-1", "a", "x"), compose("a-2", "a", "y", state="exited", exit_code=3)),
        text='[[services]]\nname = "empty"\n',
    )
    assert (found["a"].state, found["a"].says) == (NodeState.DOWN, "oak/docker/a-2: exited, exit code 3")
    assert (found["empty"].state, found["empty"].resources) == (NodeState.UNKNOWN, ())


def test_what_no_service_owns_is_told() -> None:
    hosts = (oak(compose("a-1", "a", "x"), container("stray")),)
    topology = build_topology(view(*hosts), config())
    catalogue = build_catalogue(view(*hosts), config(), topology)
    assert [str(target) for target in catalogue.unplaced] == ["oak/docker/stray"]
    assert topology.node(Target.parse("oak/docker/a-1")).services == ("a",)
    assert below_of(topology, "oak/docker/stray") == {}
