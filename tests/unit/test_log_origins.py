"""Which logs there are, and which of them concern a target."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from debugtui.config.models import Config
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.fleet.log_origins import LogCatalogue
from debugtui.model.nginx import NginxLog, Upstream, UpstreamServer
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.sources.logs.postgres import PostgresOrigin
from tests.screens import outer_world
from tests.screens.world import ago, container, docker, postgres, session
from tests.unit.fakes import FakeLink, FakeSource

CONFIG = {
    "hosts": [
        {
            "name": "kvm-01",
            "address": "local",
            "postgres": [{"name": "coach", "dsn": "postgresql://m@/coach", "log": "/var/log/pg.log"}],
            "web": [{"name": "front", "url": "http://127.0.0.1/", "nginx": "/etc/nginx/nginx.conf"}],
        },
        {"name": "kvm-02", "address": "local", "journal": False},
    ],
    "groq": [{"name": "ai", "logs": {"container": "kvm-01/docker/coach-api-1"}}],
    "loki": [
        {"name": "main", "url": "http://127.0.0.1:3100"},
        {"name": "near", "url": "http://127.0.0.1:3100", "via": "kvm-02"},
    ],
}


class Docker(FakeSource):
    async def logs(self, *_: object, **__: object) -> AsyncIterator[list[object]]:
        yield []


@pytest.fixture
async def catalogue() -> AsyncIterator[tuple[LogCatalogue, Fleet]]:
    server = replace(
        outer_world.nginx(),
        logs=(NginxLog("/var/log/nginx/error.log"), NginxLog("/a/one.log", True), NginxLog("/a/two.log", True)),
        upstreams=(Upstream("api", (UpstreamServer("127.0.0.1:8080", container="coach-api-1"),)),),
        servers=(),
    )
    reading = postgres(sessions=(session(17, "idle", "", 1.0, application="coach-api"),))
    one = [
        (Docker(Kind.DOCKER, answer=docker(container("coach-api-1"), container("shop-1", "shop"))), True),
        (FakeSource(Kind.NGINX, "main", server), True),
        (FakeSource(Kind.POSTGRES, "coach", reading), True),
    ]
    fleet = Fleet([HostParts(FakeLink("kvm-01"), one), HostParts(FakeLink("kvm-02"), [])])
    await fleet.read_all(full=True)
    made = LogCatalogue(Config.model_validate(CONFIG), fleet, None)  # type: ignore[arg-type]
    yield made, fleet
    await made.close()


def names(found: list[object]) -> list[str]:
    return [f"{one.target} {one.title}" for one in found]  # type: ignore[attr-defined]


API = "kvm-01/docker/coach-api-1 coach-api-1"
ERROR, ONE, TWO = (f"kvm-01/nginx/main main {word}" for word in ("error", "one.log", "two.log"))
COACH = "kvm-01/postgres/coach coach log"
JOURNAL = "kvm-01/journal journal"


def test_every_log_of_a_host_is_known(catalogue: tuple[LogCatalogue, Fleet]) -> None:
    made, fleet = catalogue
    view = fleet.view()
    assert names(made.of_host(view, "kvm-01")) == [JOURNAL, ERROR, ONE, TWO, COACH, API, "kvm-01/docker/shop-1 shop-1"]
    assert names(made.of_host(view, "kvm-02")) == ["kvm-02/loki/near loki near"]
    assert names(made.everything(view))[-1] == "monitoring/loki/main loki main"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("kvm-01/docker/coach-api-1", [API, ERROR, ONE, TWO, COACH]),
        ("kvm-01/docker/shop-1", ["kvm-01/docker/shop-1 shop-1"]),
        ("kvm-01/web/front", [ERROR, ONE, TWO, API]),
        ("kvm-01/chrome/front", [ERROR, ONE, TWO, API]),
        ("kvm-01/nginx/main", [ERROR, ONE, TWO, API]),
        ("kvm-01/postgres/coach/4711", [COACH]),
        ("kvm-01/libvirt/web-01", [JOURNAL]),
        ("kvm-01/system/coach.service", ["kvm-01/journal/coach.service coach", JOURNAL]),
        ("groq/ai", [API]),
        ("kvm-01/web/unknown", [JOURNAL, ERROR, ONE, TWO, COACH, API, "kvm-01/docker/shop-1 shop-1"]),
        ("kvm-09/docker/x", []),
        ("monitoring/loki/main", []),
    ],
)
def test_the_logs_that_concern_a_target(catalogue: tuple[LogCatalogue, Fleet], target: str, expected: list[str]) -> None:
    made, fleet = catalogue
    assert names(made.about(fleet.view(), Target.parse(target))) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("kvm-01/docker/coach-api-1", [API]),
        ("kvm-01/docker", [API, "kvm-01/docker/shop-1 shop-1"]),
        ("kvm-01/journal", [JOURNAL]),
        ("kvm-01/journal/a.service", ["kvm-01/journal/a.service a"]),
        ("kvm-02/journal", []),
        ("kvm-02/loki", ["kvm-02/loki/near loki near"]),
        ("monitoring/loki/main", ["monitoring/loki/main loki main"]),
        ("kvm-01/libvirt/web-01", []),
    ],
)
def test_a_target_names_its_own_logs(catalogue: tuple[LogCatalogue, Fleet], target: str, expected: list[str]) -> None:
    made, fleet = catalogue
    assert names(made.named(fleet.view(), Target.parse(target))) == expected


def test_a_configured_log_file_is_the_one_that_is_read(catalogue: tuple[LogCatalogue, Fleet]) -> None:
    made, fleet = catalogue
    (origin,) = made.named(fleet.view(), Target("kvm-01", "postgres", "coach"))
    assert isinstance(origin, PostgresOrigin)
    assert origin._path == "/var/log/pg.log"


async def test_databases_of_one_server_have_one_log(catalogue: tuple[LogCatalogue, Fleet]) -> None:
    made, _ = catalogue
    same, other = postgres(), postgres(started_at=ago(50))
    sources = [(FakeSource(Kind.POSTGRES, name, reading), True) for name, reading in (("a", same), ("b", same), ("c", other))]
    fleet = Fleet([HostParts(FakeLink("kvm-01"), sources)])
    await fleet.read_all(full=True)
    view = fleet.view()
    logs = [one for one in made.of_host(view, "kvm-01") if one.kind == "postgres"]
    assert names(logs) == ["kvm-01/postgres/a a log", "kvm-01/postgres/c c log"]
    assert names(made.named(view, Target("kvm-01", "postgres", "b"))) == ["kvm-01/postgres/b b log"]
