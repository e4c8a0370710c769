"""The scripted incidents: which fault is there at which second. Pure; everybody in the demo derives its state from here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What can be wrong in the demo."""

    LOCK_CHAIN = "lock-chain"
    CRASH_LOOP = "crash-loop"
    PAUSED_VM = "paused-vm"
    DISK_FULL = "disk-full"
    LINK_LOST = "link-lost"
    GROQ_LIMIT = "groq-limit"


@dataclass(frozen=True, slots=True)
class Act:
    """One fault from second `starts` on, for `lasts` seconds."""

    fault: Fault
    starts: float
    lasts: float = math.inf

    @property
    def ends(self) -> float:
        """The second at which it is mended."""
        return self.starts + self.lasts


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script; `period` seconds after its start it begins anew, where it has one."""

    name: str
    says: str
    acts: tuple[Act, ...] = ()
    period: float | None = None

    def spans(self, fault: Fault, until: float) -> Iterator[tuple[float, float]]:
        """Yield when a fault began and ended, in seconds from the start, up to the second `until` (a last one may be open)."""
        rounds = int(until // self.period) + 1 if self.period and until >= 0 else 1
        for turn in range(rounds):
            offset = turn * (self.period or 0.0)
            for act in self.acts:
                if act.fault is fault and offset + act.starts <= until:
                    yield offset + act.starts, min(offset + act.ends, until)

    def since(self, fault: Fault, at: float) -> float | None:
        """Return for how many seconds a fault has been there at second `at`; None where it is not."""
        second = at % self.period if self.period and at >= 0 else at
        for act in self.acts:
            if act.fault is fault and act.starts <= second < act.ends:
                return second - act.starts
        return None


def _tour() -> Scenario:
    # A crash loop counts as one for a minute after its last restart: what follows it waits for that.
    acts = (
        Act(Fault.LOCK_CHAIN, 1, 89),
        Act(Fault.CRASH_LOOP, 105, 60),
        Act(Fault.PAUSED_VM, 240, 50),
        Act(Fault.DISK_FULL, 305, 60),
        Act(Fault.LINK_LOST, 380, 35),
        Act(Fault.GROQ_LIMIT, 425, 45),
    )
    says = "All of them, one after another; each heals by itself, with quiet in between. Then again."
    return Scenario("tour", says, acts, period=490)


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        _tour(),
        Scenario("calm", "Nothing unfolds: a day like any other."),
        Scenario(
            "lock-chain",
            "kvm-01: a session idle in transaction holds a row; an update, two migrations and readers queue up behind it.",
            (Act(Fault.LOCK_CHAIN, 1),),
        ),
        Scenario(
            "crash-loop",
            "kvm-02: the worker of the shop dies with exit code 3, is restarted, and dies again.",
            (Act(Fault.CRASH_LOOP, 1),),
        ),
        Scenario(
            "paused-vm",
            "kvm-03: the storage pool of db-02 is full, and QEMU has paused the VM with an I/O error.",
            (Act(Fault.PAUSED_VM, 4),),
        ),
        Scenario("disk-full", "kvm-02: /var fills up within half a minute.", (Act(Fault.DISK_FULL, 1),)),
        Scenario(
            "link-lost",
            "kvm-03: the host stops answering, then refuses connections, then comes back; again every 90 seconds.",
            (Act(Fault.LINK_LOST, 10, 40),),
            period=90,
        ),
        Scenario(
            "groq-limit",
            "groq/coach-ai: the API answers 429 and asks to wait; the probes pause and say so.",
            (Act(Fault.GROQ_LIMIT, 1),),
        ),
    )
}
DEFAULT_SCENARIO = "tour"


@dataclass(frozen=True, slots=True)
class Timeline:
    """A scenario that began at a wall-clock time (seconds since the epoch)."""

    scenario: Scenario
    started: float

    def since(self, fault: Fault, now: float) -> float | None:
        """Return for how many seconds a fault has been there; None where it is not."""
        return self.scenario.since(fault, now - self.started)

    def spans(self, fault: Fault, now: float) -> Iterator[tuple[float, float]]:
        """Yield the wall-clock times at which a fault began and ended so far."""
        for begin, end in self.scenario.spans(fault, now - self.started):
            yield self.started + begin, self.started + end
