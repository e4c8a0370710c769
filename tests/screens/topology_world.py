"""Two hosts, one the inside of a VM of the other, that serve a shop: something of each kind, and something wrong."""

from __future__ import annotations

from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.model.postgres import LockNode
from debugtui.model.source import Kind, Problem
from debugtui.model.target import GROQ
from debugtui.sources.base import SourceError
from tests.screens import outer_world
from tests.unit.fakes import FakeClock, FakeLink, FakeSource
from tests.unit.topology.parts import (
    config,
    connected,
    container,
    docker,
    libvirt,
    listening,
    mounted,
    nginx,
    pool,
    postgres,
    server,
    session,
    system,
    upstream,
    vm,
    web,
)

CONFIG = config("""
[[hosts]]
name = "shop-01"
address = "ssh://ops@10.8.0.5"
postgres = [{name = "orders", dsn = "postgresql://watch@127.0.0.1:6001/orders"}]
redis = [{name = "jobs", url = "redis://127.0.0.1:6390/0"}]
web = [
  {name = "front", url = "https://shop.example.org/", nginx = "/etc/nginx/nginx.conf"},
  {name = "admin", url = "http://127.0.0.1:9090/"},
]
[[hosts]]
name = "kvm-07"
address = "ssh://ops@kvm-07"
[[groq]]
name = "assistant"
base_url = "https://api.groq.com"
[[services]]
name = "shop"
owner = "Team Checkout"
contact = "+49 30 123456"
resources = ["shop-01/web/front", "shop-01/docker/shop-api-1"]
runbook = "service-down"
dashboard = "https://graphs.example.org/d/shop"
depends_on = ["mail"]
[[services]]
name = "mail"
resources = ["kvm-07/libvirt/mail-01"]
""")

API = container(
    "shop-api-1", project="shop", service="api", networks=("host",), depends_on=("worker",), status="Up 3 days",
    connects=("DATABASE_URL postgresql://127.0.0.1:6001/orders", "GROQ_API_KEY groq:"),
)  # fmt: skip
WORKER = container(
    "shop-worker-1", project="shop", service="worker", networks=("host",), depends_on=("api",), looping=True, exit_code=3,
    state="restarting", connects=("REDIS_URL redis://localhost:6390/0",),
)  # fmt: skip
ADMIN = container(
    "admin", ports=("127.0.0.1:9090->80/tcp",), addresses=("172.17.0.2",), status="Up 2 weeks",
    labels=(("service", "back office"), ("owner", "[@click=app.quit]Team Ops[/]"), ("contact", "#ops")),
)  # fmt: skip
STRAY = container("old-import", state="exited", exit_code=0, restart_policy="no")
LOCK = LockNode(77, 0, None, "api", "app", "idle in transaction", "", "", "", "", None, 400.0, 1)
WAITS = LockNode(78, 1, 77, "api", "app", "active", "", "ShareLock", "public.orders", "", 92.0, None, 0, (77,))


def topology_world() -> tuple[Fleet, FakeClock]:
    """Return the fleet and its clock; nothing moves."""
    clock = FakeClock()
    sockets = (listening(API, 8001), connected(API, "127.0.0.1", 6001))
    network = {"addresses": ("10.8.0.5",), "macs": ("52:54:00:aa:00:01",)}
    ups = (upstream("api", "127.0.0.1:8001", answers=True), upstream("media", "10.8.0.9:8200", answers=False))
    sites = (server("shop.example.org", 443, ("/", "http://api"), ("/media/", "http://media")),)
    inner = [
        (
            FakeSource(
                Kind.SYSTEM, answer=system("shop-01", sockets=sockets, network=network, filesystems=(mounted("/", 61),))
            ),
            True,
        ),
        (FakeSource(Kind.DOCKER, answer=docker(API, WORKER, ADMIN, STRAY)), True),
        (
            FakeSource(
                Kind.POSTGRES,
                "orders",
                postgres(
                    session("127.0.0.1:40000", "shop-api", "orders"),
                    session("172.17.0.2:5", "psql", "orders"),
                    database="orders",
                    locks=(LOCK, WAITS),
                ),
            ),
            True,
        ),
        (FakeSource(Kind.REDIS, "jobs", postgres()), True),
        (FakeSource(Kind.NGINX, "main", nginx(*ups, servers=sites)), True),
        (FakeSource(Kind.WEB, "front", web("https://shop.example.org/")), True),
        (FakeSource(Kind.WEB, "admin", web("http://127.0.0.1:9090/")), True),
    ]
    outer = [
        (FakeSource(Kind.SYSTEM, answer=system("kvm-07", filesystems=(mounted("/"), mounted("/vms", 93)))), True),
        (
            FakeSource(
                Kind.LIBVIRT,
                answer=libvirt(
                    "kvm-07",
                    vm("shop-01", disk="/vms/shop-01.qcow2", mac="52:54:00:aa:00:01"),
                    vm("mail-01", disk="/vms/mail-01.qcow2", state="paused", reason="I/O error"),
                    pools=(pool("fast", "/vms", 7),),
                ),
            ),
            True,
        ),
        (FakeSource(Kind.DOCKER, answer=SourceError(Problem("permission denied on /var/run/docker.sock"))), True),
    ]
    parts = [
        HostParts(FakeLink("shop-01"), inner),
        HostParts(FakeLink("kvm-07"), outer),
        HostParts(FakeLink(GROQ), [(FakeSource(Kind.GROQ, "assistant", outer_world.groq()), True)]),
    ]
    return Fleet(parts, refresh=2.0, clock=clock), clock
