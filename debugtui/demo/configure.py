"""The configuration of the demo: what a user would write for these three hosts."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.config.models import Config, HostConfig, PostgresConfig
from debugtui.demo import cast
from debugtui.demo.layout import Layout
from debugtui.demo.shell import USER


def configuration(layout: Layout, ports: Mapping[str, int]) -> Config:
    """Return the configuration; `ports`: the SSH port of each host."""
    hosts = tuple(
        HostConfig(
            name=host.name,
            address=f"ssh://{USER}@127.0.0.1:{ports[host.name]}",
            identity=layout.identity,
            known_hosts=layout.known_hosts,
            jump="none",  # whatever the user's own ssh configuration says of all hosts
            libvirt=f"test://{layout.node(host.name)}",
            docker=f"unix://{layout.docker(host.name)}",
            postgres=(_database(layout),) if host.name == cast.LOCK_HOST else (),
        )
        for host in cast.HOSTS
    )
    return Config(hosts=hosts)


def _database(layout: Layout) -> PostgresConfig:
    def dsn(role: str) -> str:
        return f"postgresql://{role}@/coach?host={layout.postgres_socket_dir}"

    return PostgresConfig(name="coach", dsn=dsn("monitor"), repair_dsn=dsn("coach_repair"))
