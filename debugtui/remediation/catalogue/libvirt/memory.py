"""Gives a VM more memory, up to what it was started with; memory is never taken from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
    Offer,
    Parameter,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, memory_guard
from debugtui.remediation.catalogue.libvirt.domain import CONFIG, LIVE, RUNNING, Seen, by_uuid, identity, read, same
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.libvirt.domain_xml import parse

_KIB = 1 << 10
#: How far the balloon may be from what was asked for, in KiB: it moves in pages.
_SLACK = 1 << 10
_STEP_S = 40


class SetMemory(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.set_memory",
        title="Raise memory",
        summary="Gives a VM more memory, running and defined, up to its maximum.",
        target=common.TARGET_FORM,
        parameters=(Parameter("mib", "how much it is to have, in MiB"),),
        risk=(2, 4),
        undo=Undo.COMPENSATING,
        undo_says="asks for the old size again; the guest may not give the memory back",
        guards=("persistent", "no_job_running", "within_maximum", "host_memory", "balloon_driver"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies where the balloon is not at its largest."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.memory_bytes >= vm.memory_max_bytes:
            why = "it has all of its memory; more takes a new definition and a restart"
            return common.offer(self.spec.name, target, False, why)
        full = vm.memory_percent is not None and vm.memory_percent > 90
        why = "the guest uses nearly all of it" if full else "it has less than its maximum"
        return common.offer(self.spec.name, target, True, why, rank=20 if full else 70)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read what it has, is defined with, and may have."""
        wanted = common.whole(params, "mib", 16, 1 << 26) * common.MIB // _KIB
        target, seen = await common.look(eyes, target)
        sizes = await common.ask(eyes, lambda connection: _sizes(connection, seen.uuid))
        now, name = sizes["now"], seen.shown
        after = _after(sizes, wanted)
        if after == sizes and wanted == now:
            raise NothingToDoError(f"{name} has {_mib(wanted)}")
        lowers = wanted < now
        return Draft(
            target=target,
            problem=f"{name} ({seen.words}) has {_mib(now)} of at most {_mib(sizes['maximum'])}",
            solution=f"give {name} {_mib(wanted)}",
            factors=_factors(seen.active, now),
            identity={**identity(seen), "memory": _shown(sizes).replace("\n", ", ")},
            data={"expect": identity(seen), "before": sizes, "after": after},
            diff=(DiffPart(f"memory of {name}", "text", _shown(sizes), _shown(after)),),
            guards=await _guards(eyes, seen, sizes, wanted),
            irreversible=("the guest may not give the memory back",) if seen.active else (),
            mitigations=_mitigations(lowers, wanted > sizes["maximum"]),
            stop="memory is not taken from a guest: it may end its programs, or panic" if lowers else "",
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """The running guest first, then its definition."""
        names = {"live": "raise in the running guest", "config": "raise in the definition"}
        return tuple(_step(job, names[key], key, forward=True) for key in ("live", "config") if _changes(job, key))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The old sizes, in reverse order."""
        names = {"live": "ask the running guest for it back", "config": "set back in the definition"}
        return tuple(_step(job, names[key], key, forward=False) for key in ("config", "live") if _changes(job, key))

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """What the balloon says it is, and the definition."""
        return (_check(job, _part(job, "after")),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The old sizes."""
        return (_check(job, _part(job, "before")),)


def _part(job: Job, when: str) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", job.data[when]))


def _changes(job: Job, key: str) -> bool:
    return bool(_part(job, "before")[key] != _part(job, "after")[key])


def _sizes(connection: Any, uuid: str) -> dict[str, Any]:
    """Sizes in KiB: `live` what the balloon is (None while off), `config` what is defined; in libvirt's thread."""
    seen = read(by_uuid(connection, uuid))
    domain = by_uuid(connection, uuid)
    config = _defined(seen.inactive, "currentMemory") if seen.persistent else None
    live, maximum = None, _defined(seen.inactive, "memory")
    if seen.active:
        stats = domain.memoryStats()
        live = int(stats.get("actual", domain.info()[2]))
        maximum = min(maximum, int(domain.maxMemory()))
    return {"live": live, "config": config, "maximum": maximum, "now": config if live is None else live}


def _defined(xml: str, tag: str) -> int:
    """A size of the definition in KiB; the current one is the whole memory where it is not named."""
    root = parse(xml)
    found = None if root is None else root.find(tag)
    if found is None and root is not None:
        found = root.find("memory")
    size = memory_guard.size_of(found.text or "", found.get("unit", "KiB")) if found is not None else None
    return (size or 0) // _KIB


def _mib(kib: int) -> str:
    return f"{kib / 1024:g} MiB"


def _after(sizes: Mapping[str, Any], wanted: int) -> dict[str, Any]:
    """The sizes afterwards. Of a running guest the definition is only raised: it may have more at its next start."""
    after = dict(sizes)
    if sizes["live"] is None:
        after["config"] = wanted
    else:
        after["live"] = wanted
        after["config"] = None if sizes["config"] is None else max(sizes["config"], wanted)
    return {**after, "now": wanted}


def _shown(sizes: Mapping[str, Any]) -> str:
    lines = []
    if sizes["live"] is not None:
        lines.append(f"running: {_mib(sizes['live'])}")
    if sizes["config"] is not None:
        lines.append(f"defined: {_mib(sizes['config'])}")
    return "\n".join([*lines, f"at most: {_mib(sizes['maximum'])}"])


async def _guards(eyes: Eyes, seen: Seen, sizes: Mapping[str, Any], wanted: int) -> tuple[Guard, ...]:
    most = sizes["maximum"]
    fits = wanted <= most
    why = f"at most {_mib(most)} without a restart" if fits else f"{_mib(wanted)} are more than the maximum, {_mib(most)}"
    found = [common.persistent(seen), common.no_job(seen), common.guard("within_maximum", fits, why)]
    if seen.active:
        found.append(common.guard("state", seen.state == RUNNING, f"{seen.shown} is {seen.words}"))
        found.append(await memory_guard.enough(eyes, seen, max(0, wanted - sizes["live"]) * _KIB))
        found.append(await _balloon(eyes, seen))
    return tuple(found)


async def _balloon(eyes: Eyes, seen: Seen) -> Guard:
    """Without a balloon driver in the guest libvirt says yes and nothing happens."""
    stats = await common.ask(eyes, lambda connection: dict(by_uuid(connection, seen.uuid).memoryStats()))
    if stats.get("last_update", 0) > 0 and "available" in stats:
        return common.guard("balloon_driver", True, "the guest's balloon driver answers", critical=False)
    why = "the guest's balloon driver has told nothing: without one nothing will change"
    return common.guard("balloon_driver", None, why, critical=False)


def _factors(active: bool, now: int) -> Factors:
    return Factors(
        interruption=common.NO_INTERRUPTION if active else Factor(0, "it is off"),
        reversibility=Factor(3, "the old size can be asked for; the guest may not give the memory back"),
        durable_data=Factor(1, f"the definition changes; the old size, {_mib(now)}, is kept in the plan"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=Factor(0, "the balloon tells its size"),
    )


def _mitigations(lowers: bool, too_much: bool) -> tuple[Mitigation, ...]:
    if lowers:
        return (
            Mitigation("", "shut the VM down in a maintenance window, define it with less, start it and watch its console"),
            Mitigation("", "if the host is short of memory: move another VM away, or end what else uses it"),
        )
    if too_much:
        return (Mitigation("libvirt.define_xml", "a definition with a higher maximum takes effect at the next start"),)
    return ()


def _step(job: Job, name: str, key: str, *, forward: bool) -> LiveStep:
    expect, scope = common.expected(job), LIVE if key == "live" else CONFIG
    old, new = int(_part(job, "before")[key]), int(_part(job, "after")[key])
    size = new if forward else old
    keys = ("uuid", "instance", "persistent", "state", "definition") if forward else ("uuid", "persistent")
    keys = (*keys, "instance") if scope == LIVE else keys
    settle = _settle(expect["uuid"], key, size)

    def act(connection: Any) -> None:
        domain = same(connection, expect, *keys)
        now = _sizes(connection, expect["uuid"])[key]
        if scope == CONFIG and now not in (old, new):
            raise StaleError(f"somebody else set {_mib(now)} since")
        domain.setMemoryFlags(size, scope)

    async def run(hands: Hands) -> Done:
        await common.send(hands, act, settle)
        return Done(f"libvirt was asked for {_mib(size)}; what the balloon says is the check")

    flags = "AFFECT_LIVE" if scope == LIVE else "AFFECT_CONFIG"
    command = f'virDomainSetMemoryFlags("{expect["uuid"]}", {size} KiB, {flags})'
    return LiveStep(name, command, True, _STEP_S, f"{_mib(old)} again" if forward else None, run, settle)


def _settle(uuid: str, key: str, size: int) -> Callable[[Eyes], Awaitable[Settled]]:
    async def settle(eyes: Eyes) -> Settled:
        sizes = await common.ask(eyes, lambda connection: _sizes(connection, uuid))
        if sizes[key] is None:
            return Settled.UNKNOWN
        if abs(sizes[key] - size) <= _SLACK:
            return Settled.DONE
        return Settled.UNKNOWN if key == "live" else Settled.NOT_DONE  # a balloon takes its time

    return settle


def _check(job: Job, wanted: Mapping[str, Any]) -> LiveCheck:
    uuid = common.expected(job)["uuid"]

    async def sample(eyes: Eyes) -> Sample:
        sizes = await common.ask(eyes, lambda connection: _sizes(connection, uuid))
        good = all(_near(sizes[key], wanted[key]) for key in ("live", "config"))
        return Sample(good, _shown(sizes).replace("\n", ", "))

    why = "libvirt says yes even where the guest has no balloon driver and nothing changes"
    return LiveCheck("memory", 10, why, sample, within_s=30.0)


def _near(now: int | None, wanted: int | None) -> bool:
    return now == wanted or (now is not None and wanted is not None and abs(now - wanted) <= _SLACK)
