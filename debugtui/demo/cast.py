"""Who plays in the demo: three hosts, their VMs and their containers. Data."""

from __future__ import annotations

from dataclasses import dataclass, field

GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class VmPart:
    """One VM. `cpu_percent` and `memory_percent` are what it uses on average; sizes in GiB."""

    name: str
    vcpus: int
    memory_gib: int
    disk_gib: int
    cpu_percent: float = 12.0
    memory_percent: float = 60.0
    running: bool = True
    autostart: bool = True
    title: str = ""
    snapshots: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerPart:
    """One container; `cpu` in percent of one core, memory in MiB. `says` names the set of log lines it writes."""

    project: str
    service: str
    image: str
    command: str
    cpu: float
    memory: float
    limit: int | None = None
    says: str = "plain"
    port: int | None = None
    restart: str = "unless-stopped"
    health: bool = False
    environment: tuple[str, ...] = ()
    volume: str = ""
    exited: bool = False

    @property
    def name(self) -> str:
        """The name as Compose makes it."""
        return f"{self.project}-{self.service}-1"


@dataclass(frozen=True, slots=True)
class HostPart:
    """One host; `cpu_percent` is what it uses on average; `filesystems` are mount, device, type, GiB and percent used."""

    name: str
    cpus: int
    memory_gib: int
    cpu_percent: float
    memory_percent: float
    pool_gib: int
    vms: tuple[VmPart, ...]
    containers: tuple[ContainerPart, ...]
    filesystems: tuple[tuple[str, str, str, int, float], ...] = field(
        default=(
            ("/", "/dev/md0", "ext4", 60, 41.0),
            ("/var", "/dev/mapper/vg0-var", "ext4", 120, 63.0),
            ("/srv", "/dev/mapper/vg0-srv", "xfs", 1800, 57.0),
        )
    )


_EXPORTER = ContainerPart("ops", "node-exporter", "prom/node-exporter:v1.8.2", "/bin/node_exporter", 0.4, 18, 64, port=9100)

_COACH = (
    ContainerPart(
        "coach",
        "api",
        "registry.example.org/coach/api:4.12.1",
        "gunicorn coach.wsgi -w 8",
        62,
        410,
        1024,
        "api",
        8000,
        health=True,
        environment=(
            "DATABASE_URL=postgresql://coach_app:hunter2-demo@db/coach",
            "LOG_LEVEL=info",
            "REDIS_URL=redis://redis:6379/0",
        ),
    ),
    ContainerPart(
        "coach",
        "worker",
        "registry.example.org/coach/api:4.12.1",
        "celery -A coach worker",
        38,
        330,
        768,
        "worker",
        environment=("DATABASE_URL=postgresql://coach_app:hunter2-demo@db/coach", "GROQ_API_KEY=gsk_demo_0123456789"),
    ),
    ContainerPart("coach", "scheduler", "registry.example.org/coach/api:4.12.1", "celery -A coach beat", 1.2, 96, 256),
    ContainerPart("coach", "front", "nginx:1.27-alpine", "nginx -g 'daemon off;'", 6, 24, 128, "access", 8080, health=True),
    ContainerPart(
        "coach", "redis", "redis:7.4-alpine", "redis-server --save 60 1", 2.5, 42, 256, "redis", 6379, volume="redis"
    ),
)

_SHOP = (
    ContainerPart(
        "shop", "web", "registry.example.org/shop/web:2.8.0", "node server.js", 44, 290, 512, "api", 3000, health=True
    ),
    ContainerPart("shop", "cart", "registry.example.org/shop/cart:1.19.3", "/app/cart", 17, 74, 256, "json", 3001, health=True),
    ContainerPart(
        "shop",
        "worker",
        "registry.example.org/shop/worker:2.8.0",
        "node worker.js",
        21,
        188,
        384,
        "json",
        restart="always",
        environment=("QUEUE_URL=amqp://shop:rabbit-demo@queue/", "NODE_ENV=production"),
    ),
    ContainerPart(
        "shop", "search", "opensearchproject/opensearch:2.17.1", "./opensearch", 33, 1480, 2048, "java", 9200, volume="search"
    ),
    ContainerPart("shop", "redis", "redis:7.4-alpine", "redis-server", 1.9, 31, 128, "redis"),
    ContainerPart("shop", "mailer", "registry.example.org/shop/mailer:1.3.1", "python -m mailer", 0.8, 58, 128),
    ContainerPart(
        "shop",
        "migrate",
        "registry.example.org/shop/web:2.8.0",
        "node migrate.js",
        0,
        0,
        restart="no",
        exited=True,
    ),
)

_OPS = (
    ContainerPart(
        "ops", "prometheus", "prom/prometheus:v2.55.0", "/bin/prometheus", 14, 820, 2048, "logfmt", 9090, volume="prometheus"
    ),
    ContainerPart("ops", "alertmanager", "prom/alertmanager:v0.27.0", "/bin/alertmanager", 0.7, 34, 128, "logfmt", 9093),
    ContainerPart("ops", "loki", "grafana/loki:3.2.0", "/usr/bin/loki", 9, 360, 1024, "logfmt", 3100, volume="loki"),
    ContainerPart(
        "ops", "grafana", "grafana/grafana:11.3.0", "/run.sh", 3, 142, 512, "logfmt", 3030, health=True, volume="grafana"
    ),
    ContainerPart(
        "ops",
        "registry",
        "registry:2.8.3",
        "registry serve /etc/docker/registry/config.yml",
        0.6,
        28,
        None,
        "logfmt",
        5000,
        volume="registry",
    ),
    ContainerPart(
        "ops", "backup", "registry.example.org/ops/backup:1.4.0", "supercronic /etc/crontab", 0.3, 22, 128, restart="always"
    ),
)

HOSTS: tuple[HostPart, ...] = (
    HostPart(
        "kvm-01",
        16,
        96,
        34,
        58,
        1800,
        (
            VmPart("web-01", 4, 8, 40, 22, 61, title="front proxies of coach"),
            VmPart("api-01", 8, 16, 60, 41, 68, title="API of coach", snapshots=(("before-4.12", "release 4.12 of the API"),)),
            VmPart(
                "db-01",
                8,
                32,
                400,
                35,
                74,
                title="PostgreSQL primary of coach",
                snapshots=(("before-16", "last state before PostgreSQL 16"), ("after-16", "first state after it")),
            ),
            VmPart("bastion", 1, 1, 10, 2, 34),
        ),
        (*_COACH, _EXPORTER),
    ),
    HostPart(
        "kvm-02",
        16,
        64,
        27,
        51,
        1800,
        (
            VmPart("shop-01", 4, 12, 60, 28, 57, title="shop"),
            VmPart("shop-02", 4, 12, 60, 24, 55, title="shop"),
            VmPart("queue-01", 2, 4, 30, 9, 49, title="RabbitMQ of the shop"),
            VmPart("build-01", 8, 16, 120, 0, 0, running=False, autostart=False, title="builds, on demand"),
        ),
        (*_SHOP, _EXPORTER),
    ),
    HostPart(
        "kvm-03",
        12,
        64,
        19,
        47,
        900,
        (
            VmPart("db-02", 8, 24, 400, 18, 66, title="PostgreSQL standby of coach"),
            VmPart("monitor-01", 4, 8, 200, 31, 71, title="Prometheus, Loki"),
            VmPart("backup-01", 2, 4, 20, 6, 38, title="backups"),
            VmPart("staging-01", 4, 8, 60, 0, 0, running=False, autostart=False, title="staging of coach"),
        ),
        (*_OPS, _EXPORTER),
    ),
)

BY_NAME: dict[str, HostPart] = {host.name: host for host in HOSTS}

#: Where each fault strikes.
LOCK_HOST = "kvm-01"
CRASH_HOST, CRASH_SERVICE = "kvm-02", "worker"
PAUSED_HOST, PAUSED_VM = "kvm-03", "db-02"
DISK_HOST, DISK_MOUNT = "kvm-02", "/var"
LOST_HOST = "kvm-03"
