"""The configuration of the demo: what a user would write for these three hosts."""

from __future__ import annotations

import os
from collections.abc import Mapping

from debugtui.config.models import Config, ExpectConfig, GroqConfig, HostConfig, PostgresConfig, SecretRef, WebConfig
from debugtui.demo import cast
from debugtui.demo.layout import Layout
from debugtui.demo.outer import KEY, MODEL
from debugtui.demo.shell import USER

KEY_NAME = "DEBUGTUI_DEMO_GROQ_KEY"


def configuration(layout: Layout, ports: Mapping[str, int]) -> Config:
    """Return the configuration; `ports`: the SSH port of each host, and where site and API listen (`web`, `groq`)."""
    hosts = tuple(
        HostConfig(
            name=host.name,
            address=f"ssh://{USER}@127.0.0.1:{ports[host.name]}",
            identity=layout.identity,
            known_hosts=layout.known_hosts,
            journal=False,  # its hosts have no systemd
            jump="none",  # whatever the user's own ssh configuration says of all hosts
            libvirt=f"test://{layout.node(host.name)}",
            docker=f"unix://{layout.docker(host.name)}",
            postgres=(_database(layout),) if host.name == cast.LOCK_HOST else (),
            web=_sites(ports["web"]) if host.name == cast.LOCK_HOST else (),
        )
        for host in cast.HOSTS
    )
    # The key stands in the environment of this process alone, under a name that nobody else uses.
    os.environ[KEY_NAME] = KEY
    groq = GroqConfig(
        name="coach-ai",
        base_url=f"http://127.0.0.1:{ports['groq']}",
        api_key=SecretRef(env=KEY_NAME),
        model=MODEL,
        probe="completion",
        every=5.0,
        price_in=0.05,
        price_out=0.08,
    )
    return Config(hosts=hosts, groq=(groq,))


def _sites(port: int) -> tuple[WebConfig, ...]:
    # A host of the demo forwards its own sockets only, so the site is asked from here. No browser: a demo stays light.
    front = ExpectConfig(body="Coach")
    return (
        WebConfig(name="front", url=f"http://127.0.0.1:{port}/", expect=front, direct=True, every=5.0),
        WebConfig(name="api", url=f"http://127.0.0.1:{port}/api/plan", direct=True, every=5.0),
    )


def _database(layout: Layout) -> PostgresConfig:
    def dsn(role: str) -> str:
        return f"postgresql://{role}@/coach?host={layout.postgres_socket_dir}"

    return PostgresConfig(name="coach", dsn=dsn("monitor"), repair_dsn=dsn("coach_repair"))
