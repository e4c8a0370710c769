"""What the journal of a host says: error lines by unit, what the kernel killed or lost, which units changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.source import Gap


class KernelFault(StrEnum):
    """What the kernel complained about."""

    IO = "I/O error"
    READ_ONLY = "read-only"  # a file system was made read-only, or shut down, after an error
    SEGFAULT = "crash"  # a process died of a fault of its own
    HUNG = "hung task"
    HARDWARE = "hardware"


class UnitChange(StrEnum):
    """What happened to a unit."""

    STARTED = "started"
    STOPPED = "stopped"
    RELOADED = "reloaded"
    FAILED = "failed"
    EXITED = "exited"  # its main process ended with a failure
    RESTARTING = "restarting"  # systemd starts it again by itself
    OUT_OF_MEMORY = "out of memory"


#: The changes that are failures.
FAILURES = frozenset({UnitChange.FAILED, UnitChange.EXITED, UnitChange.OUT_OF_MEMORY})


@dataclass(frozen=True, slots=True)
class UnitErrors:
    """The error lines (priority `err` and worse) of one unit in the last five minutes.

    Attributes:
        unit: `nginx.service`; the program's own name where no unit is known; `kernel`.
        count: how many.
        before: the mean of five minutes in the hour before; None where too little of that hour is known.
        newest: the newest line.
        newest_at: when (UTC, by the host's clock).
    """

    unit: str
    count: int
    before: float | None
    newest: str
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class OomKill:
    """A process that the kernel killed because memory ran out.

    Attributes:
        at: when (UTC, by the host's clock).
        process, pid: which.
        cgroup: in which control group it ran; empty where the kernel does not say.
        container: the first twelve letters of the container's id, or its name where the engine knows it; empty outside of one.
        vm: the VM whose hypervisor it was; empty for others.
        memory_bytes: what it held of its own; None where not said.
        limit: it was killed by its group's own limit, while the host may have had memory; None: not said.
    """

    at: datetime
    process: str
    pid: int
    cgroup: str = ""
    container: str = ""
    vm: str = ""
    memory_bytes: int | None = None
    limit: bool | None = None


@dataclass(frozen=True, slots=True)
class KernelEvent:
    """One complaint of the kernel. `about`: the device, or the process; empty where it is not said."""

    at: datetime
    fault: KernelFault
    about: str
    says: str


@dataclass(frozen=True, slots=True)
class UnitEvent:
    """One change of a unit. `says`: systemd's own words."""

    at: datetime
    unit: str
    change: UnitChange
    says: str


@dataclass(frozen=True, slots=True)
class JournalReading:
    """The journal of one host. All times are UTC by the host's own clock.

    Attributes:
        taken_at: when (UTC, our clock).
        host_at: what the host's clock said then.
        directory: of the journal files; empty: the host's own journal.
        lines: error lines in the last five minutes; None: they may not be read.
        before: the mean of five minutes in the hour before; None where too little of it is known.
        units: their units, the most first.
        oom_kills, faults, events: of the last hour, the newest first.
        booted_at: when the boot of the newest line began; None: not known.
        oldest_at: the oldest line that is there; None: not known.
        limited: there were more lines than are read at once: counts are at least.
        gaps: what could not be read.
    """

    taken_at: datetime
    host_at: datetime
    directory: str = ""
    lines: int | None = None
    before: float | None = None
    units: tuple[UnitErrors, ...] = ()
    oom_kills: tuple[OomKill, ...] = ()
    faults: tuple[KernelEvent, ...] = ()
    events: tuple[UnitEvent, ...] = ()
    booted_at: datetime | None = None
    oldest_at: datetime | None = None
    limited: bool = False
    gaps: tuple[Gap, ...] = ()
