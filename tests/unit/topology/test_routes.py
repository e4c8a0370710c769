"""From a web address down to what answers."""

from __future__ import annotations

import pytest

from debugtui.diagnosis.reach import Reach
from debugtui.model.nginx import Listen, Server
from debugtui.model.source import Kind
from debugtui.model.system import Socket
from debugtui.model.target import Target
from debugtui.model.tls import Certificate, DiskCertificate, TlsReading
from debugtui.model.topology import NodeState
from tests.unit.fakes import START
from tests.unit.topology.parts import (
    below_of,
    built,
    container,
    docker,
    edge,
    host,
    libvirt,
    listening,
    nginx,
    server,
    status,
    system,
    upstream,
    vm,
    web,
    why,
)

TWO_WEBS = """
[[hosts]]
name = "alder"
address = "ssh://alder"
web = [
  {name = "shop", url = "https://shop.test/cart", nginx = "/etc/nginx/nginx.conf"},
  {name = "wiki", url = "http://wiki.test/"},
]
"""


def site(
    *locations: tuple[str, str], ups=(), containers=(), sockets=None, url: str = "http://shop.test:8443/cart", text: str = ""
):
    return built(
        host(
            "alder",
            status("alder", Kind.SYSTEM, system("alder", sockets=sockets)),
            status("alder", Kind.DOCKER, docker(*containers)),
            status("alder", Kind.NGINX, nginx(*ups, servers=(server("shop.test", 8443, *locations),)), "main"),
            status("alder", Kind.WEB, web(url), "shop"),
        ),
        text=text,
    )


def test_an_address_leads_to_the_nginx_that_the_configuration_names() -> None:
    topology = built(
        host(
            "alder",
            status("alder", Kind.NGINX, nginx(servers=(server("other.test", 81),)), "main"),
            status("alder", Kind.WEB, web("https://shop.test/cart"), "shop"),
        ),
        text=TWO_WEBS,
    )
    assert why(topology, "alder/web/shop", "alder/nginx/main") == ("configured: nginx = /etc/nginx/nginx.conf", True)


def test_without_that_the_server_name_decides_and_a_port_alone_is_a_guess() -> None:
    named = site(("/", "http://10.0.0.9:1"))
    assert why(named, "alder/web/shop", "alder/nginx/main")[1] is True
    assert "serves shop.test" in why(named, "alder/web/shop", "alder/nginx/main")[0]
    other = site(("/", "http://10.0.0.9:1"), url="http://else.test:8443/")
    assert why(other, "alder/web/shop", "alder/nginx/main")[1] is False


def test_a_location_leads_over_its_upstream_to_the_container_that_publishes_the_port() -> None:
    cart = container("cart", ports=("127.0.0.1:7001->80/tcp",))
    topology = site(
        ("/", "http://pages"), ("/cart", "http://carts"), ups=(upstream("carts", "127.0.0.1:7001"),), containers=(cart,)
    )
    assert edge(topology, "alder/nginx/main", "alder/nginx/main/carts")
    assert edge(topology, "alder/web/shop", "alder/nginx/main/carts"), "the route of this address is known to the upstream"
    assert why(topology, "alder/nginx/main/carts", "alder/docker/cart") == (
        "upstream carts: 127.0.0.1:7001 is published by cart",
        True,
    )


def test_a_container_in_the_hosts_network_is_known_by_the_process_that_holds_the_port() -> None:
    one, two = container("one", networks=("host",)), container("two", networks=("host",))
    topology = site(
        ("/", "http://app"),
        ups=(upstream("app", "127.0.0.1:9901"),),
        containers=(one, two),
        sockets=(listening(two, 9901),),
    )
    assert below_of(topology, "alder/nginx/main/app") == {"alder/docker/two": True}
    assert "held by srv (10001) of two" in why(topology, "alder/nginx/main/app", "alder/docker/two")[0]


@pytest.mark.parametrize("hint", [{"listens": (9901,)}, {"command": "serve --port 9901"}, {"command": "web -b 0.0.0.0:9901"}])
def test_a_stopped_one_is_guessed_from_what_it_says_it_listens_on(hint: dict) -> None:
    app = container("app", networks=("host",), state="exited", exit_code=137, **hint)
    rest = container("rest", networks=("host",), command="sleep 9901")
    topology = site(("/", "http://app"), ups=(upstream("app", "127.0.0.1:9901", answers=False),), containers=(app, rest))
    assert below_of(topology, "alder/nginx/main/app") == {"alder/docker/app": False}


def test_what_only_says_that_it_listens_is_not_behind_a_port_that_another_one_holds() -> None:
    loops = container("loops", networks=("host",), state="restarting", command="httpd -p 9901")
    other = container("other", networks=("host",))
    topology = site(
        ("/", "http://app"),
        ups=(upstream("app", "127.0.0.1:9901"),),
        containers=(loops, other),
        sockets=(listening(other, 9901),),
    )
    assert below_of(topology, "alder/nginx/main/app") == {"alder/docker/other": True}


def test_a_stopped_one_that_publishes_the_port_is_still_behind_it() -> None:
    app = container("app", state="exited", exit_code=0, published=("0.0.0.0:9901->80/tcp",))
    topology = site(("/", "http://127.0.0.1:9901"), containers=(app,))
    reason, certain = why(topology, "alder/nginx/main", "alder/docker/app")
    assert certain
    assert "published by app, which does not run" in reason
    assert topology.node(Target.parse("alder/docker/app")).state is NodeState.DOWN


def test_an_address_that_nobody_known_listens_on_is_a_thing_of_its_own() -> None:
    topology = site(("/", "http://app"), ups=(upstream("app", "127.0.0.1:9901", answers=False),))
    assert below_of(topology, "alder/nginx/main/app") == {"alder/address/127.0.0.1:9901": True}
    found = topology.node(Target.parse("alder/address/127.0.0.1:9901"))
    assert (found.state, found.says) == (NodeState.DOWN, "accepts no connections")


def test_what_is_outside_is_one_thing_however_many_lead_there() -> None:
    topology = site(("/", "https://api.elsewhere.test/v1"), ("/b", "https://api.elsewhere.test/v2"))
    outside = [node for node in topology.nodes if node.target.host == "external"]
    assert [str(node.target) for node in outside] == ["external/address/api.elsewhere.test:443"]


def test_an_upstream_on_another_host_leads_to_its_container() -> None:
    api = container("api", ports=("0.0.0.0:8100->8100/tcp",))
    topology = built(
        host(
            "alder",
            status(
                "alder",
                Kind.NGINX,
                nginx(upstream("api", "10.3.0.7:8100"), servers=(server("x", 80, ("/", "http://api")),)),
                "main",
            ),
        ),
        host(
            "birch",
            status("birch", Kind.SYSTEM, system("birch", network={"addresses": ("10.3.0.7",)})),
            status("birch", Kind.DOCKER, docker(api)),
        ),
    )
    assert below_of(topology, "alder/nginx/main/api") == {"birch/docker/api": True}


def test_an_address_without_an_nginx_leads_to_the_container_that_publishes_its_port() -> None:
    app = container("app", ports=("0.0.0.0:5601->5601/tcp",))
    topology = built(
        host(
            "alder",
            status("alder", Kind.DOCKER, docker(app)),
            status("alder", Kind.WEB, web("http://127.0.0.1:5601/app"), "panel"),
        )
    )
    assert why(topology, "alder/web/panel", "alder/docker/app") == ("127.0.0.1:5601 is published by app", True)


def test_an_nginx_in_a_container_rests_on_it() -> None:
    edge_box = container("edge", networks=("host",))
    topology = built(
        host(
            "alder",
            status("alder", Kind.SYSTEM, system("alder", sockets=(listening(edge_box, 8080),))),
            status("alder", Kind.DOCKER, docker(edge_box)),
            status("alder", Kind.NGINX, nginx(servers=(server("x", 8080),)), "main"),
        )
    )
    assert edge(topology, "alder/nginx/main", "alder/docker/edge")


def test_a_certificate_file_is_below_the_nginx_that_names_it() -> None:
    path = "/etc/ssl/own/shop.pem"
    certificate = Certificate("shop.test", "CA", ("shop.test",), "1", START, START, 5.0, "f", "EC")
    served = Server(("shop.test",), (Listen("443", 443, tls=True),), certificate=path, key="/k", file="/etc/nginx/x", line=4)
    topology = built(
        host(
            "alder",
            status("alder", Kind.NGINX, nginx(servers=(served,)), "main"),
            status(
                "alder",
                Kind.TLS,
                TlsReading(START, "127.0.0.1:443", "shop.test", disk=DiskCertificate(path, certificate)),
                "shop",
            ),
        )
    )
    assert "ssl_certificate of shop.test (/etc/nginx/x:4)" in why(topology, "alder/nginx/main", f"alder/system/{path}")[0]
    assert topology.node(Target.parse(f"alder/system/{path}")).state is NodeState.DEGRADED


def test_probe_certificate_and_browser_are_sides_of_one_address() -> None:
    broken = TlsReading(START, "127.0.0.1:443", "shop.test", fault="handshake failed")
    topology = built(
        host(
            "alder",
            status("alder", Kind.WEB, web("https://shop.test/"), "shop"),
            status("alder", Kind.TLS, broken, "shop"),
            status("alder", Kind.CHROME, None, "shop"),
        )
    )
    found = [node for node in topology.nodes if node.target.name == "shop"]
    assert [(str(node.target), node.state, node.says) for node in found] == [
        ("alder/web/shop", NodeState.DOWN, "handshake failed")
    ]


def test_an_nginx_in_a_container_reaches_others_by_their_names() -> None:
    gate = container("gate", networks=("web",), ports=("0.0.0.0:8443->8443/tcp",))
    api = container("p-api-1", project="p", service="api", networks=("web",), aliases=("api",))
    stranger = container("api", networks=("other",))
    topology = site(("/", "http://api:3000"), containers=(gate, api, stranger))
    assert below_of(topology, "alder/nginx/main") == {"alder/docker/gate": True, "alder/docker/p-api-1": True}


def test_a_name_that_nothing_resolves_is_guessed_to_be_the_one_that_is_called_so() -> None:
    topology = site(("/", "http://api:3000"), containers=(container("api", networks=("x",)),))
    assert below_of(topology, "alder/nginx/main") == {"alder/docker/api": False}


def test_the_configuration_may_name_the_containers_of_an_address() -> None:
    text = """
    [[hosts]]
    name = "alder"
    address = "ssh://alder"
    web = [{name = "shop", url = "https://cdn.test/", containers = ["front"]}]
    """
    topology = site(containers=(container("front"),), url="https://cdn.test/", text=text)
    assert why(topology, "alder/web/shop", "alder/docker/front")[1] is True


def test_an_address_asked_from_here_is_no_port_of_the_host() -> None:
    text = """
    [[hosts]]
    name = "alder"
    address = "ssh://alder"
    web = [{name = "shop", url = "http://127.0.0.1:8443/", direct = true}]
    """
    assert below_of(site(("/", "x"), url="http://127.0.0.1:8443/", text=text), "alder/web/shop") == {}


def test_a_port_that_a_vms_own_process_holds_leads_to_the_vm() -> None:
    held = Socket("0.0.0.0", 8088, program="qemu-system-x86", pid=5, vm="intra")
    topology = built(
        host(
            "alder",
            status("alder", Kind.SYSTEM, system("alder", sockets=(held,))),
            status("alder", Kind.LIBVIRT, libvirt("alder", vm("intra"), vm("other"))),
            status("alder", Kind.WEB, web("http://127.0.0.1:8088/"), "intranet"),
        )
    )
    assert why(topology, "alder/web/intranet", "alder/libvirt/intra") == (
        "127.0.0.1:8088 is held by the process of the VM intra",
        True,
    )


def test_each_address_of_one_nginx_leads_only_to_what_its_own_location_passes_to() -> None:
    cart, wiki = container("cart", ports=("127.0.0.1:7001->80/tcp",)), container("wiki", ports=("127.0.0.1:7002->80/tcp",))
    servers = (
        server("shop.test", 8443, ("/", ""), ("/cart", "http://127.0.0.1:7001")),
        server("wiki.test", 8443, ("/", "http://127.0.0.1:7002")),
        server("old.test", 8443, ("/", ""), ("@app", "http://127.0.0.1:7002")),
        server("root.test", 8443, ("/api/", "http://127.0.0.1:7002")),
    )
    pages = {"cart": "http://shop.test:8443/cart", "front": "http://shop.test:8443/", "old": "http://old.test:8443/"}
    pages |= {"root": "http://root.test:8443/"}
    topology = built(
        host(
            "alder",
            status("alder", Kind.DOCKER, docker(cart, wiki)),
            status("alder", Kind.NGINX, nginx(servers=servers), "main"),
            *(status("alder", Kind.WEB, web(url), name) for name, url in pages.items()),
        )
    )
    assert "alder/docker/cart" in below_of(topology, "alder/web/cart")
    reach = {name: Reach(topology).below(Target("alder", "web", name)) for name in pages}
    boxes = {name: {str(one) for one in found if one.kind == Kind.DOCKER and one.name} for name, found in reach.items()}
    assert boxes["cart"] == {"alder/docker/cart"}
    assert boxes["front"] == set(), "files go nowhere"
    assert boxes["root"] == set(), "no location is for it: files of the server itself"
    assert boxes["old"] == {"alder/docker/cart", "alder/docker/wiki"}, "a named location may be where it goes on: not known"
    assert all(Target("alder", "nginx", "main") in found for found in reach.values())
