"""What is proposed is what the catalogue has, with parameters that it takes, and applies to what is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.surroundings import Process, Space
from debugtui.model.diagnosis import Diagnosis, Offer
from debugtui.model.source import FleetView, Kind
from debugtui.remediation import registry
from tests.unit.diagnosis.build import (
    GroqFault,
    WebFault,
    box,
    chain,
    chrome,
    decided,
    disk,
    docker,
    exception,
    filesystem,
    groq,
    host,
    index,
    libvirt,
    nginx,
    on_disk,
    postgres,
    renewal,
    session,
    setting,
    slow_web,
    source,
    system,
    table,
    tls,
    upstream,
    view,
    vm,
    web,
)

#: What only a person knows: the operator is asked for it before anything is planned.
ASKED = {
    "nginx.edit_config": {"file", "from"},
    "groq.switch_model": {"model"},
    "postgres.create_index": {"columns", "name"},
}

LOOKED = Looked(
    spaces=(
        Space("n1", "/var", "log", 900 << 20, "api"),
        Space("n1", "/var", "journal", 90 << 20),
        Space("n1", "/var", "packages", 60 << 20),
        Space("n1", "/var", "images", 80 << 20),
    ),
    processes=(Process("n1", 4242, "crunch", 99.0, 900.0),),
)


def worlds() -> Iterator[tuple[str, FleetView]]:
    loop = {"state": "restarting", "looping": True, "restart_policy": "always"}
    yield "loop", view(host("n1", docker(box("api", exit_code=3, **loop))))
    yield "oom", view(host("n1", docker(box("api", exit_code=137, oom_killed=True, memory_limit_bytes=100 << 20, **loop))))
    yield "unhealthy", view(host("n1", docker(box("api", health="unhealthy"))))
    yield "exited", view(host("n1", docker(box("api", "exited", exit_code=1, restart_policy="always"))))
    yield "idle blocker", view(host("n1", postgres(**chain(900))))
    yield "working blocker", view(host("n1", postgres(**chain(900, "active"))))
    yield (
        "leak",
        view(host("n1", postgres(connections=95, sessions=tuple(session(n, "idle", "leaky", 900) for n in range(60))))),
    )
    yield "invalid index", view(host("n1", postgres(indexes=(index("half", valid=False),))))
    yield "missing index", view(host("n1", postgres(tables=(table("orders", needs_index=True),)), slow_web()))
    yield (
        "dead rows",
        view(
            host("n1", postgres(tables=(table("o", dead=90_000, dead_percent=80.0),), settings=(setting("autovacuum", "off"),)))
        ),
    )
    yield "setting", view(host("n1", postgres(settings=(setting("log_min_duration_statement", "0", "ms", "-1"),)), slow_web()))
    yield "down", view(host("n1", source(Kind.POSTGRES, None, "shop", "nothing listens on 127.0.0.1:1")))
    yield "disk", view(host("n1", system(filesystems=(filesystem(98, "/var"),)), docker(box("api"))))
    paused = vm("g", "paused", "I/O error", disks=(disk("/var/g.img", "no space"),))
    yield "paused guest", view(host("n1", system(filesystems=(filesystem(99, "/var"),)), libvirt(paused), docker(box("api"))))
    yield "guest off", view(host("n1", libvirt(vm("g", "shut off", "destroyed"))))
    yield "guest paused by hand", view(host("n1", libvirt(vm("g", "paused", "user"))))
    yield "unit", view(host("n1", system(failed_units=("a.service",))))
    yield "runaway", view(host("n1", system(cpus=2, cpu_percent=99.0, load1=9.0, load5=9.0), slow_web()))
    for fault in sorted(set(GroqFault) - {GroqFault.CANCELLED}):  # cancelled by the caller: that is no fault of the API
        yield f"groq {fault.value}", view(groq(None, fault, fault))
    yield "expired", view(host("n1", web(), tls(-1, trusted=False, distrust="expired", renewal=renewal()), nginx()))
    yield "stale", view(host("n1", web(), tls(-1, disk=on_disk(60), same_as_disk=False), nginx()))
    yield "release", view(host("n1", web(), nginx(), chrome(console=(exception(),))))
    yield "one of two", view(host("n1", web(), nginx(upstreams=(upstream("u", port_1=True, port_2=False),))))
    yield "wrong upstream", view(host("n1", web(status=502), nginx(upstreams=(upstream("u", port_1=False),))))
    yield "nginx down", view(host("n1", web(status=None, fault=WebFault.REFUSED), nginx(master=None)))


WORLDS = dict(worlds())


def all_offers(found: Diagnosis) -> list[Offer]:
    return [offer for one in found.findings for offer in one.remediations]


@pytest.mark.parametrize("name", WORLDS)
def test_each_is_in_the_catalogue_with_parameters_that_it_takes(name: str) -> None:
    found = decided(WORLDS[name], looked=LOOKED)
    assert found.findings, name
    for offer in all_offers(found):
        spec = registry.get(offer.name).spec
        known = {one.name for one in spec.parameters}
        given = dict(offer.params)
        assert set(given) <= known, offer
        needed = {one.name for one in spec.parameters if one.required} - set(given)
        assert needed <= ASKED.get(offer.name, set()), offer
        assert offer.target.kind == spec.layer, offer
        assert all(given.values()), offer


#: Whose offer is judged without a host: the others look at files or at the configuration first.
JUDGED = ("docker.", "postgres.", "libvirt.", "system.restart_unit", "nginx.reload", "nginx.drain", "nginx.renew")


@pytest.mark.parametrize("name", WORLDS)
def test_the_first_of_each_finding_applies_to_what_is_there(name: str) -> None:
    world = WORLDS[name]
    for one in decided(world, looked=LOOKED).findings:
        for offer in one.remediations[:1]:
            if not offer.name.startswith(JUDGED) or offer.name == "docker.prune_images":
                continue
            judged = registry.get(offer.name).offer(world, offer.target)
            assert judged is not None, offer
            assert judged.applies or name in ("down", "nginx down"), (offer, judged.why)
            if offer.name == "docker.update_limits":
                assert judged.params == offer.params


def test_the_catalogue_has_something_for_most_faults_and_nothing_for_what_nobody_here_can_mend() -> None:
    empty = {name for name, world in WORLDS.items() if not all_offers(decided(world, looked=LOOKED))}
    nobody = {
        "too large",
        "not the API",
        "dns",
        "refused",
        "reset",
        "tls",
        "connection",
        "bad request",
        "malformed chunk",
    }
    assert {name.removeprefix("groq ") for name in empty} <= nobody


def test_a_release_is_only_gone_back_to_where_one_is_configured() -> None:
    from debugtui.diagnosis.engine import diagnose
    from debugtui.diagnosis.found import Memory
    from tests.unit.diagnosis.build import NOW, t

    world = view(host("n1", nginx(), web(status=404)))
    memory = Memory()
    memory.note(world)
    seen = {key: at.replace(year=at.year - 1) for key, at in memory.seen.items()}
    for released, expected in ((frozenset({t("n1/web/front")}), True), (frozenset(), False), (None, True)):
        found = diagnose(world, history=seen, released=released, now=NOW)
        assert ("nginx.rollback_release" in [offer.name for offer in found.findings[0].remediations]) is expected
