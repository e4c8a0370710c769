"""What holds of every diagnosis: it is the same whatever the order, each finding has its evidence, each target is there."""

from __future__ import annotations

import dataclasses
import random
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.alerts.book import AlertBook
from debugtui.diagnosis.decide import ENOUGH
from debugtui.headless.check import Status
from debugtui.headless.check import document as checked
from debugtui.headless.diagnose import Answer, answer_of, document, report
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.source import FleetView, Kind, SourceStatus
from tests.unit.diagnosis.build import (
    GroqFault,
    WebFault,
    box,
    causes,
    chain,
    chrome,
    decided,
    disk,
    docker,
    edges,
    exception,
    filesystem,
    groq,
    host,
    index,
    libvirt,
    nginx,
    pool,
    postgres,
    request,
    session,
    source,
    system,
    tls,
    upstream,
    view,
    vm,
    web,
)

SOURCES: tuple[SourceStatus, ...] = (
    system(),
    system(filesystems=(filesystem(98, "/srv"),), failed_units=("a.service",), cpu_percent=99.0),
    libvirt(vm("g", "paused", "I/O error", disks=(disk("/srv/g.img", "no space"),)), pools=(pool("p", "/srv", 1),)),
    libvirt(vm("g", "shut off", "destroyed")),
    docker(box("api", "restarting", looping=True, exit_code=1), box("web", health="unhealthy")),
    docker(box("api", "exited", exit_code=0)),
    docker(box("api", "exited", oom_killed=True, exit_code=137, memory_limit_bytes=1 << 20)),
    postgres(**chain(900)),
    postgres(indexes=(index("x", valid=False),), connections=99, sessions=tuple(session(n, "idle", "l") for n in range(50))),
    source(Kind.POSTGRES, None, "shop", "nothing listens on 127.0.0.1:1"),
    web(status=502),
    web(status=None, fault=WebFault.REFUSED),
    tls(-1, trusted=False, distrust="expired"),
    nginx(upstreams=(upstream("u", port_1=False),)),
    nginx(master=None, config_ok=False, config_says="bad"),
    chrome(console=(exception(),), failed=(request("/a.js", 404, "script"), request("/api", 500))),
    source(Kind.GRAFANA, None, "ops", "grafana ops cannot be reached: refused"),
)

#: Which of them each host has, by number: what hypothesis shows of a failure stays short.
chosen = st.lists(st.lists(st.integers(0, len(SOURCES) - 1), max_size=7, unique=True), min_size=1, max_size=3)


def world_of(numbers: list[list[int]]) -> FleetView:
    hosts = []
    for place, ones in enumerate(numbers):
        sources = {(SOURCES[one].kind, SOURCES[one].name): SOURCES[one] for one in ones}
        hosts.append(host(f"n{place}", *sources.values()))
    return view(*hosts, groq(GroqFault.AUTHENTICATION))


def shuffled(world: FleetView, seed: int) -> FleetView:
    dice = random.Random(seed)
    hosts = [dataclasses.replace(one, sources=tuple(dice.sample(one.sources, len(one.sources)))) for one in world.hosts]
    dice.shuffle(hosts)
    return dataclasses.replace(world, hosts=tuple(hosts))


@given(chosen, st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_order_of_hosts_and_sources_does_not_matter(numbers: list[list[int]], seed: int) -> None:
    world = world_of(numbers)
    assert decided(shuffled(world, seed)) == decided(world)


@given(chosen)
@settings(max_examples=60, deadline=None)
def test_every_finding_has_evidence_that_ends_at_its_cause_and_a_target_that_is_there(numbers: list[list[int]]) -> None:
    world = world_of(numbers)
    found = decided(world)
    known = {(one.name, source.kind) for one in world.hosts for source in one.sources} | {
        (one.name, "system") for one in world.hosts
    }
    known |= {(place, "web") for place, kind in known if kind == "chrome"}  # a browser looks at a configured address
    ids = [one.id for one in found.findings]
    assert len(ids) == len(set(ids))
    for one in found.findings:
        assert one.evidence
        assert one.confidence >= ENOUGH / 100
        assert (one.target.host, one.target.kind) in known
        assert all((row.source.host, row.source.kind) in known for row in one.evidence)
        assert all(row.says for row in one.evidence)


@given(chosen)
@settings(max_examples=40, deadline=None)
def test_every_reading_that_is_cited_is_in_what_check_prints(numbers: list[list[int]]) -> None:
    world = world_of(numbers)
    printed = checked(world, AlertBook().update(world), Status.OK)
    for one in decided(world).findings:
        for row in one.evidence:
            assert exists(printed, str(row.source.host), row.source.kind, row.source.name, row.reading), (
                row.source,
                row.reading,
            )


def exists(printed: dict[str, Any], place: str, kind: str, name: str, path: str) -> bool:
    """Whether a path leads somewhere in the document of `check --json`."""
    found = next(one for one in printed["hosts"] if one["name"] == place)
    if path.startswith("link"):
        return True
    wanted = name.partition("/")[0]
    sources = [one for one in found["sources"] if one["kind"] == kind and (one["name"] == wanted or one["name"] == kind)]
    return any(path in one or walks(one["reading"], path) for one in sources)


def walks(value: Any, path: str) -> bool:
    """Follow `containers[api].state`; a name in brackets may hold dots and slashes, and is a number, a name or an id."""
    while path:
        name, sign, rest = re.fullmatch(r"(\w+)(\[|\.|)(.*)", path).groups()  # type: ignore[union-attr]
        if not isinstance(value, dict) or name not in value:
            return False
        value, path = value[name], rest
        if sign == "[":
            key, _, path = rest.partition("]")
            path = path.removeprefix(".")
            value = _item(value, key)
            if value is None:
                return False
    return True


def _item(value: Any, key: str) -> Any:
    if not isinstance(value, list):
        return None
    for one in value:
        names = {str(one.get(word)) for word in ("name", "mount", "pid", "gid", "query_id")}
        if "schema" in one:
            names.add(f"{one['schema']}.{one['name']}")
        if key in names:
            return one
    return value[int(key)] if key.isdigit() and int(key) < len(value) else None


def test_a_healthy_world_yields_nothing() -> None:
    healthy = view(
        host(
            "n1",
            system(filesystems=(filesystem(70, "/"),)),
            libvirt(vm("g"), vm("spare", "shut off", "shutdown"), pools=(pool("p", "/p"),)),
            docker(box("api", health="healthy"), box("job", "exited", exit_code=0)),
            postgres(),
            web(),
            tls(60),
            nginx(upstreams=(upstream("u", port_8001=True),)),
            chrome(),
            source(Kind.LIBVIRT, None, freshness="off"),
        ),
        groq(None, None),
    )
    found = decided(healthy)
    assert (found.findings, found.undecided) == ((), ())
    assert list(report(found)) == ["Nothing found: all is well, as far as is watched."]
    assert answer_of(found) is Answer.NOTHING


def test_the_document_is_the_one_that_scripts_rely_on() -> None:
    world = view(host("n1", docker(box("api", health="unhealthy")), postgres(**chain(900)), web(status=504)))
    found = decided(world, edges(("n1/web/front", "n1/docker/api"), ("n1/docker/api", "n1/postgres/shop")))
    printed = document(found)
    assert list(printed) == ["version", "findings", "undecided", "taken_at"]
    first = printed["findings"][0]  # type: ignore[index]
    assert list(first)[:8] == ["id", "layer", "target", "title", "confidence", "evidence", "impact", "remediations"]
    assert set(first["evidence"][0]) == {"source", "reading", "at", "says"}
    assert first["remediations"] == [{"name": "postgres.terminate_session", "target": "n1/postgres/shop/900", "params": {}}]
    assert answer_of(found) is Answer.CRITICAL


def test_the_worst_comes_first_then_what_explains_most() -> None:
    world = view(
        host("n1", docker(box("lonely", "exited", exit_code=2)), postgres(indexes=(index("x", valid=False),))),
        host("n2", docker(box("api", "restarting", looping=True, exit_code=1)), web(status=502), nginx()),
    )
    assert causes(decided(world))[0] == ("docker", "n2/docker/api")


def test_what_is_undecided_alone_has_an_exit_code_of_its_own() -> None:
    from debugtui.model.diagnosis import Undecided
    from tests.unit.diagnosis.build import NOW

    assert answer_of(Diagnosis(NOW, undecided=(Undecided("?", "x"),))) is Answer.UNDECIDED
