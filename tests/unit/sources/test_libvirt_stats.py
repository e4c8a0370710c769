"""libvirt's counters become figures: rates, runs that end, devices that move, a balloon that fell silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from debugtui.model.libvirt import Vm
from debugtui.sources.libvirt.domain_xml import DomainFacts
from debugtui.sources.libvirt.stats import BALLOON_AGE, Rates, RawDomain
from debugtui.sources.libvirt.words import reason_of

WALL = 1_800_000_000.0
UUID = "6f754f5c-f4cc-4087-8096-10facdc862f4"


def raw(identity: int | None = 1, **stats: Any) -> RawDomain:
    counters = {"state.state": 1, "state.reason": 1, "vcpu.current": 2, "vcpu.maximum": 4, "balloon.current": 2048}
    return RawDomain("web-01", UUID, identity, {**counters, **{key.replace("__", "."): value for key, value in stats.items()}})


def two(first: RawDomain, second: RawDomain, seconds: float = 2.0) -> Vm:
    rates = Rates()
    rates.vms(100.0, [first], WALL)
    return rates.vms(100.0 + seconds, [second], WALL + seconds)[0]


def test_one_sample_has_no_rates() -> None:
    vm = Rates().vms(1.0, [raw(cpu__time=5)], WALL)[0]
    assert (vm.cpu_percent, vm.vcpus, vm.vcpus_max, vm.memory_bytes) == (None, 2, 4, 2048 * 1024)


@pytest.mark.parametrize(
    ("nanoseconds", "percent"), [(0, 0.0), (1_000_000_000, 25.0), (4_000_000_000, 100.0), (9_000_000_000, 100.0), (-1, None)]
)
def test_the_share_is_of_its_own_vcpus(nanoseconds: int, percent: float | None) -> None:
    assert two(raw(cpu__time=10**9), raw(cpu__time=10**9 + nanoseconds)).cpu_percent == percent


def test_another_run_starts_from_zero() -> None:
    assert two(raw(1, cpu__time=1), raw(2, cpu__time=10**9)).cpu_percent is None


def test_a_domain_that_is_off_has_no_rates_whatever_it_counts() -> None:
    vm = two(raw(None, cpu__time=1), raw(None, cpu__time=10**9, balloon__rss=77))
    assert (vm.cpu_percent, vm.rss_bytes, vm.id) == (None, None, None)


def test_two_samples_at_once_keep_the_older_one() -> None:
    rates = Rates()
    rates.vms(100.0, [raw(cpu__time=0)], WALL)
    rates.vms(100.1, [raw(cpu__time=10**8)], WALL)
    assert rates.vms(102.0, [raw(cpu__time=10**9)], WALL)[0].cpu_percent == 25.0


def disks(**counters: int) -> RawDomain:
    names = {"block.count": 2, "block.0.name": "vda", "block.1.name": "vdb", "block.0.path": "/store/a", "block.0.capacity": 9}
    return replace(raw(), stats={**raw().stats, **names, **{key.replace("__", "."): value for key, value in counters.items()}})


def test_disks_have_rates_and_keep_them_when_their_numbers_change() -> None:
    before = disks(block__0__wr__bytes=100, block__1__wr__bytes=5_000)
    moved = dict(before.stats) | {
        "block.count": 1,
        "block.0.name": "vdb",
        "block.0.wr.bytes": 7_000,
    }
    vm = two(before, replace(before, stats=moved))
    assert [(disk.device, disk.write_bytes_s) for disk in vm.disks] == [("vdb", 1_000.0)]
    assert vm.disks[0].read_bytes_s is None


def test_what_the_xml_tells_stands_beside_the_figures() -> None:
    facts = DomainFacts(title="The web", disks={"vda": ("qcow2", "/x")}, cards=(("vnet0", "52:54:00:00:00:01", "default"),))
    one = replace(disks(net__count=1, net__0__rx__bytes=0), facts=facts, errors={"vda": "no space"})
    named = replace(one, stats={**one.stats, "net.0.name": "vnet0", "net.0.rx.bytes": 500})
    vm = two(replace(named, stats={**named.stats, "net.0.rx.bytes": 100}), named)
    assert vm.title == "The web"
    assert (vm.disks[0].format, vm.disks[0].path, vm.disks[0].error, vm.disks[0].capacity_bytes) == (
        "qcow2",
        "/store/a",
        "no space",
        9,
    )
    card = vm.interfaces[0]
    assert (card.device, card.mac, card.network, card.rx_bytes_s, card.tx_bytes_s) == (
        "vnet0", "52:54:00:00:00:01", "default", 200.0, None,
    )  # fmt: skip


def test_a_domain_without_figures_shows_what_its_xml_names() -> None:
    facts = DomainFacts(disks={"sda": ("raw", "/dev/x")}, cards=(("", "52:54:00:00:00:01", "br0"),))
    vm = Rates().vms(1.0, [replace(raw(None), facts=facts)], WALL)[0]
    assert (vm.disks[0].device, vm.disks[0].capacity_bytes) == ("sda", None)
    assert vm.interfaces[0].network == "br0"


def guest(told: int | None, free: int = 400) -> RawDomain:
    stats = {"balloon.available": 1000, "balloon.usable": free, "balloon.unused": 1}
    return replace(raw(), stats={**raw().stats, **stats, **({} if told is None else {"balloon.last-update": told})})


def test_what_the_guest_uses_is_believed_while_its_time_moves() -> None:
    rates, wrong_clock = Rates(), int(WALL) - 86_400
    assert rates.vms(0.0, [guest(wrong_clock)], WALL)[0].memory_used_bytes is None
    assert rates.vms(2.0, [guest(wrong_clock + 2)], WALL)[0].memory_used_bytes == 600 * 1024
    later = 2.0 + BALLOON_AGE
    assert rates.vms(later, [guest(wrong_clock + 2)], WALL)[0].memory_used_bytes == 600 * 1024
    assert rates.vms(later + 1, [guest(wrong_clock + 2)], WALL)[0].memory_used_bytes is None


def test_the_first_figure_is_believed_when_its_time_is_near() -> None:
    assert Rates().vms(0.0, [guest(int(WALL) - 5)], WALL)[0].memory_used_bytes == 600 * 1024
    assert Rates().vms(0.0, [guest(0)], WALL)[0].memory_used_bytes is None
    assert Rates().vms(0.0, [guest(None)], WALL)[0].memory_used_bytes == 600 * 1024
    assert Rates().vms(0.0, [guest(int(WALL), free=5000)], WALL)[0].memory_used_bytes == 0


def test_hostile_counts_cost_nothing() -> None:
    vm = Rates().vms(0.0, [replace(raw(), stats={"block.count": 10**9, "net.count": -5, "state.state": 99})], WALL)[0]
    assert len(vm.disks) <= 1
    assert (vm.state, vm.reason) == ("no state", "unknown")


def test_hostile_names_stay_text() -> None:
    stats = {**raw().stats, "block.count": 1, "block.0.name": "vd\x1b]52;c;AA\x07a\u202e", "block.0.path": "/x\n/y"}
    disk = Rates().vms(0.0, [replace(raw(), stats=stats)], WALL)[0].disks[0]
    assert "\x1b" not in disk.device + disk.path
    assert "\u202e" not in disk.device
    assert "\n" not in disk.path


def test_reasons_beyond_the_list_are_unknown() -> None:
    assert (reason_of(3, 5), reason_of(3, 99), reason_of(1, -1)) == ("I/O error", "unknown", "unknown")
