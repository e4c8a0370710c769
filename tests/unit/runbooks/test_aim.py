"""What a runbook is used on, and the things around it: host, containers, database, servers."""

from __future__ import annotations

import pytest

from debugtui.config.models import Config
from debugtui.diagnosis.runbooks.aim import Aim, AimError, Around, aim_at
from debugtui.diagnosis.runbooks.load import load, parse
from debugtui.diagnosis.runbooks.needs import needs
from debugtui.diagnosis.runbooks.placing import places_of
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.topology import Edge, Topology
from tests.unit.fakes import START

CONFIG = Config.model_validate(
    {
        "hosts": [
            {
                "name": "kvm-01",
                "address": "local",
                "postgres": [
                    {"name": "coach", "dsn": "postgresql://m@/coach", "backups": [{"kind": "dump", "path": "/var/backups/coach/*.dump"}]},
                    {"name": "stats", "dsn": "postgresql://m@/stats"},
                ],
                "web": [
                    {"name": "front", "url": "https://coach.example/", "nginx": "/etc/nginx/nginx.conf", "containers": ["api"]},
                    {"name": "shop", "url": "http://127.0.0.1:8080/"},
                ],
            },
            {"name": "kvm-02", "address": "local"},
        ],
        "groq": [{"name": "coach-ai", "model": "m", "app": {"container": "kvm-01/docker/agent"}}],
        "prometheus": [{"name": "prom", "url": "http://127.0.0.1:9090", "via": "kvm-02"}, {"name": "far", "url": "http://x:9090"}],
        "services": [
            {"name": "coach", "resources": ["kvm-01/docker/api", "kvm-01/postgres/coach"], "depends_on": ["queue"]},
            {"name": "queue", "resources": ["kvm-02/docker/redis"]},
            {"name": "empty"},
        ],
    }
)  # fmt: skip


def around(text: str, topology: Topology | None = None) -> Around:
    aim = aim_at(text, CONFIG)
    return Around(CONFIG, Aim(aim.target, aim.service, topology))


def names(places: object) -> list[str]:
    return [str(place.target) for place in places]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("target", "kind", "named", "wanted"),
    [
        ("kvm-01/postgres/coach", Kind.POSTGRES, True, ["kvm-01/postgres/coach"]),
        ("kvm-01/postgres/coach/4711", Kind.POSTGRES, True, ["kvm-01/postgres/coach"]),
        ("kvm-01", Kind.POSTGRES, True, ["kvm-01/postgres/coach", "kvm-01/postgres/stats"]),
        ("kvm-02", Kind.POSTGRES, True, []),
        ("kvm-01/docker/api", Kind.DOCKER, True, ["kvm-01/docker/api"]),
        ("kvm-01/docker/api", Kind.DOCKER, False, ["kvm-01/docker"]),
        ("kvm-01/docker/api", Kind.POSTGRES, True, ["kvm-01/postgres/coach"]),
        ("kvm-01/docker/other", Kind.POSTGRES, True, ["kvm-01/postgres/coach", "kvm-01/postgres/stats"]),
        ("kvm-01/web/front", Kind.DOCKER, True, ["kvm-01/docker/api"]),
        ("kvm-01/web/front", Kind.NGINX, True, ["kvm-01/nginx/main"]),
        ("kvm-01/web/front", Kind.TLS, True, ["kvm-01/tls/front"]),
        ("kvm-01", Kind.TLS, True, ["kvm-01/tls/front"]),
        ("kvm-01/nginx/main", Kind.WEB, True, ["kvm-01/web/front"]),
        ("groq/coach-ai", Kind.DOCKER, True, ["kvm-01/docker/agent"]),
        ("groq/coach-ai", Kind.SYSTEM, False, ["kvm-01/system"]),
        ("kvm-01/docker/agent", Kind.GROQ, True, ["groq/coach-ai"]),
        ("kvm-02/prometheus/prom", Kind.SYSTEM, False, ["kvm-02/system"]),
        ("monitoring/prometheus/far", Kind.SYSTEM, False, []),
        ("kvm-02", Kind.PROMETHEUS, True, ["kvm-02/prometheus/prom"]),
        ("kvm-01", Kind.PROMETHEUS, True, ["kvm-02/prometheus/prom", "monitoring/prometheus/far"]),
        ("coach", Kind.DOCKER, True, ["kvm-01/docker/api"]),
        ("coach", Kind.POSTGRES, True, ["kvm-01/postgres/coach"]),
        ("kvm-01/system/cache.service", Kind.SYSTEM, True, ["kvm-01/system/cache.service"]),
    ],
)
def test_things_around_a_target_are_found(target: str, kind: Kind, named: bool, wanted: list[str]) -> None:
    assert names(around(target).places(kind, named=named)) == wanted


def test_what_a_target_cannot_do_without_is_followed_through_the_topology() -> None:
    front, api, base = Target("kvm-02", "web", "x"), Target("kvm-02", "docker", "y"), Target("kvm-01", "postgres", "stats")
    topology = Topology(START, (), (Edge(front, api, "x"), Edge(api, base, "y"), Edge(base, front, "a circle")))
    found = Around(CONFIG, Aim(front, topology=topology))
    assert names(found.places(Kind.DOCKER, named=True)) == ["kvm-02/docker/y"]
    assert names(found.places(Kind.POSTGRES, named=True)) == ["kvm-01/postgres/stats"]


@pytest.mark.parametrize(
    ("target", "kind", "values"),
    [
        ("kvm-01/postgres/coach/4711", Kind.POSTGRES, {"database": "coach", "session": "4711", "backup_folder": "/var/backups/coach", "backup_pattern": "*.dump"}),
        ("kvm-01/docker/api", Kind.DOCKER, {"container": "api", "host": "kvm-01", "service": "coach"}),
        ("kvm-01/web/front", Kind.WEB, {"url": "https://coach.example/", "web_host": "coach.example", "web_port": "443"}),
        ("kvm-01/web/front", Kind.NGINX, {"nginx_config": "/etc/nginx/nginx.conf"}),
        ("groq/coach-ai", Kind.GROQ, {"use": "coach-ai", "model": "m", "base_host": "api.groq.com", "host": "kvm-01"}),
        ("kvm-01/system//var", Kind.SYSTEM, {"mount": "/var"}),
        ("kvm-01/system/x.service", Kind.SYSTEM, {"unit": "x.service"}),
    ],
)  # fmt: skip
def test_a_target_gives_its_parameters(target: str, kind: Kind, values: dict[str, str]) -> None:
    place = around(target).places(kind, named=True)[0]
    assert {name: place.values.get(name) for name in values} == values


def test_a_step_that_needs_what_nobody_knows_says_so() -> None:
    text = 'name = "x"\ntitle = "x"\nsummary = "x"\n[[steps]]\nid = "a"\ntitle = "x"\nwhy = "x"\nkind = "logs"\nlog = "container"\n'
    step = parse(text, "x").steps[0]
    assert places_of(step, around("kvm-02")) == "no container is known to belong to kvm-02/system"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nobody", "a target is HOST/KIND/NAME"),
        ("kvm-09/docker/x", "there is no host 'kvm-09'"),
        ("kvm-01/dokcer/x", "no kind of target"),
        ("empty", "has no resources"),
    ],
)
def test_what_is_no_target_is_said(text: str, says: str) -> None:
    with pytest.raises(AimError, match=says):
        aim_at(text, CONFIG)


def test_a_run_connects_only_what_it_needs() -> None:
    database = load(None).get("database")
    assert database is not None
    kept, kinds = needs(CONFIG, database.runbook, around("kvm-01/postgres/coach"))
    assert [host.name for host in kept.hosts] == ["kvm-01"]
    assert kept.groq == ()
    assert kinds == {Kind.POSTGRES, Kind.SYSTEM}
