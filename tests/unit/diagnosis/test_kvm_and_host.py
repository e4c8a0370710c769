"""Root causes on hosts and in VMs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.surroundings import Process, Space
from debugtui.model.source import LinkState
from tests.unit.diagnosis.build import (
    NOW,
    WebFault,
    answers,
    causes,
    decided,
    disk,
    docker,
    edges,
    filesystem,
    groq,
    host,
    libvirt,
    network,
    pool,
    slow_web,
    system,
    t,
    view,
    vm,
    web,
)

STORE = "/srv/guests"


def test_a_guest_that_is_paused_because_its_filesystem_is_full_is_the_filesystems_fault() -> None:
    paused = vm("cache-7", "paused", "I/O error", disks=(disk(f"{STORE}/cache-7.qcow2", "no space"),))
    world = view(host("rack-b", system(filesystems=(filesystem(40, "/"), filesystem(99.5, STORE))), libvirt(paused)))
    looked = Looked(spaces=(Space("rack-b", STORE, "log", 900 << 20, "chatty"), Space("rack-b", "/", "journal", 900 << 20)))
    found = decided(world, looked=looked)
    assert causes(found) == [("host", f"rack-b/system/{STORE}")]
    assert answers(found) == [
        ("docker.truncate_log", "rack-b/docker/chatty", {}),
        ("libvirt.resume", "rack-b/libvirt/cache-7", {}),
    ]
    assert any("cache-7" in line for line in found.findings[0].impact)
    assert "100 % of space" in found.findings[0].evidence[-1].says


def test_a_guest_that_is_paused_because_its_pool_is_full_is_the_pools_fault() -> None:
    paused = vm("db", "paused", "I/O error", disks=(disk("/pools/fast/db.img", "no space"),))
    world = view(host("n1", system(), libvirt(paused, vm("other"), pools=(pool("fast", "/pools/fast", left=1 << 20),))))
    assert causes(decided(world)) == [("kvm", "n1/libvirt/pool/fast")]
    assert answers(decided(world)) == []  # what frees space there is not known, and without space it only stops again


def test_a_guest_that_is_paused_by_an_io_error_of_which_nothing_more_is_known_is_named_itself() -> None:
    paused = vm("db", "paused", "I/O error", disks=(disk("/elsewhere/db.img", "unspecified"),))
    found = decided(view(host("n1", system(), libvirt(paused))))
    assert causes(found) == [("kvm", "n1/libvirt/db")]
    assert answers(found)[0][0] == "libvirt.resume"


@pytest.mark.parametrize(
    ("guest", "answer"),
    [
        (vm("g", "paused", "user"), "libvirt.resume"),
        (vm("g", "crashed", "panicked"), "libvirt.start"),
        (vm("g", "shut off", "shutdown", autostart=True), "libvirt.start"),
        (vm("g", "shut off", "destroyed"), "libvirt.start"),
    ],
)
def test_a_guest_that_does_not_run_though_it_should_is_named_with_its_way_back(guest: object, answer: str) -> None:
    found = decided(view(host("n1", system(), libvirt(guest, vm("well")))))  # type: ignore[arg-type]
    assert causes(found) == [("kvm", "n1/libvirt/g")]
    assert answers(found)[0] == (answer, "n1/libvirt/g", {})


def test_a_guest_that_was_shut_down_on_purpose_is_nothing_until_something_misses_it() -> None:
    off = libvirt(vm("spare", "shut off", "shutdown"))
    assert causes(decided(view(host("n1", system(), off)))) == []
    missed = view(host("n1", system(), off, web("front", None, fault=WebFault.REFUSED)))
    found = decided(missed, edges(("n1/web/front", "n1/libvirt/spare")))
    assert causes(found) == [("kvm", "n1/libvirt/spare")]


def test_a_network_and_a_pool_that_should_be_active_are_faults() -> None:
    world = view(host("n1", libvirt(networks=(network("lan", active=False),), pools=(pool("p", "/p", active=False),))))
    assert set(causes(decided(world))) == {("kvm", "n1/libvirt/network/lan"), ("kvm", "n1/libvirt/pool/p")}
    calm = view(host("n1", libvirt(networks=(network("lan", active=False, autostart=False),))))
    assert causes(decided(calm)) == []


def test_a_full_disk_is_answered_by_what_is_known_to_take_its_space_and_by_nothing_else() -> None:
    world = view(host("n1", system(filesystems=(filesystem(98, "/var"),))))
    assert answers(decided(world)) == []
    looked = Looked(
        spaces=(
            Space("n1", "/var", "packages", 50 << 20),
            Space("n1", "/var", "journal", 900 << 20),
            Space("n1", "/data", "images", 9 << 30),
        )
    )
    assert [name for name, *_ in answers(decided(world, looked=looked))] == ["system.vacuum_journal", "system.clean_packages"]


def test_a_guest_that_was_shut_down_on_purpose_suffers_from_nothing() -> None:
    off = vm("spare", "shut off", "shutdown", disks=(disk("/var/lib/spare.img"),))
    world = view(host("n1", system(filesystems=(filesystem(99, "/var"),)), libvirt(off)))
    found = decided(world, edges(("n1/libvirt/spare", "n1/system//var")))
    assert found.findings[0].impact == ()


def test_a_failed_unit_is_restarted() -> None:
    found = decided(view(host("n1", system(failed_units=("billing.service",)))))
    assert causes(found) == [("host", "n1/system/billing.service")]
    assert answers(found) == [("system.restart_unit", "n1/system/billing.service", {})]


def test_a_busy_moment_is_no_cause() -> None:
    busy = system(cpu_percent=99.0, load1=9.0, load5=4.0, load15=1.0, memory_percent=91.0)
    found = decided(view(host("n1", busy, libvirt(vm("g", cpu_percent=100.0)), docker(), web())))
    assert (found.findings, found.undecided) == ((), ())


def test_a_host_that_is_overloaded_for_minutes_explains_a_slow_page_and_names_the_process() -> None:
    busy = system(cpus=4, cpu_percent=99.0, load1=14.0, load5=12.0)
    world = view(host("n1", busy, slow_web()))
    assert causes(decided(world)) == [("host", "n1/system")]
    runaway = Process("n1", 4242, "crunch", 98.0, 900.0)
    guest = Process("n1", 99, "qemu-system-x86", 100.0, 9_000.0)
    found = decided(world, looked=Looked(processes=(guest, runaway)))
    assert answers(found) == [("system.end_process", "n1/system/4242", {})]
    assert "crunch" in found.findings[0].title


def test_a_cpu_that_was_seen_busy_for_as_long_as_its_rule_demands_is_a_cause() -> None:
    world = view(host("n1", system(cpu_percent=95.0)))
    since = NOW - timedelta(minutes=6)
    assert causes(decided(world, history={("cpu", t("n1/system")): since})) == [("host", "n1/system")]
    assert causes(decided(world, history={("cpu", t("n1/system")): NOW - timedelta(minutes=1)})) == []


def test_a_host_that_is_lost_is_the_cause_of_everything_on_it_and_one_that_refuses_us_is_not() -> None:
    gone = view(host("n1", link=LinkState.LOST, problem="no answer"), groq(None, None))
    assert causes(decided(gone)) == [("host", "n1/system")]
    refusing = decided(view(host("n1", link=LinkState.REFUSED, problem="the host key changed")))
    assert refusing.findings == ()
    assert "refuses our connection" in refusing.undecided[0].question


def test_two_faults_that_have_nothing_to_do_with_each_other_are_two_findings() -> None:
    world = view(
        host("n1", system(failed_units=("a.service",)), libvirt(vm("g", "paused", "user"))),
        host("n2", system(filesystems=(filesystem(99, "/"),))),
    )
    assert set(causes(decided(world))) == {
        ("host", "n1/system/a.service"), ("kvm", "n1/libvirt/g"), ("host", "n2/system//"),
    }  # fmt: skip
