"""What containers, databases and VMs cannot do without."""

from __future__ import annotations

import pytest

from debugtui.model.postgres import Replica
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import NodeState
from tests.unit.topology.parts import (
    below_of,
    built,
    connected,
    container,
    docker,
    edge,
    host,
    libvirt,
    listening,
    mounted,
    pool,
    postgres,
    session,
    status,
    system,
    vm,
    why,
)

DSN = """
[[hosts]]
name = "elm"
address = "ssh://elm"
postgres = [
  {name = "ledger", dsn = "postgresql://watch@127.0.0.1:6001/ledger"},
  {name = "audit", dsn = "postgresql://watch@127.0.0.1:6001/audit"},
]
redis = [{name = "jobs", url = "redis://127.0.0.1:6390/0"}]
"""
GROQ = '[[groq]]\nname = "chat"\nbase_url = "http://127.0.0.1:7777"\napi_key = {env = "X"}\n'


def elm(*containers, ledger=None, sockets=None, text: str = DSN, extra=(), network=None):
    return built(
        host(
            "elm",
            status(
                "elm",
                Kind.SYSTEM,
                system("elm", sockets=sockets, network=network, filesystems=(mounted("/"), mounted("/data", 98))),
            ),
            status("elm", Kind.DOCKER, docker(*containers)),
            status("elm", Kind.POSTGRES, ledger or postgres(), "ledger"),
            status("elm", Kind.POSTGRES, postgres(database="audit"), "audit"),
            *extra,
        ),
        text=text,
    )


def test_a_session_from_a_containers_address_tells_who_uses_the_database() -> None:
    api = container("api", addresses=("172.19.0.4",))
    topology = elm(api, ledger=postgres(session("172.19.0.4:40412")))
    assert why(topology, "elm/docker/api", "elm/postgres/ledger") == (
        "sessions of ledger come from 172.19.0.4, the address of api",
        True,
    )
    assert edge(topology, "elm/docker/api", "elm/postgres/audit") is None


def test_a_session_of_another_database_says_nothing_of_this_one() -> None:
    api = container("api", addresses=("172.19.0.4",))
    topology = elm(api, ledger=postgres(session("172.19.0.4:40412", database="audit")))
    assert edge(topology, "elm/docker/api", "elm/postgres/ledger") is None


@pytest.mark.parametrize("application", ["billing-worker", "billing_worker", "worker"])
def test_in_the_hosts_network_the_name_that_a_session_gives_itself_is_a_guess(application: str) -> None:
    worker = container("billing-worker-1", project="billing", service="worker", networks=("host",))
    topology = elm(worker, ledger=postgres(session("127.0.0.1:5000", application)))
    assert below_of(topology, "elm/docker/billing-worker-1") == {"elm/postgres/ledger": False}


def test_a_process_that_is_connected_tells_the_server_but_not_which_of_its_databases() -> None:
    api, told = (
        container("api", networks=("host",)),
        container("told", networks=("host",), connects=("DB postgresql://x:6001/audit",)),
    )
    topology = elm(api, told, sockets=(connected(api, "127.0.0.1", 6001), connected(told, "127.0.0.1", 6001)))
    assert below_of(topology, "elm/docker/api") == {"elm/postgres/audit": False, "elm/postgres/ledger": False}
    assert below_of(topology, "elm/docker/told")["elm/postgres/audit"] is True
    assert "elm/postgres/ledger" not in below_of(topology, "elm/docker/told")


def test_an_environment_names_the_database_of_several_on_one_server() -> None:
    api = container("api", networks=("host",), connects=("DATABASE_URL postgresql://127.0.0.1:6001/ledger",))
    topology = elm(api)
    assert below_of(topology, "elm/docker/api") == {"elm/postgres/ledger": True}
    assert why(topology, "elm/docker/api", "elm/postgres/ledger")[0].startswith("DATABASE_URL: 127.0.0.1:6001 is where")


def test_a_database_in_a_container_is_reached_by_its_name_and_rests_on_it() -> None:
    api = container(
        "api", networks=("back",), connects=("DATABASE_URL postgresql://db:5432/ledger",), project="p", service="api"
    )
    base = container("p-db-1", networks=("back",), project="p", service="db", ports=("127.0.0.1:6001->5432/tcp",))
    topology = elm(api, base)
    assert edge(topology, "elm/postgres/ledger", "elm/docker/p-db-1")
    assert below_of(topology, "elm/docker/api") == {"elm/docker/p-db-1": True, "elm/postgres/ledger": True}


def test_a_name_leads_only_to_containers_in_a_network_of_both() -> None:
    api = container("api", networks=("front",), connects=("CACHE tcp://db:5432",))
    base = container("db", networks=("back",))
    assert below_of(elm(api, base), "elm/docker/api") == {}


def test_its_own_loopback_leads_a_container_nowhere() -> None:
    api = container("api", networks=("front",), connects=("DATABASE_URL postgresql://127.0.0.1:6001/ledger",))
    assert below_of(elm(api), "elm/docker/api") == {}


def test_by_the_gateways_name_a_container_reaches_its_host() -> None:
    api = container("api", networks=("front",), connects=("DATABASE_URL postgresql://host.docker.internal:6001/ledger",))
    assert below_of(elm(api), "elm/docker/api") == {"elm/postgres/ledger": True}


def test_a_server_that_is_not_watched_is_shown_where_something_needs_it() -> None:
    api = container("api", networks=("front",), connects=("MY mysql://10.9.9.9:3306/old", "SITE http://news.test:80"))
    topology = elm(api)
    assert below_of(topology, "elm/docker/api") == {"external/address/10.9.9.9:3306": True}


def test_a_database_behind_a_name_that_nothing_resolves_is_guessed_by_its_own() -> None:
    api = container("api", networks=("front",), connects=("DATABASE_URL postgresql://primary.db.test:5432/ledger",))
    topology = elm(api)
    assert below_of(topology, "elm/docker/api") == {"elm/postgres/ledger": False}
    assert "is the one database ledger" in why(topology, "elm/docker/api", "elm/postgres/ledger")[0]


def test_compose_says_what_a_service_waits_for() -> None:
    one = container("p-web-1", project="p", service="web", depends_on=("queue", "absent"))
    two = container("p-queue-1", project="p", service="queue")
    other = container("q-queue-1", project="q", service="queue")
    topology = elm(one, two, other)
    assert why(topology, "elm/docker/p-web-1", "elm/docker/p-queue-1") == ("Compose: web of p depends on queue", True)
    assert edge(topology, "elm/docker/p-web-1", "elm/docker/q-queue-1") is None


def test_a_queue_is_below_who_names_it() -> None:
    box = container("worker", networks=("host",), connects=("REDIS_URL redis://localhost:6390/0",))
    topology = elm(box, extra=(status("elm", Kind.REDIS, postgres(), "jobs"),))
    assert below_of(topology, "elm/docker/worker") == {"elm/redis/jobs": True}


def test_a_use_of_the_groq_api_is_known_by_its_address_and_guessed_by_its_key() -> None:
    by_address = container("a", networks=("host",), connects=("GROQ_BASE_URL http://127.0.0.1:7777",))
    by_key = container("b", networks=("host",), connects=("GROQ_API_KEY groq:",))
    groq = host("groq", status("groq", Kind.GROQ, postgres(), "chat"))
    topology = built(host("elm", status("elm", Kind.DOCKER, docker(by_address, by_key))), groq, text=GROQ)
    assert why(topology, "elm/docker/a", "groq/chat") == ("GROQ_BASE_URL names 127.0.0.1:7777", True)
    assert why(topology, "elm/docker/b", "groq/chat")[1] is False


def test_what_answers_for_the_groq_api_on_a_host_is_below_it() -> None:
    proxy = container("proxy", ports=("127.0.0.1:7777->80/tcp",))
    groq = host("groq", status("groq", Kind.GROQ, postgres(), "chat"))
    topology = built(
        host("elm", status("elm", Kind.DOCKER, docker(proxy))),
        groq,
        text=f'[[hosts]]\nname = "elm"\naddress = "ssh://elm"\n{GROQ}via = "elm"\n',
    )
    assert below_of(topology, "groq/chat") == {"elm/docker/proxy": True}


def test_a_use_that_names_its_application_belongs_to_no_other() -> None:
    one, two = (container(name, connects=("GROQ_API_KEY groq:",)) for name in ("one", "two"))
    groq = host("groq", status("groq", Kind.GROQ, postgres(), "chat"))
    text = f'{GROQ}app = {{container = "elm/docker/two"}}\n'
    topology = built(host("elm", status("elm", Kind.DOCKER, docker(one, two))), groq, text=text)
    assert edge(topology, "elm/docker/one", "groq/chat") is None
    assert why(topology, "elm/docker/two", "groq/chat") == ("configured: the application of groq/chat is elm/docker/two", True)


def test_who_is_gone_is_remembered_while_the_database_is_down() -> None:
    api = container("api", networks=("host",))
    lost = status("elm", Kind.POSTGRES, None, "ledger")
    topology = built(
        host(
            "elm",
            status("elm", Kind.SYSTEM, system("elm", sockets=(connected(api, "127.0.0.1", 6001, open=False),))),
            status("elm", Kind.DOCKER, docker(api)),
            lost,
        ),
        text=DSN,
    )
    assert "was connected before" in why(topology, "elm/docker/api", "elm/postgres/ledger")[0]
    assert topology.node(Target.parse("elm/postgres/ledger")).state is NodeState.UNKNOWN


def test_the_server_side_of_a_connection_needs_nobody() -> None:
    api, client = container("api", networks=("host",)), container("client", networks=("host",), listens=(50_000,))
    sockets = (listening(api, 8001), connected(api, "127.0.0.1", 50_000, own=8001))
    assert below_of(elm(api, client, sockets=sockets), "elm/docker/api") == {}


def test_a_database_rests_on_the_filesystem_of_its_data() -> None:
    topology = elm(ledger=postgres(data_directory="/data/pg15/main"))
    assert why(topology, "elm/postgres/ledger", "elm/system//data") == ("its data lies in /data/pg15/main", True)
    assert topology.node(Target.parse("elm/system//data")).state is NodeState.DOWN


def test_a_standby_needs_its_primary() -> None:
    replica = Replica("two", "10.3.0.9:5000", "streaming", "async", 0, None, None, None)
    other = host(
        "oak",
        status("oak", Kind.SYSTEM, system("oak", network={"addresses": ("10.3.0.9",)})),
        status("oak", Kind.POSTGRES, postgres(in_recovery=True), "copy"),
    )
    main = host("elm", status("elm", Kind.POSTGRES, postgres(replicas=(replica,)), "ledger"))
    assert edge(built(main, other), "oak/postgres/copy", "elm/postgres/ledger")


def test_a_standby_may_be_on_the_same_host() -> None:
    replica = Replica("two", "127.0.0.1:5000", "streaming", "async", 0, None, None, None)
    topology = built(
        host(
            "elm",
            status("elm", Kind.POSTGRES, postgres(replicas=(replica,)), "ledger"),
            status("elm", Kind.POSTGRES, postgres(in_recovery=True), "copy"),
        )
    )
    assert below_of(topology, "elm/postgres/copy") == {"elm/postgres/ledger": True}
    assert below_of(topology, "elm/postgres/ledger") == {}


def test_a_vm_rests_on_the_pool_of_its_disk_and_that_on_a_filesystem() -> None:
    topology = built(
        host(
            "metal",
            status("metal", Kind.SYSTEM, system("metal", filesystems=(mounted("/"), mounted("/vms", 92)))),
            status(
                "metal",
                Kind.LIBVIRT,
                libvirt(
                    "metal", vm("a", disk="/vms/pool/a.qcow2"), vm("b", disk="/vms/b.raw"), pools=(pool("fast", "/vms/pool"),)
                ),
            ),
        )
    )
    assert below_of(topology, "metal/libvirt/a") == {"metal/libvirt/pool/fast": True}
    assert below_of(topology, "metal/libvirt/pool/fast") == {"metal/system//vms": True}
    assert below_of(topology, "metal/libvirt/b") == {"metal/system//vms": True}


@pytest.mark.parametrize(
    ("inner", "outer", "certain"),
    [
        ({"network": {"macs": ("52:54:00:aa:00:01",)}}, {}, True),
        ({"network": {"addresses": ("10.8.0.5",)}}, {"network": {"neighbours": (("10.8.0.5", "52:54:00:AA:00:01"),)}}, True),
        ({}, {}, False),
    ],
    ids=["by hardware address", "by address", "by name"],
)
def test_a_host_may_be_the_inside_of_a_vm(inner: dict, outer: dict, certain: bool) -> None:
    topology = built(
        host("guest", status("guest", Kind.SYSTEM, system("guest", **inner))),
        host(
            "metal",
            status("metal", Kind.SYSTEM, system("metal", **outer)),
            status("metal", Kind.LIBVIRT, libvirt("metal", vm("guest", mac="52:54:00:aa:00:01"), vm("other"))),
        ),
    )
    assert below_of(topology, "guest/system") == {"metal/libvirt/guest": certain}


def test_a_client_in_a_vm_that_is_not_watched_inside_is_that_vm() -> None:
    topology = built(
        host(
            "metal",
            status("metal", Kind.SYSTEM, system("metal", network={"neighbours": (("192.168.122.40", "52:54:00:aa:00:02"),)})),
            status("metal", Kind.LIBVIRT, libvirt("metal", vm("app", mac="52:54:00:AA:00:02"))),
            status("metal", Kind.POSTGRES, postgres(session("192.168.122.40:5")), "ledger"),
        )
    )
    assert below_of(topology, "metal/libvirt/app") == {"metal/postgres/ledger": True}
