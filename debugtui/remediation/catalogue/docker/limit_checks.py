"""Checks of a change of limits: the engine tells it, the kernel holds it, and it is the same run."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.model.plan import Guard
from debugtui.model.text import line
from debugtui.remediation.base import LiveCheck, Sample
from debugtui.remediation.catalogue.docker.cgroup import held, used
from debugtui.remediation.catalogue.docker.common import Box, size_text
from debugtui.remediation.catalogue.docker.guards import FAIL, PASS, UNKNOWN
from debugtui.remediation.catalogue.docker.limit_values import cpus_of, limits_of
from debugtui.remediation.catalogue.docker.requests import read
from debugtui.remediation.eyes import Eyes

#: Seconds that the numbers have to stay.
NUMBERS_WATCH = 10

#: Seconds within which one that looped has to run: the engine waits a minute at most before it starts it again.
COMES_BACK_WITHIN = 90.0


def applied(identity: str, wanted: Mapping[str, int]) -> LiveCheck:
    """The engine tells the limits, and the kernel holds them: the engine alone says success and changes nothing at times."""
    return LiveCheck("the kernel holds the limits", NUMBERS_WATCH, "engine and cgroup both say so", _numbers(identity, wanted))


def as_before(identity: str, wanted: Mapping[str, int]) -> LiveCheck:
    """After a rollback: the engine's numbers are the previous ones."""

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        now = limits_of(box, wanted)
        return Sample(now == dict(wanted), ", ".join(f"{name} {now[name]}" for name in sorted(now)))

    return LiveCheck("the limits are the previous ones", NUMBERS_WATCH, "field by field", sample)


def _numbers(identity: str, wanted: Mapping[str, int]):  # type: ignore[no-untyped-def]
    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        now = limits_of(box, wanted)
        wrong = [name for name in sorted(wanted) if now[name] != wanted[name] and not _uncounted(name, now[name])]
        if wrong:
            return Sample(False, f"the engine tells {wrong[0]} {now[wrong[0]]}")
        if not box.running:
            return Sample(True, f"the engine tells them; it is {box.status}")
        return await _kernel(eyes, box, wanted)

    return sample


def _uncounted(name: str, value: int) -> bool:
    """Swap stays at nothing where the kernel does not count it."""
    return name == "MemorySwap" and value in (0, -1)


async def _kernel(eyes: Eyes, box: Box, wanted: Mapping[str, int]) -> Sample:
    kernel = await held(eyes, box.number("State", "Pid"))
    memory, cpus = wanted.get("Memory"), cpus_of(wanted, box)
    if kernel is None:
        if cpus is not None:
            return Sample(None, "the cgroup cannot be read")
        limit = (await used(eyes, box)).limit  # the engine reads it from the cgroup each time
        return Sample(None if limit is None else limit == memory, f"the engine's figures say {limit}")
    says = f"cgroup: memory {kernel.memory}, processors {kernel.cpus}"
    if (memory is not None and kernel.memory is None) or (cpus is not None and kernel.cpus is None):
        return Sample(None, f"{says}: not readable")
    good = (memory is None or kernel.memory == memory) and (cpus is None or abs((kernel.cpus or 0) - cpus) < 0.01)
    return Sample(good, says)


def same_run(identity: str, facts: Mapping[str, object], watch_s: int) -> LiveCheck:
    """The process runs on: nothing was restarted for it. One that looped has to begin a run that lasts."""
    if facts.get("looped"):
        return _lasts(identity, watch_s)
    known = {key: facts[key] for key in ("pid", "began") if key in facts}

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        now = (known.setdefault("pid", box.number("State", "Pid")), known.setdefault("began", box.started_at))
        same = (box.number("State", "Pid"), box.started_at) == now
        return Sample(same, f"process {box.number('State', 'Pid')} since {line(box.started_at)[:19]}")

    return LiveCheck("it runs on", watch_s, "its process and its start are the same as before", sample)


def _lasts(identity: str, watch_s: int) -> LiveCheck:
    run: list[str] = []

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        says = f"{box.status}, {box.restarts} restarts"
        if not box.running:
            return Sample(False, says)
        first = not run or run[-1] == box.started_at
        run.append(box.started_at)
        return Sample(first, says)

    why = "it looped: now a run has to last"
    return LiveCheck("it stays up", watch_s, why, sample, within_s=COMES_BACK_WITHIN)


def no_kills(identity: str, facts: Mapping[str, object], watch_s: int) -> LiveCheck:
    """Nothing in it is ended for want of memory. The engine's own flag stays set over runs: only a new one counts."""
    looped = bool(facts.get("looped"))
    # Where it looped, each run has a cgroup of its own, and counts from nothing.
    known = {"kills": facts["kills"]} if "kills" in facts and not looped else {}
    flagged = bool(facts.get("flagged"))

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, identity)
        if box is None:
            return Sample(False, "the container is gone")
        if box.oom_killed and not flagged:
            return Sample(False, "it was ended for want of memory")
        if looped and not box.running:
            return Sample(False, f"{box.status}, {box.restarts} restarts")
        kernel = await held(eyes, box.number("State", "Pid")) if box.running else None
        if kernel is None or kernel.kills is None:
            return Sample(True, "the engine tells of no end for want of memory")
        same = known.setdefault("kills", kernel.kills) == kernel.kills
        return Sample(same, f"{kernel.kills} processes were ended for want of memory so far")

    within = COMES_BACK_WITHIN if looped else 10.0
    return LiveCheck("memory suffices", watch_s, "no process in it is ended for want of memory", sample, within_s=within)


async def fits(eyes: Eyes, box: Box | None, back: Mapping[str, int]) -> Guard:
    """Before a rollback: it uses less than the previous limit."""
    name, memory = "fits_before", back.get("Memory")
    if box is None:
        return Guard(name, FAIL, "the container is gone")
    if not memory or not box.running:
        return Guard(name, PASS, "nothing in use stands against the previous limits", f"State.Status is {box.status}")
    now = await used(eyes, box)
    if now.working_set is None:
        return Guard(name, UNKNOWN, "the engine does not tell what it uses")
    says = f"{size_text(now.working_set)} in use, read just now"
    if now.working_set >= memory:
        return Guard(name, FAIL, f"it uses more than the previous limit of {size_text(memory)}", says)
    return Guard(name, PASS, "it uses less than the previous limit", says)
