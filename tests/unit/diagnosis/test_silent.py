"""Root causes that run and give no answer, and what a busy host is not to blame for."""

from __future__ import annotations

from dataclasses import replace

from debugtui.diagnosis.engine import diagnose
from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.surroundings import Stopped
from debugtui.model.diagnosis import Diagnosis
from debugtui.model.nginx import ErrorGroup
from debugtui.model.source import FleetView, Kind
from debugtui.model.topology import Edge, Topology
from debugtui.model.web import Match
from tests.unit.diagnosis.build import (
    NOW,
    WebFault,
    ago,
    answers,
    box,
    causes,
    chain,
    decided,
    docker,
    edges,
    event,
    host,
    libvirt,
    nginx,
    postgres,
    session,
    source,
    statement,
    system,
    t,
    tls,
    upstream,
    view,
    vm,
    web,
)

LATE = ErrorGroup(
    "error", 4, 'upstream timed out (110: Connection timed out) while reading response, upstream: "http://10.3.0.9:81/"', ago(4)
)
BUSY = {"cpu_percent": 97.0, "load1": 9.0, "load5": 8.5, "cpus": 2}


def behind(thing: str) -> Topology:
    rows = [
        Edge(t("oak/web/wiki"), t("oak/nginx/edge"), "configured"),
        Edge(t("oak/nginx/edge"), t(thing), "location / of wiki.test: 10.3.0.9:81 is held by it"),
        Edge(t(thing), t("oak/system"), "it runs there"),
    ]
    return Topology(NOW, (), tuple(rows))


def late(*more: object) -> FleetView:
    return view(host("oak", nginx("edge", errors=(LATE,)), web("wiki", 504), *more))


def test_a_guest_that_runs_and_answers_nobody_is_named_where_its_proxy_waits_for_it() -> None:
    found = decided(late(libvirt(vm("wiki-2"), vm("ci-4")), system()), behind("oak/libvirt/wiki-2"))
    assert causes(found) == [("kvm", "oak/libvirt/wiki-2")]
    assert found.findings[0].title == "wiki-2 runs, and gives no answer at 10.3.0.9:81"
    assert answers(found) == [("libvirt.restart", "oak/libvirt/wiki-2", {})]


def test_a_container_that_answers_nobody_is_named_without_a_proxy_too() -> None:
    world = view(host("oak", docker(box("wiki")), web("wiki", None, fault=WebFault.TIMEOUT)))
    found = decided(world, edges(("oak/web/wiki", "oak/docker/wiki")))
    assert causes(found) == [("docker", "oak/docker/wiki")]
    assert answers(found)[0] == ("docker.restart", "oak/docker/wiki", {})


def test_what_explains_the_silence_is_the_cause() -> None:
    top = behind("oak/docker/wiki")
    locked = postgres("pages", **chain(99, state="idle in transaction", waits=30.0))
    known = replace(top, edges=(*top.edges, Edge(t("oak/docker/wiki"), t("oak/postgres/pages"), "seen")))
    for topology in (top, known):
        found = decided(late(docker(box("wiki")), locked), topology)
        assert [layer for layer, _ in causes(found)] == ["postgres"]
    paused = decided(late(docker(box("wiki", "paused"))), top)
    assert [offer[0] for offer in answers(paused)] == ["docker.unpause"]
    assert "paused" in paused.findings[0].title


def test_one_late_line_of_a_proxy_is_no_finding() -> None:
    quiet = view(host("oak", nginx("edge", errors=(LATE,)), docker(box("wiki")), web("wiki", 200)))
    assert not decided(quiet, behind("oak/docker/wiki")).findings


def test_a_busy_host_is_not_to_blame_for_one_silent_address_where_its_neighbours_answer_at_once() -> None:
    for rows, expected in (((web("shop"), web("blog")), "oak/libvirt/wiki-2"), ((), "oak/system")):
        found: Diagnosis = decided(late(libvirt(vm("wiki-2")), system(**BUSY), *rows), behind("oak/libvirt/wiki-2"))
        assert [target for _, target in causes(found)] == [expected]


def test_a_timeout_that_a_lock_leads_to_needs_no_proxy() -> None:
    locked = postgres("pages", **chain(99, state="idle in transaction", waits=30.0))
    world = view(host("oak", docker(box("wiki")), locked, web("wiki", None, fault=WebFault.TIMEOUT)))
    found = decided(world, edges(("oak/web/wiki", "oak/docker/wiki"), ("oak/docker/wiki", "oak/postgres/pages")))
    assert [layer for layer, _ in causes(found)] == ["postgres"]


def test_nothing_is_silent_where_nothing_is_asked() -> None:
    assert not diagnose(view(host("oak", docker(box("wiki")))), behind("oak/docker/wiki"), now=NOW).findings


def test_which_of_two_containers_answers_with_an_error_is_not_guessed() -> None:
    world = view(host("oak", docker(box("one"), box("two")), web("wiki", 500)))
    both = edges(("oak/web/wiki", "oak/docker/one"), ("oak/web/wiki", "oak/docker/two"))
    assert causes(decided(world, both)) == [("web", "oak/web/wiki")]
    unsure = edges(("oak/web/wiki", "oak/docker/one", False))
    assert causes(decided(world, unsure)) == [("web", "oak/web/wiki")]


def test_an_error_is_not_blamed_on_a_statement_that_takes_long_or_on_a_busy_host() -> None:
    working = postgres("pages", sessions=(session(31, "active", "report", 40.0),))
    world = view(host("oak", docker(box("wiki")), working, system(**BUSY), web("wiki", 500)))
    topology = edges(("oak/web/wiki", "oak/docker/wiki"), ("oak/docker/wiki", "oak/postgres/pages"))
    assert causes(decided(world, topology)) == [("docker", "oak/docker/wiki")]


def test_an_upstream_whose_container_was_removed_is_the_removals_fault() -> None:
    events = (event("kill", "wiki", 43), event("die", "wiki", 42), event("destroy", "wiki", 41))
    rows = (nginx("edge", upstreams=(upstream("pages", port_81=False),)), web("wiki", 502))
    top = edges(("oak/web/wiki", "oak/nginx/edge/pages"), ("oak/nginx/edge/pages", "oak/address/127.0.0.1:81"))
    found = decided(view(host("oak", docker(box("blog"), events=events), *rows)), top)
    assert causes(found) == [("docker", "oak/docker/wiki")]
    assert "was ended and removed" in found.findings[0].title
    ended = (event("die", "wiki", 42), event("destroy", "wiki", 41))
    by_itself = decided(view(host("oak", docker(box("blog"), events=ended), *rows)), top)
    assert causes(by_itself) == [("web", "oak/nginx/edge")]
    assert not decided(view(host("oak", docker(box("blog"), events=events), web("wiki")))).findings


REFUSED = ErrorGroup(
    "error",
    3,
    'connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://10.3.0.9:82/"',
    ago(9),
)


def test_what_a_proxy_says_of_one_upstream_makes_no_page_lack_its_text() -> None:
    said = nginx("edge", errors=(REFUSED,))
    other = web("wiki", matches=(Match("body", "Wiki", "Apache", False),))
    found = decided(view(host("oak", said, other)), edges(("oak/web/wiki", "oak/nginx/edge")))
    assert causes(found) == [("web", "oak/web/wiki")]


def test_a_door_that_is_shut_is_its_proxys_fault_whatever_ails_those_behind_it() -> None:
    rows = (nginx("edge", master=None), docker(box("wiki", "paused")), web("wiki", None, fault=WebFault.REFUSED))
    top = edges(("oak/web/wiki", "oak/nginx/edge"), ("oak/nginx/edge", "oak/docker/wiki"))
    found = decided(view(host("oak", *rows)), top)
    impact = {str(one.target): one.impact for one in found.findings}
    assert any("oak/web/wiki" in row for row in impact["oak/nginx/edge"])
    assert not any("oak/web/wiki" in row for row in impact["oak/docker/wiki"])


def test_one_certificate_at_several_addresses_is_one_finding() -> None:
    rows = [tls(-3.0, name=name) for name in ("pay", "shop")]
    found = decided(view(host("oak", *rows)))
    assert causes(found) == [("web", "oak/tls/pay")]
    assert any("oak/web/shop" in row for row in found.findings[0].impact)


def test_an_nginx_that_runs_and_answers_nowhere_is_named_and_where_it_answers_somewhere_it_is_not() -> None:
    top = edges(*((f"oak/web/{name}", "oak/nginx/edge") for name in ("wiki", "blog")))
    dead = [web(name, None, fault=WebFault.TIMEOUT) for name in ("wiki", "blog")]
    found = decided(view(host("oak", nginx("edge"), *dead)), top)
    assert causes(found) == [("web", "oak/nginx/edge")]
    assert found.findings[0].title == "edge runs, and gives no answer"
    one = decided(view(host("oak", nginx("edge"), dead[0], web("blog"))), top)
    assert causes(one) == [("web", "oak/web/wiki")]


def test_a_silence_is_not_blamed_on_statements_that_took_long_on_average() -> None:
    slow = postgres("pages", statements=(statement("SELECT 1", mean_ms=4_000.0, calls=99),))
    top = behind("oak/docker/wiki")
    known = replace(top, edges=(*top.edges, Edge(t("oak/docker/wiki"), t("oak/postgres/pages"), "seen")))
    assert causes(decided(late(docker(box("wiki")), slow), known)) == [("docker", "oak/docker/wiki")]


QEMU = Stopped("oak", 815, "/usr/bin/qemu-system-x86_64 -name guest=wiki-2,debug-threads=on -S")
HANGS = source(Kind.LIBVIRT, None, "libvirt", "libvirt did not answer within 5 s")


def test_a_guest_whose_qemu_is_stopped_is_at_fault_and_not_the_libvirt_that_waits_for_it() -> None:
    found = decided(late(HANGS, system()), behind("oak/libvirt/wiki-2"), looked=Looked(stopped=(QEMU,)))
    assert causes(found) == [("kvm", "oak/libvirt/wiki-2")]
    assert found.findings[0].title == "wiki-2 stands still: its QEMU, process 815, is stopped by a signal"
    assert any("answers 504" in one for one in found.findings[0].impact)


def test_where_several_guests_are_stopped_or_none_libvirt_itself_is_named() -> None:
    other = Stopped("oak", 816, "/usr/bin/qemu-system-x86_64 -name ci-4")
    for stopped in ((QEMU, other), (), (replace(QEMU, host="elm"),), (replace(QEMU, command="vi -name guest=wiki-2"),)):
        found = decided(view(host("oak", HANGS, system())), looked=Looked(stopped=stopped))
        assert causes(found) == [("kvm", "oak/libvirt")]


def test_a_daemon_that_hangs_is_told_with_its_process_that_is_stopped() -> None:
    hangs = source(Kind.DOCKER, None, "docker", "the Docker engine did not answer within 5 s")
    stopped = Stopped("oak", 41, "/usr/sbin/dockerd --host=fd://")
    found = decided(view(host("oak", hangs)), looked=Looked(stopped=(stopped,)))
    assert causes(found) == [("docker", "oak/docker")]
    assert "its process 41 (dockerd) is stopped" in found.findings[0].title
