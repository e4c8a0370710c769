"""Gives a VM more virtual processors; taking them from a running guest is not done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

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
from debugtui.remediation.catalogue.libvirt import common, observe
from debugtui.remediation.catalogue.libvirt.domain import CONFIG, LIVE, MAXIMUM, Seen, by_uuid, identity, same
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds that hot-plugging may take.
_HOT = 90.0
_ONE_WAY = "vCPUs are not taken from a running guest: it may not let go of them, and libvirt then cannot tell"
_KEYS = ("uuid", "instance", "persistent", "state", "definition")


class SetVcpus(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.set_vcpus",
        title="Set vCPUs",
        summary="Adds virtual processors to a VM, running and defined, up to its maximum.",
        target=common.TARGET_FORM,
        parameters=(Parameter("count", "how many it is to have"),),
        risk=(1, 4),
        undo=Undo.COMPENSATING,
        undo_says="the definition gets its old count; a running guest keeps what it got until it is restarted",
        guards=("persistent", "no_job_running", "within_maximum", "host_processors", "guest_agent"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies where the guest uses up what it has and may have more."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if vm.vcpus >= vm.vcpus_max:
            return common.offer(self.spec.name, target, False, f"it has all of its {vm.vcpus_max}; more takes a restart")
        busy = vm.cpu_percent is not None and vm.cpu_percent > 90
        why = "it uses up what it has" if busy else f"it has {vm.vcpus} of at most {vm.vcpus_max}"
        return common.offer(self.spec.name, target, True, why, rank=30 if busy else 70)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read both counts and both limits."""
        count = common.whole(params, "count", 1, 4_096)
        target, seen = await common.look(eyes, target)
        counts = await common.ask(eyes, lambda connection: _counts(connection, seen.uuid))
        old, name = counts["now"], seen.shown
        if all(counts[key] == count for key in ("live", "config") if counts[key] is not None):
            raise NothingToDoError(f"{name} has {count} vCPUs")
        lowers = counts["live"] is not None and count < counts["live"]
        return Draft(
            target=target,
            problem=f"{name} ({seen.words}) has {old} vCPUs",
            solution=f"give {name} {count} vCPUs",
            factors=_factors(seen.active, old),
            identity={**identity(seen), "vcpus": f"{counts['live']} live, {counts['config']} defined"},
            data={"expect": identity(seen), "count": count, **counts},
            diff=(DiffPart(f"vCPUs of {name}", "text", _shown(counts), _shown(_after(counts, count))),),
            guards=await _guards(eyes, seen, counts, count),
            irreversible=_irreversible(counts),
            mitigations=_mitigations(lowers, count > counts["maximum"]),
            stop=_ONE_WAY if lowers else "",
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """The running guest first, then its definition."""
        steps = []
        if job.data["live"] not in (None, job.data["count"]):
            steps.append(_step(job, "add to the running guest", LIVE, int(str(job.data["count"])), undo=None))
        if job.data["config"] not in (None, job.data["count"]):
            steps.append(_step(job, "set in the definition", CONFIG, int(str(job.data["count"])), undo="set back"))
        return tuple(steps)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The definition alone: a running guest does not dependably let go of a vCPU."""
        old = job.data["config"]
        if old in (None, job.data["count"]):
            return ()
        return (_step(job, "set back in the definition", CONFIG, int(str(old)), undo=None),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Both counts, read anew."""
        wanted = {key: job.data["count"] for key in ("live", "config") if job.data[key] is not None}
        return (_check(job, "vcpus", wanted, 10),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The definition's count is the old one."""
        return (_check(job, "defined vcpus", {"config": job.data["config"]}, 3),) if self.undo(job) else ()


def _counts(connection: Any, uuid: str) -> dict[str, Any]:
    """Counts and limits, running (None while off) and defined (None for a transient one); in libvirt's thread."""
    domain = by_uuid(connection, uuid)
    live = config = None
    limits = []
    if domain.isActive():
        live = int(domain.vcpusFlags(LIVE))
        limits.append(int(domain.vcpusFlags(LIVE | MAXIMUM)))
    if domain.isPersistent():
        config = int(domain.vcpusFlags(CONFIG))
        limits.append(int(domain.vcpusFlags(CONFIG | MAXIMUM)))
    return {"live": live, "config": config, "maximum": min(limits), "now": config if live is None else live}


def _after(counts: Mapping[str, Any], count: int) -> dict[str, Any]:
    return {**counts, **{key: count for key in ("live", "config") if counts[key] is not None}}


def _shown(counts: Mapping[str, Any]) -> str:
    lines = []
    if counts["live"] is not None:
        lines.append(f"running: {counts['live']}")
    if counts["config"] is not None:
        lines.append(f"defined: {counts['config']}")
    return "\n".join([*lines, f"at most: {counts['maximum']}"])


async def _guards(eyes: Eyes, seen: Seen, counts: Mapping[str, Any], count: int) -> tuple[Guard, ...]:
    fits = count <= counts["maximum"]
    why = f"at most {counts['maximum']} without a restart" if fits else f"{count} are more than the maximum {counts['maximum']}"
    cpus = await common.ask(eyes, lambda connection: int(connection.getInfo()[2]))
    host = common.guard("host_processors", count <= cpus, f"the host has {cpus} processors", f"{count} asked for")
    found = [common.persistent(seen), common.no_job(seen), common.guard("within_maximum", fits, why), host]
    if seen.active:
        found.append(common.guard("state", seen.state == 1, f"{seen.shown} is {seen.words}"))
        found.append(common.agent(seen, "whether the guest brings the new vCPUs online cannot be seen"))
    return tuple(found)


def _factors(active: bool, old: int) -> Factors:
    back = Factor(4, "a running guest does not dependably let go of a vCPU: one way until its next restart")
    return Factors(
        interruption=common.NO_INTERRUPTION if active else Factor(0, "it is off"),
        reversibility=back if active else Factor(1, "the old count is set by the same interface"),
        durable_data=Factor(1, f"the definition changes; the old count, {old}, is kept in the plan"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=Factor(1, "libvirt counts them; the guest's own count is its business"),
    )


def _irreversible(counts: Mapping[str, Any]) -> tuple[str, ...]:
    return () if counts["live"] is None else ("the running guest keeps the added vCPUs until it is restarted",)


def _mitigations(lowers: bool, too_many: bool) -> tuple[Mitigation, ...]:
    if lowers:
        return (
            Mitigation("", "shut the VM down in a maintenance window, plan this again while it is off, then start it"),
            Mitigation("", "as interim relief give its processors less weight: virsh schedinfo --live cpu_shares=..."),
        )
    if too_many:
        return (Mitigation("libvirt.define_xml", "a definition with a higher maximum takes effect at the next start"),)
    return ()


def _step(job: Job, name: str, scope: int, count: int, *, undo: str | None) -> LiveStep:
    expect = common.expected(job)
    keys = _KEYS if undo is not None or scope == LIVE else ("uuid", "persistent")
    old = job.data["live" if scope == LIVE else "config"]
    settle = _settle(expect["uuid"], scope, count)

    def act(connection: Any) -> bool:
        domain = same(connection, expect, *keys)
        now = int(domain.vcpusFlags(scope))
        if now == count:
            return False
        if now not in (old, job.data["count"]):
            raise StaleError(f"somebody else set {now} vCPUs since")
        domain.setVcpusFlags(count, scope)
        return True

    async def run(hands: Hands) -> Done:
        done = await common.send(hands, act, settle, limit=_HOT)
        return Done(f"{old} → {count} vCPUs" if done else f"it has {count} vCPUs already")

    flags = "AFFECT_LIVE" if scope == LIVE else "AFFECT_CONFIG"
    command = f'virDomainSetVcpusFlags("{expect["uuid"]}", {count}, {flags})'
    return LiveStep(name, command, True, int(_HOT) + 10, undo, run, settle)


def _settle(uuid: str, scope: int, count: int) -> Callable[[Eyes], Awaitable[Settled]]:
    async def settle(eyes: Eyes) -> Settled:
        now = await common.ask(eyes, lambda connection: int(by_uuid(connection, uuid).vcpusFlags(scope)))
        return await observe.unless_busy(eyes, uuid, Settled.DONE if now == count else Settled.NOT_DONE)

    return settle


def _check(job: Job, name: str, wanted: Mapping[str, object], watch_s: int) -> LiveCheck:
    uuid = common.expected(job)["uuid"]

    async def sample(eyes: Eyes) -> Sample:
        counts = await common.ask(eyes, lambda connection: _counts(connection, uuid))
        good = all(counts[key] == value for key, value in wanted.items())
        return Sample(good, _shown(counts).replace("\n", ", "))

    return LiveCheck(name, watch_s, "libvirt's answer alone proves nothing: the counts are read anew", sample, within_s=20.0)
