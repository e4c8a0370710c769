"""The tables of one host: its link, and what is watched on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from debugtui.config.fields import (
    Address,
    DockerSocket,
    Dsn,
    Flag,
    HostPath,
    Journal,
    Jump,
    LibvirtUri,
    LocalPath,
    Name,
    Number,
    RedisUrl,
    Seconds,
    Table,
    Text,
    Url,
)
from debugtui.config.secrets import SecretRef


class BackupConfig(Table):
    """Where backups of a database lie.

    Attributes:
        kind: `dump`: files of pg_dump.
        path: a pattern of absolute paths on the host, `/var/backups/coach/*.dump`.
    """

    kind: Literal["dump"]
    path: HostPath


class PostgresConfig(Table):
    """One PostgreSQL database, as seen from its host.

    Attributes:
        name: its name on the screen and in targets, unique on the host.
        dsn: `postgresql://user@host:port/database` or with `?host=/dir&port=5433`, without a password; used to watch.
        password: where the password of `dsn` is found; None: none is needed.
        repair_dsn: the role that repairs; asked for only when a plan is approved. None: plans for it cannot be applied.
        repair_password: where the password of `repair_dsn` is found.
        backups: where its backups lie.
        log: its log file on the host; None: the server is asked.
    """

    name: Name
    dsn: Dsn
    password: SecretRef | None = None
    repair_dsn: Dsn | None = None
    repair_password: SecretRef | None = None
    backups: tuple[BackupConfig, ...] = ()
    log: HostPath | None = None


class ExpectConfig(Table):
    """What a sound answer looks like.

    Attributes:
        status: the HTTP status.
        body: a text that the body holds; None: any body.
        json_path: what a JSON answer holds: a path such as `checks.db` or `items[0].id`, and the value as text.
    """

    status: Number = Field(default=200, ge=100, le=599)
    body: Text | None = None
    json_path: dict[str, Text] = Field(default_factory=dict)


class BudgetConfig(Table):
    """How slow a page may be, in seconds.

    Attributes:
        first_byte: of the probe, from the request to the first byte of the answer.
        request: of any request that the page makes.
        lcp: largest contentful paint; 2.5 s is "good" (web.dev, Core Web Vitals).
        tti: time to interactive; 3.8 s is "good" (web.dev, Lighthouse).
    """

    first_byte: Seconds = Field(default=1.0, gt=0)
    request: Seconds = Field(default=1.0, gt=0)
    lcp: Seconds = Field(default=2.5, gt=0)
    tti: Seconds = Field(default=3.8, gt=0)


class WebConfig(Table):
    """One web address, reached through its host.

    Attributes:
        name: its name on the screen and in targets, unique on the host.
        url: what is fetched.
        expect: what a sound answer looks like.
        nginx: the configuration file of the nginx that serves it, on the host; None: no nginx is watched.
        chrome: whether it is also opened in a browser.
        direct: fetched from this machine instead of through the host.
        ca: file of the authorities that its certificate is judged by, on this machine; None: the system's own.
        every: seconds between two probes; the browser comes at most once a minute.
        budgets: how slow it may be.
        containers: names of the containers whose logs belong to it; empty: those that nginx passes requests to.
        release: the symbolic link that its files are served through, on the host; None: its releases are not switched.
    """

    name: Name
    url: Url
    expect: ExpectConfig = ExpectConfig()
    nginx: HostPath | None = None
    chrome: Flag = False
    direct: Flag = False
    ca: LocalPath | None = None
    every: Seconds = Field(default=10.0, ge=1, le=3600)
    budgets: BudgetConfig = BudgetConfig()
    containers: tuple[Text, ...] = ()
    release: HostPath | None = None


class RedisConfig(Table):
    """One Redis, and the lists and streams in it that are queues.

    Attributes:
        name: its name on the screen and in targets, unique on the host.
        url: `redis://host:port/database` or `unix:///path?db=0`, as seen from the host, without a password.
        user: of the ACL; None: the default user.
        password: where its password is found; None: none is needed.
        queues: keys whose length is watched: names, or patterns with `*`. Empty: only the server itself is watched.
        limit: messages in one queue above which it alerts.
    """

    name: Name
    url: RedisUrl
    user: Text | None = None
    password: SecretRef | None = None
    queues: tuple[Text, ...] = ()
    limit: Number = Field(default=1_000, ge=0)


class RabbitmqConfig(Table):
    """One RabbitMQ, through its management API.

    Attributes:
        name: its name on the screen and in targets, unique on the host.
        url: where the management API is, as seen from the host: `http://127.0.0.1:15672`.
        user: who reads.
        password: where the user's password is found.
        queues: names of queues, or patterns with `*`; empty: every queue.
        limit: messages in one queue above which it alerts.
    """

    name: Name
    url: Url
    user: Text = "guest"
    password: SecretRef | None = None
    queues: tuple[Text, ...] = ()
    limit: Number = Field(default=1_000, ge=0)


class HostConfig(Table):
    """One host.

    Attributes:
        name: its name on the screen and in targets, unique.
        address: `local`, `ssh://[user@]host[:port]`, or an alias of `~/.ssh/config`.
        identity: private key file; None: ssh's own rules.
        known_hosts: file of known host keys; None: ssh's own rules.
        jump: alias or address of the machine in between; None: ssh's own rules.
        libvirt: URI as seen from the host. None: looked for at `qemu:///system`, quietly off where absent. False: off.
        docker: `unix:///path` on the host. None: looked for at `/var/run/docker.sock`, quietly off where absent. False: off.
        system: whether the host itself is watched (processor, memory, disks).
        postgres: its databases.
        web: its web addresses.
        redis: its Redis servers.
        rabbitmq: its RabbitMQ servers.
        journal: the journal of systemd. None: looked for, quietly off where absent. False: off. A path: a directory of journal
            files (`journalctl --directory`).
    """

    name: Name
    address: Address
    identity: LocalPath | None = None
    known_hosts: LocalPath | None = None
    jump: Jump | None = None
    libvirt: LibvirtUri = None
    docker: DockerSocket = None
    system: Flag = True
    postgres: tuple[PostgresConfig, ...] = ()
    web: tuple[WebConfig, ...] = ()
    redis: tuple[RedisConfig, ...] = ()
    rabbitmq: tuple[RabbitmqConfig, ...] = ()
    journal: Journal = None
