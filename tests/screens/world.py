"""A small world with a fixed clock: three hosts, real supervisor, still sources."""

from __future__ import annotations

from datetime import timedelta

from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.model.docker import Container, DiskUse, DockerEvent, DockerNetwork, DockerReading, Image, Volume
from debugtui.model.libvirt import LibvirtReading, StoragePool, VirtualNetwork, Vm, VmDisk, VmInterface, VmSnapshot
from debugtui.model.postgres import (
    Archiver,
    Index,
    LockNode,
    PostgresReading,
    Replica,
    ReplicationSlot,
    Session,
    Setting,
    Statement,
    Table,
)
from debugtui.model.source import Gap, Kind, LinkState, Problem
from debugtui.model.system import BlockDevice, NetworkInterface
from debugtui.model.target import GROQ
from debugtui.sources.base import SourceError
from tests.screens import outer_world
from tests.unit.fakes import START, FakeClock, FakeLink, FakeSource, filesystem, system_reading

GIB = 1 << 30
MIB = 1 << 20


def ago(seconds: float):
    return START - timedelta(seconds=seconds)


def vm(name: str, **changes: object) -> Vm:
    values: dict = {
        "name": name,
        "uuid": "00000000-0000-4000-8000-000000000001",
        "id": 1,
        "state": "running",
        "reason": "booted",
        "vcpus": 4,
        "vcpus_max": 8,
        "cpu_percent": 12.0,
        "memory_bytes": 8 * GIB,
        "memory_max_bytes": 16 * GIB,
        "memory_used_bytes": 5 * GIB,
        "rss_bytes": 6 * GIB,
        "autostart": True,
        "title": "",
        "disks": (
            VmDisk(
                "vda", f"/var/lib/libvirt/images/{name}.qcow2", "qcow2", 40 * GIB, 22 * GIB, 1.2 * MIB, 0.8 * MIB, 120.0, 80.0
            ),
        ),
        "interfaces": (VmInterface("vnet0", "52:54:00:12:34:56", "default", 220_000.0, 610_000.0),),
        "snapshots": (VmSnapshot("before-upgrade", ago(86_400 * 3), "running", True, "before 4.2"),),
    }
    return Vm(**{**values, **changes})


def off(name: str) -> Vm:
    nothing = {"cpu_percent": None, "memory_used_bytes": None, "rss_bytes": None, "disks": (), "interfaces": (), "id": None}
    return vm(name, state="shut off", reason="shutdown", autostart=False, **nothing)


def libvirt(host: str, *vms: Vm) -> LibvirtReading:
    return LibvirtReading(
        START,
        "qemu:///system",
        host,
        "9.0.0",
        "QEMU 7.2.22",
        True,
        16,
        128 * GIB,
        40 * GIB,
        vms,
        (VirtualNetwork("default", "n1", True, True, True, "virbr0", "nat"),),
        (
            StoragePool(
                "default", "p1", True, "running", True, "dir", "/var/lib/libvirt/images", 900 * GIB, 610 * GIB, 290 * GIB
            ),
        ),
    )


def container(name: str, project: str = "coach", **changes: object) -> Container:
    service = name.removeprefix(f"{project}-").rstrip("-0123456789")
    values: dict = {
        "id": f"{name:_<64}",
        "name": name,
        "image": f"{project}/{service}:4.2.1",
        "image_id": "sha256:abc",
        "command": service,
        "project": project,
        "service": service,
        "state": "running",
        "status": "Up 3 days",
        "health": "healthy",
        "exit_code": 0,
        "oom_killed": False,
        "restarts": 0,
        "restart_policy": "unless-stopped",
        "looping": False,
        "created_at": ago(400_000),
        "started_at": ago(259_200),
        "finished_at": None,
        "cpu_percent": 3.4,
        "memory_bytes": 210 * MIB,
        "memory_limit_bytes": 512 * MIB,
        "pids": 12,
        "rx_bytes_s": 22_000.0,
        "tx_bytes_s": 41_000.0,
        "ports": ("127.0.0.1:8080->80/tcp",),
        "networks": ("coach_default",),
        "mounts": ("data:/data",),
    }
    return Container(**{**values, **changes})


def docker(*containers: Container) -> DockerReading:
    return DockerReading(
        START,
        "20.10.24",
        "1.41",
        "Debian GNU/Linux 12",
        "6.1.0-32-amd64",
        "overlay2",
        "v2",
        "/var/lib/docker",
        containers,
        (
            Image("sha256:abc", ("coach/api:4.2.1",), 412 * MIB, ago(400_000), 2),
            Image("sha256:def", (), 380 * MIB, ago(900_000), 0),
        ),
        (Volume("coach_data", "local", "coach", "/var/lib/docker/volumes/coach_data", 2 * GIB, 1),),
        (DockerNetwork("n1", "coach_default", "bridge", "local", False, "coach"),),
        (
            DockerEvent(ago(40), "container", "die", "coach-worker-1", "exit code 3"),
            DockerEvent(ago(38), "container", "start", "coach-worker-1"),
        ),
        DiskUse(4 * GIB, 300 * MIB, 2 * GIB, 900 * MIB, 1 * GIB),
    )


def session(pid: int, state: str, query: str, seconds: float, **changes: object) -> Session:
    values: dict = {
        "pid": pid,
        "database": "coach",
        "user": "coach_app",
        "application": "api",
        "client": "10.0.3.14",
        "backend_type": "client backend",
        "state": state,
        "wait_event_type": "",
        "wait_event": "",
        "backend_start": ago(7200),
        "xact_start": ago(seconds),
        "query_start": ago(seconds),
        "state_change": ago(seconds),
        "query": query,
    }
    return Session(**{**values, **changes})


def node(pid: int, depth: int, **changes: object) -> LockNode:
    values: dict = {
        "pid": pid,
        "depth": depth,
        "parent": None,
        "application": "api",
        "user": "coach_app",
        "state": "active",
        "query": "",
        "lock_mode": "",
        "lock_on": "",
        "held": "",
        "waits_s": None,
        "age_s": None,
        "waiters": 0,
    }
    return LockNode(**{**values, **changes})


LOCKS = (
    node(
        4711,
        0,
        application="coach",
        state="idle in transaction",
        held="RowExclusiveLock on public.activities",
        age_s=134.0,
        waiters=3,
        query="UPDATE activities SET km = 12 WHERE id = 7",
    ),
    node(
        4720,
        1,
        parent=4711,
        lock_mode="ShareLock",
        lock_on="transaction 81234",
        waits_s=118.0,
        waiters=0,
        blockers=(4711,),
        query="UPDATE activities SET km = 13 WHERE id = 7",
    ),
    node(
        4733,
        1,
        parent=4711,
        application="migrate",
        lock_mode="AccessExclusiveLock",
        lock_on="public.activities",
        waits_s=41.0,
        waiters=1,
        blockers=(4711, 4720),
        query="ALTER TABLE activities ADD COLUMN pace numeric",
    ),
    node(
        4741,
        2,
        parent=4733,
        lock_mode="AccessShareLock",
        lock_on="public.activities",
        waits_s=12.0,
        blockers=(4733,),
        query="SELECT count(*) FROM activities",
    ),
)


def postgres(**changes: object) -> PostgresReading:
    values: dict = {
        "taken_at": START,
        "database": "coach",
        "server_version": "15.18",
        "version_num": 150018,
        "role": "monitor",
        "in_recovery": False,
        "started_at": ago(864_000),
        "connections": 23,
        "max_connections": 100,
        "reserved_connections": 3,
        "sessions": (
            session(
                4711,
                "idle in transaction",
                "UPDATE activities SET km = 12 WHERE id = 7",
                134,
                application="coach",
                has_written=True,
                wait_event_type="Client",
                wait_event="ClientRead",
            ),
            session(
                4720,
                "active",
                "UPDATE activities SET km = 13 WHERE id = 7",
                118,
                wait_event_type="Lock",
                wait_event="transactionid",
                blocked_by=(4711,),
                lock_mode="ShareLock",
                lock_on="transaction 81234",
            ),
            session(
                4733,
                "active",
                "ALTER TABLE activities ADD COLUMN pace numeric",
                41,
                application="migrate",
                wait_event_type="Lock",
                wait_event="relation",
                blocked_by=(4711, 4720),
            ),
            session(4741, "active", "SELECT count(*) FROM activities", 12, blocked_by=(4733,)),
            session(4750, "idle", "COMMIT", 3),
        ),
        "locks": LOCKS,
        "commits_s": 182.0,
        "rollbacks_s": 0.4,
        "cache_hit_percent": 99.2,
        "deadlocks": 1,
        "temp_bytes": 12 * MIB,
        "database_bytes": 4 * GIB,
        "wraparound_age": 120_000_000,
        "wraparound_percent": 5.6,
        "replicas": (Replica("standby-1", "10.0.3.15", "streaming", "async", 16_384, 0.001, 0.002, 0.004),),
        "slots": (ReplicationSlot("standby_1", "physical", True, 16_384, "reserved"),),
        "archiver": Archiver("on", 4211, 2, "00000001000000020000003A", ago(61), "000000010000000200000011", ago(90_000)),
        "statements": (
            Statement(
                "123",
                "SELECT * FROM activities WHERE athlete_id = $1 ORDER BY at DESC",
                "coach_app",
                18_231,
                1_243.0,
                5_120.0,
                22_661_133.0,
                911_550,
                97.1,
            ),
            Statement(
                "124", "UPDATE plans SET done = $1 WHERE id = $2", "coach_app", 120_331, 0.8, 120.0, 96_264.0, 120_331, 99.9
            ),
        ),
        "tables": (
            Table(
                "public",
                "activities",
                2 * GIB,
                4_210_000,
                910_000,
                17.8,
                310 * MIB,
                18_231,
                910_000_000,
                22,
                ago(90_000),
                ago(90_000),
                120_000_000,
                True,
            ),
            Table("public", "athletes", 12 * MIB, 31_000, 120, 0.4, 0, 120, 31_000, 910_000, ago(3_600), ago(3_600), 100_000),
        ),
        "indexes": (
            Index(
                "public",
                "activities",
                "activities_pkey",
                90 * MIB,
                22,
                True,
                True,
                True,
                False,
                "CREATE UNIQUE INDEX activities_pkey ON public.activities USING btree (id)",
            ),
            Index(
                "public",
                "activities",
                "activities_at_idx",
                120 * MIB,
                0,
                False,
                False,
                False,
                False,
                "CREATE INDEX activities_at_idx ON public.activities USING btree (at)",
            ),
            Index(
                "public",
                "athletes",
                "athletes_old_idx",
                8 * MIB,
                0,
                True,
                False,
                False,
                True,
                "CREATE INDEX athletes_old_idx ON public.athletes USING btree (old)",
            ),
        ),
        "settings": (
            Setting("shared_buffers", "16384", "8kB", "16384", "configuration file", "postmaster", True),
            Setting("work_mem", "16384", "kB", "4096", "configuration file", "user", False),
        ),
        "slow_read_at": START,
        "gaps": (Gap("server log", Problem("not readable by monitor", "GRANT pg_read_server_files")),),
    }
    return PostgresReading(**{**values, **changes})


def system(host: str, cpu: float, **changes: object):
    return system_reading(
        hostname=host,
        cpu_percent=cpu,
        cpus=16,
        filesystems=(filesystem(71), filesystem(93, "/var"), filesystem(42, "/srv/images")),
        disks=(BlockDevice("vda", 2_100_000.0, 900_000.0, 210.0, 90.0, 12.0),),
        interfaces=(NetworkInterface("eth0", 1_200_000.0, 3_400_000.0, 0.0, 0.0),),
        failed_units=(),
        **changes,
    )


def small_world() -> tuple[Fleet, FakeClock]:
    """Return a fleet of three hosts, one of them out of reach; nothing moves but the clock, and that only by hand."""
    clock = FakeClock()
    one, two, three = FakeLink("kvm-01"), FakeLink("kvm-02"), FakeLink("kvm-03", LinkState.LOST)
    three.become(
        LinkState.LOST,
        Problem("kvm-03 (10.0.0.13:22) does not answer: connection timed out", "is it up, and is port 22 open?"),
        ago(312),
    )
    parts = [
        HostParts(
            one,
            [
                (FakeSource(Kind.SYSTEM, answer=system("kvm-01", 71.0)), True),
                (
                    FakeSource(
                        Kind.LIBVIRT,
                        answer=libvirt(
                            "kvm-01",
                            vm("web-01"),
                            vm("web-02", cpu_percent=3.0),
                            vm(
                                "db-01",
                                state="paused",
                                reason="I/O error",
                                cpu_percent=0.0,
                                disks=(
                                    VmDisk(
                                        "vda",
                                        "/srv/images/db-01.qcow2",
                                        "qcow2",
                                        200 * GIB,
                                        180 * GIB,
                                        0.0,
                                        0.0,
                                        0.0,
                                        0.0,
                                        "no space",
                                    ),
                                ),
                            ),
                            off("old-01"),
                        ),
                    ),
                    True,
                ),
                (
                    FakeSource(
                        Kind.DOCKER,
                        answer=docker(
                            container("coach-api-1"),
                            container("coach-front-1", cpu_percent=0.7, memory_bytes=40 * MIB),
                            container(
                                "coach-worker-1",
                                state="restarting",
                                health="none",
                                exit_code=3,
                                restarts=14,
                                looping=True,
                                cpu_percent=None,
                                memory_bytes=None,
                            ),
                            container("coach-redis-1", health="none", memory_bytes=18 * MIB, memory_limit_bytes=None),
                            container("node-exporter", "", health="none", memory_bytes=12 * MIB),
                        ),
                    ),
                    True,
                ),
                (FakeSource(Kind.POSTGRES, "coach", postgres()), True),
                (FakeSource(Kind.WEB, "front", outer_world.front()), True),
                (FakeSource(Kind.TLS, "front", outer_world.tls()), True),
                (FakeSource(Kind.CHROME, "front", outer_world.chrome()), True),
                (FakeSource(Kind.WEB, "shop", outer_world.shop()), True),
                (FakeSource(Kind.NGINX, "main", outer_world.nginx()), True),
            ],
        ),
        HostParts(
            two,
            [
                (FakeSource(Kind.SYSTEM, answer=system("kvm-02", 18.0)), True),
                (FakeSource(Kind.LIBVIRT, answer=libvirt("kvm-02", vm("shop-01", cpu_percent=44.0), vm("shop-02"))), True),
                (
                    FakeSource(
                        Kind.DOCKER,
                        answer=SourceError(Problem("permission denied on /var/run/docker.sock", "add ops to the group docker")),
                    ),
                    True,
                ),
            ],
        ),
        HostParts(three, [(FakeSource(Kind.SYSTEM), True), (FakeSource(Kind.DOCKER), True)]),
        HostParts(FakeLink(GROQ), [(FakeSource(Kind.GROQ, "coach-ai", outer_world.groq()), True)]),
    ]
    return Fleet(parts, refresh=2.0, clock=clock), clock
