"""Plans for VMs on libvirt's test driver: targets, guards, classes, offers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from debugtui.hosts.link import CommandResult, CommandTimeoutError
from debugtui.model.libvirt import LibvirtReading, Vm, VmDisk
from debugtui.model.plan import FACTORS, Guard, GuardStatus, Plan, RiskClass
from debugtui.model.source import FleetView, Freshness, HostView, Kind, LinkState, LinkStatus, Problem, SourceStatus
from debugtui.remediation import registry
from debugtui.remediation.base import NothingToDoError, PlanError, StaleError, Undo
from debugtui.remediation.catalogue.libvirt import common, domain, observe, power
from debugtui.remediation.catalogue.libvirt.domain import identity, same, sha
from debugtui.remediation.planner import job_of, make_plan
from tests.unit.fakes import START, FakeLink
from tests.unit.remediation.libvirt_world import HOST, target, uuid, world

NAMES = [name for name in registry.CATALOGUE if name.startswith("libvirt.")]
EVIL = "[@click=app.quit]x[&#x202E;]$(id)"


def vector(plan: Plan) -> tuple[int, ...]:
    return tuple(getattr(plan.risk.vector, name) for name in FACTORS)


def status(plan: Plan, name: str) -> str:
    return next(guard.status.value for guard in plan.guards if guard.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_what_it_is(name: str) -> None:
    spec = registry.get(name).spec
    assert spec.name == name
    assert spec.guards
    assert len(spec.summary) <= 110
    assert 1 <= spec.risk[0] <= spec.risk[1] <= 4


async def test_a_target_is_found_by_name_and_uuid_and_by_the_name_on_the_screen(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 3, EVIL: 3}) as (_, eyes, _shared):
        for name in ("a", uuid(1)):
            plan = await make_plan(eyes, "libvirt.resume", target(name), {})
            assert plan.target == target("a")
        shown = "[@click=app.quit]x[<202E>]$(id)"
        plan = await make_plan(eyes, "libvirt.resume", target(shown), {})
        assert plan.target == target(shown)
        assert "\u202e" not in str(plan.to_json())
        assert dict(plan.before.identity)["uuid"] == uuid(2)


async def test_a_name_that_is_somebody_elses_uuid_is_ambiguous(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 3, uuid(1): 3}) as (_, eyes, _shared):
        with pytest.raises(PlanError, match="names 2 VMs"):
            await make_plan(eyes, "libvirt.resume", target(uuid(1)), {})


@pytest.mark.parametrize("name", ["nobody", "", uuid(9), "*"])
async def test_what_is_not_there_has_no_plan(tmp_path: Path, name: str) -> None:
    async with world(tmp_path, {"a": 3}) as (_, eyes, _shared):
        with pytest.raises(PlanError):
            await make_plan(eyes, "libvirt.resume", target(name), {})


async def test_each_part_of_the_identity_counts(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 3}) as (_, eyes, shared):
        _, seen = await common.look(eyes, target("a"))
        expect = identity(seen)
        assert await shared.call(lambda connection: same(connection, expect).name(), 5) == "a"
        for key in expect:
            wrong = {**expect, key: "other" if key != "uuid" else uuid(7)}
            with pytest.raises(StaleError, match="is gone" if key == "uuid" else f"{key} was other"):
                await shared.call(lambda connection, wrong=wrong: same(connection, wrong).name(), 5)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(1, "pass"), (0, "unknown"), (2, "fail"), (3, "fail"), (4, "fail"), (6, "fail"), (7, "fail"), (8, "fail"), (9, "fail"),
     (10, "fail"), (11, "fail"), (12, "fail"), (13, "fail"), (14, "unknown"), (99, "unknown")],
)  # fmt: skip
async def test_why_it_is_paused_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, expected: str) -> None:
    read = domain.read
    monkeypatch.setattr(domain, "read", lambda one: replace(read(one), reason=reason))
    async with world(tmp_path, {"a": 3}) as (_, eyes, _shared):
        plan = await make_plan(eyes, "libvirt.resume", target("a"), {})
    assert status(plan, "pause_reason") == expected
    assert bool(plan.refusals) is (expected != "pass")


async def test_a_job_under_way_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that was cut off leaves a guest that neither resumes nor undefines."""
    read = domain.read
    monkeypatch.setattr(domain, "read", lambda one: replace(read(one), job=2, reason=3))
    async with world(tmp_path, {"a": 3}) as (_, eyes, _shared):
        plan = await make_plan(eyes, "libvirt.resume", target("a"), {})
    assert {guard.name for guard in plan.refusals} == {"pause_reason", "no_job_running"}


class Store(FakeLink):
    """A host whose store has so much space."""

    def __init__(self, answer: str, code: int = 0) -> None:
        super().__init__()
        self.answer, self.code, self.ran = answer, code, []

    async def run(self, argv: Any, *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        self.ran.append(tuple(argv))
        if self.answer == "hung":
            raise CommandTimeoutError(Problem("stat did not end within 10 s"))
        if argv[0] == "stat":
            return CommandResult(self.code, self.answer.encode(), b"stat: no such file")
        return CommandResult(1, b"", b"")


@pytest.mark.parametrize(
    ("answer", "code", "expected", "cls"),
    [
        ("ext2/ext3|4096|1000|100", 0, "pass", RiskClass.ROUTINE),
        ("ext2/ext3|4096|1000|99", 0, "fail", None),
        ("ext2/ext3|4096|0|0", 0, "fail", None),
        ("", 1, "unknown", RiskClass.STOP),
        ("ext2/ext3|4096|-1|x", 0, "unknown", RiskClass.STOP),
        ("hung", 0, "unknown", RiskClass.STOP),
    ],
)
async def test_resuming_after_an_io_error_takes_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, expected: str, cls: RiskClass | None
) -> None:
    read = domain.read
    monkeypatch.setattr(domain, "read", lambda one: replace(read(one), reason=5, disk_errors=(("vda", 2),)))
    async with world(tmp_path, {"a": 3}) as (around, eyes, _shared):
        object.__setattr__(around, "link", Store(answer, code))
        plan = await make_plan(eyes, "libvirt.resume", target("a"), {})
    assert status(plan, "store_space") == expected
    if cls is not None:
        assert plan.risk.cls is cls
    if expected == "pass":
        assert vector(plan) == (0, 1, 0, 2, 0, 0, 0, 0)
    if expected == "fail":
        assert plan.mitigations


async def test_an_error_that_is_none_of_space_raises_the_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = domain.read
    monkeypatch.setattr(domain, "read", lambda one: replace(read(one), reason=5, disk_errors=(("vda", 1),)))
    async with world(tmp_path, {"a": 3}) as (around, eyes, _shared):
        object.__setattr__(around, "link", Store("xfs|4096|1000|900"))
        plan = await make_plan(eyes, "libvirt.resume", target("a"), {})
    assert (status(plan, "disk_errors"), plan.risk.cls, plan.refusals) == ("unknown", RiskClass.CAREFUL, ())


async def test_parameters_that_are_none(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 3, "b": 1}) as (_, eyes, _shared):
        for name, vm, params in (
            ("libvirt.resume", "a", {"even_if": "it burns"}),
            ("libvirt.resume", "a", {"least_free_mib": "-1"}),
            ("libvirt.restart", "b", {"wait_s": "1e3"}),
            ("libvirt.set_vcpus", "b", {"count": "0"}),
            ("libvirt.set_memory", "b", {"mib": "1,5"}),
            ("libvirt.grow_disk", "b", {"device": "vda", "gib": "10; reboot"}),
            ("libvirt.snapshot", "b", {"name": "../x"}),
            ("libvirt.define_xml", "b", {"file": "/nowhere"}),
            ("libvirt.autostart", "b", {"state": ""}),
        ):
            with pytest.raises(PlanError):
                await make_plan(eyes, name, target(vm), params)


@pytest.mark.parametrize(
    ("services", "cls", "expected"),
    [(1, RiskClass.SEVERE, (3, 2, 1, 2, 0, 0, 0, 0)), (2, RiskClass.STOP, (3, 2, 1, 3, 0, 0, 0, 0)),
     (0, RiskClass.STOP, (3, 2, 1, 4, 0, 0, 0, 0))],
)  # fmt: skip
async def test_restarting_is_as_severe_as_what_runs_inside(
    tmp_path: Path, services: int, cls: RiskClass, expected: tuple[int, ...]
) -> None:
    named = {f"s{number}": [f"{HOST}/libvirt/a"] for number in range(services)}
    async with world(tmp_path, {"a": 1}, services=named) as (_, eyes, _shared):
        plan = await make_plan(eyes, "libvirt.restart", target("a"), {})
    assert (vector(plan), plan.risk.cls) == (expected, cls)
    assert [step.timeout_s for step in plan.steps] == [210, 90]


@pytest.mark.parametrize(("known", "cls", "uncertain"), [(True, RiskClass.CAREFUL, 0), (None, RiskClass.STOP, 4)])
async def test_growing_a_disk_takes_a_verified_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool | None, cls: RiskClass, uncertain: int
) -> None:
    async def backups(_eyes: Any, _vm: str) -> tuple[Guard, ...]:
        return (Guard("recent_backup", GuardStatus.PASS if known else GuardStatus.UNKNOWN, "backup"),)

    async def idle(*_: Any) -> Guard:
        return Guard("no_block_job", GuardStatus.PASS, "none")

    monkeypatch.setattr("debugtui.remediation.catalogue.libvirt.disk.backups_of_host", backups)
    monkeypatch.setattr("debugtui.remediation.catalogue.libvirt.disk.no_block_job", idle)
    monkeypatch.setattr(common, "agent_connected", lambda _: True)
    async with world(tmp_path, {"a": 1}) as (around, eyes, _shared):
        object.__setattr__(around, "link", Store(f"xfs|4096|{1 << 40}|{1 << 39}"))
        plan = await make_plan(eyes, "libvirt.grow_disk", target("a"), {"device": "vda", "gib": "2048"})
        assert (vector(plan), plan.risk.cls) == ((0, 4, 1, 2, 0, 0, uncertain, 0), cls)
        assert f"{2048 << 30}, BLOCK_RESIZE_BYTES" in plan.steps[0].command
        smaller = await make_plan(eyes, "libvirt.grow_disk", target("a"), {"device": "vda", "gib": "200"})
    assert smaller.risk.cls is RiskClass.STOP
    assert "grows" in {guard.name for guard in smaller.refusals}


@pytest.mark.parametrize(("device", "word"), [("<shareable/>", "shareable"), ("<readonly/>", "read-only")])
async def test_doubts_about_a_disk_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, word: str) -> None:
    read = domain.read

    def changed(one: Any) -> Any:
        seen = read(one)
        return replace(seen, live=seen.live.replace("<target dev", f"{device}<target dev"))

    monkeypatch.setattr(domain, "read", changed)
    async with world(tmp_path, {"a": 1}) as (around, eyes, _shared):
        object.__setattr__(around, "link", Store("nfs|4096|1000|900"))
        from debugtui.remediation.catalogue.libvirt import storage

        _, seen = await common.look(eyes, target("a"))
        guard = storage.layout(await storage.stores_of(eyes, seen.uuid, storage.disks_of(seen.live)))
    assert (guard.status, guard.critical) == (GuardStatus.UNKNOWN, False)
    assert word in guard.why
    assert "shared storage (nfs)" in guard.why


async def test_memory_and_processors_are_raised_and_never_lowered(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 1}) as (_, eyes, _shared):
        for name, key, less, more, most in (
            ("set_vcpus", "count", None, "2", "5"),
            ("set_memory", "mib", "256", "768", "2048"),
        ):
            plan = await make_plan(eyes, f"libvirt.{name}", target("a"), {key: more})
            assert plan.risk.cls < RiskClass.STOP
            assert len(plan.steps) == 2
            above = await make_plan(eyes, f"libvirt.{name}", target("a"), {key: most})
            assert "within_maximum" in {guard.name for guard in above.refusals}
            if less:
                lower = await make_plan(eyes, f"libvirt.{name}", target("a"), {key: less})
                assert lower.risk.cls is RiskClass.STOP
                assert len(lower.mitigations) == 2


def elsewhere(name: str, number: int, state: str) -> HostView:
    vm = Vm("twin", uuid(number), 1, state, "booted", 1, 1, None, 1, 1, None, None)
    now = datetime(2026, 3, 14, tzinfo=UTC)
    reading = LibvirtReading(now, "", name, "", "", True, 1, 1, None, (vm,))
    source = SourceStatus(name, "libvirt", Kind.LIBVIRT, Freshness.LIVE, reading=reading)
    return HostView(name, "x", LinkStatus(LinkState.UP), (source,))


async def test_what_runs_elsewhere_is_not_started(tmp_path: Path) -> None:
    for hosts, others, expected in (
        ([elsewhere("kvm-02", 1, "running")], ["kvm-02"], "fail"),
        ([elsewhere("kvm-02", 1, "shut off")], ["kvm-02"], "pass"),
        ([elsewhere("kvm-02", 5, "running")], ["kvm-02"], "pass"),
        ([], ["kvm-02"], "pass"),
    ):
        async with world(tmp_path, {"a": 5}, hosts=hosts, others=others) as (around, eyes, _shared):
            object.__setattr__(around, "link", Store("xfs|4096|1000|900"))
            plan = await make_plan(eyes, "libvirt.start", target("a"), {})
            assert status(plan, "no_second_copy") == expected
            object.__setattr__(around, "link", Store("nfs|4096|1000|900"))
            shared = await make_plan(eyes, "libvirt.start", target("a"), {})
            assert status(shared, "no_second_copy") == (expected if hosts else "unknown")


async def test_started_and_restarted_on_the_test_driver(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 1, "b": 5}) as (_, eyes, shared):
        _, seen = await common.look(eyes, target("a"))
        expect, keys = identity(seen), ("uuid", "persistent", "definition")
        assert await shared.call(lambda c: power.ask_to_shut_down(c, expect, keys, agent=False), 5) == "by ACPI"
        assert await shared.call(lambda c: power.ask_to_shut_down(c, expect, keys, agent=False), 5) == ""
        number = await shared.call(lambda c: power.create(c, expect, keys), 5)
        assert number is not None
        assert str(number) != expect["instance"]
        assert await shared.call(lambda c: power.create(c, expect, keys), 5) is None
        check = observe.works(seen.uuid)
        samples = [await check.sample(eyes) for _ in range(3)]
        assert [sample.ok for sample in samples] == [None, True, True]


async def test_a_plan_reads_the_same_in_another_process(tmp_path: Path) -> None:
    """Steps, rollback and checks are made from the plan alone."""
    async with world(tmp_path, {"a": 1, "p": 3, "o": 5}, services={"s": [f"{HOST}/libvirt/a"]}) as (around, eyes, _shared):
        object.__setattr__(around, "link", Store("xfs|4096|1000|900"))
        file = tmp_path / "x.xml"
        _, seen = await common.look(eyes, target("o"))
        file.write_text(seen.inactive.replace("<memory unit='KiB'>1048576", "<memory unit='KiB'>2097152"))
        for name, vm, params in (
            ("libvirt.resume", "p", {}),
            ("libvirt.start", "o", {}),
            ("libvirt.restart", "a", {}),
            ("libvirt.set_vcpus", "a", {"count": "2"}),
            ("libvirt.set_memory", "a", {"mib": "600"}),
            ("libvirt.autostart", "o", {"state": "on"}),
            ("libvirt.define_xml", "o", {"file": str(file)}),
        ):
            plan = await make_plan(eyes, name, target(vm), params)
            remediation, job = registry.get(name), job_of(plan)
            assert [step.command for step in remediation.steps(job)] == [step.command for step in plan.steps]
            assert [step.command for step in remediation.undo(job)] == [step.command for step in plan.rollback]
            assert bool(remediation.undo_checks(job)) is bool(plan.rollback)
            assert remediation.spec.undo is not Undo.EXACT or plan.rollback
            assert uuid({"a": 1, "p": 2, "o": 3}[vm]) in plan.steps[0].command
            assert all(len(text) <= 120 for text in (plan.problem, plan.solution)), (plan.problem, plan.solution)


async def test_nothing_to_do(tmp_path: Path) -> None:
    async with world(tmp_path, {"a": 1}) as (_, eyes, _shared):
        for name, params in (
            ("resume", {}),
            ("start", {}),
            ("set_vcpus", {"count": "1"}),
            ("set_memory", {"mib": "512"}),
            ("autostart", {"state": "off"}),
            ("commit_snapshot", {}),
        ):
            with pytest.raises(NothingToDoError):
                await make_plan(eyes, f"libvirt.{name}", target("a"), params)


# --- offers

DISK = VmDisk("vda", "/x", "qcow2", 1, 1, None, None, None, None)
VM = Vm("a", uuid(1), 1, "running", "booted", 1, 2, 10.0, 1 << 29, 1 << 30, None, None, (DISK,), (), ())


def seen_on_screen(**changes: Any) -> FleetView:
    now = datetime(2026, 3, 14, tzinfo=UTC)
    reading = LibvirtReading(now, "", HOST, "", "", True, 1, 1, None, (replace(VM, **changes),))
    source = SourceStatus(HOST, "libvirt", Kind.LIBVIRT, Freshness.LIVE, reading=reading)
    return FleetView(START, (HostView(HOST, "local", LinkStatus(LinkState.UP), (source,)),))


@pytest.mark.parametrize(
    ("changes", "first", "rank"),
    [
        ({"state": "paused", "reason": "I/O error"}, "libvirt.resume", 0),
        ({"state": "paused", "reason": "user"}, "libvirt.resume", 0),
        ({"state": "shut off", "reason": "shutdown", "autostart": True}, "libvirt.start", 0),
        ({"state": "shut off", "reason": "destroyed"}, "libvirt.start", 20),
        ({"cpu_percent": 99.0}, "libvirt.set_vcpus", 30),
    ],
)
def test_the_way_out_is_offered_first(changes: dict[str, Any], first: str, rank: int) -> None:
    view = seen_on_screen(**changes)
    offers = [offer for name in NAMES if (offer := registry.get(name).offer(view, target("a"))) is not None]
    assert len(offers) == len(NAMES)
    assert all(offer.why for offer in offers)
    best = min((offer for offer in offers if offer.applies), key=lambda offer: offer.rank)
    assert (best.remediation, best.rank) == (first, rank)


@pytest.mark.parametrize("reason", ["migrating", "saving", "creating snapshot", "crashed", "unknown"])
def test_a_pause_for_other_reasons_offers_no_resume(reason: str) -> None:
    offer = registry.get("libvirt.resume").offer(seen_on_screen(state="paused", reason=reason), target("a"))
    assert offer is not None
    assert (offer.applies, reason in offer.why) == (False, True)


def test_other_rows_are_none_of_its_business() -> None:
    from debugtui.model.target import Target

    for other in (Target(HOST, "docker", "a"), Target("kvm-09", "libvirt", "a"), target("z"), target("")):
        assert all(registry.get(name).offer(seen_on_screen(), other) is None for name in NAMES)


def test_the_fingerprint_is_of_the_definition_to_the_byte() -> None:
    assert sha("<a/>") != sha("<a />")
