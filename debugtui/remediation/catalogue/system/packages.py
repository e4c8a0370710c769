"""Make room by removing downloaded packages: what can be fetched again. Never autoremove: old kernels are a way back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from debugtui.model.canonical import digest
from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.source import FleetView, Problem
from debugtui.model.target import Target
from debugtui.model.text import line
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
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    Undo,
)
from debugtui.remediation.catalogue.system.common import (
    FULL_PERCENT,
    as_root,
    ask,
    before_of,
    change,
    fullest,
    host_of,
    machine,
    privilege,
)
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.remote import detached
from debugtui.sources.base import SourceError

LIMIT_S = 60
#: Bytes below which nothing is worth removing: apt keeps empty folders and a lock file.
NOTHING = 256 << 10

# Prints apt's folder, then `busy` or `idle`, then one line for each package: bytes and name. apt and dpkg hold POSIX locks,
# which the kernel lists by inode.
_LOOK = r"""
eval "$(apt-config shell dir Dir::Cache::archives/d status Dir::State::status/f)"
[ -n "${dir:-}" ] && [ -d "$dir" ] || { echo "apt names no folder for its packages" >&2; exit 1; }
echo "$dir"
state=idle
for file in "$dir/lock" "${status%/*}/lock" "${status%/*}/lock-frontend"; do
  [ -e "$file" ] && grep -q ":$(stat -c %i "$file") " /proc/locks && state=busy
done
echo "$state"
find "$dir" -maxdepth 2 -type f -name "*.deb" -printf "%s %f\n" | LC_ALL=C sort -k2
"""


@dataclass(frozen=True, slots=True)
class Cache:
    """What apt has downloaded: its folder, whether it is at work, and each file with its size in bytes."""

    folder: str
    busy: bool
    files: tuple[tuple[int, str], ...]

    @property
    def total(self) -> int:
        """All sizes, in bytes."""
        return sum(size for size, _ in self.files)


async def packages(eyes: Eyes) -> Cache:
    """Look at what apt has downloaded.

    Raises:
        SourceError: there is no apt, or its folder cannot be read.
    """
    rows = (await ask(eyes, ["sh", "-c", _LOOK], limit=2_000_000)).splitlines()
    if len(rows) < 2 or not rows[0].startswith("/"):
        raise SourceError(Problem(f"apt on {eyes.host.name} does not say where it keeps packages"))
    found = []
    for row in rows[2:]:
        size, _, name = row.partition(" ")
        if size.isascii() and size.isdigit():
            found.append((int(size), line(name, 200)))
    return Cache(line(rows[0], 300), rows[1] != "idle", tuple(found))


class CleanPackages(Remediation):
    """See the module."""

    spec = Spec(
        name="system.clean_packages",
        title="Remove downloaded packages",
        summary="Runs apt-get clean: downloaded package files go, installed software stays.",
        target="HOST/system/packages",
        parameters=(),
        risk=(1, 2),
        undo=Undo.COMPENSATING,
        undo_says="apt fetches a package again when it is needed; nothing else is to be undone.",
        guards=("packages_listed", "apt_idle", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Hosts whose disk is getting full."""
        if target.kind != "system" or target.name not in ("", "packages"):
            return None
        about = Target(target.host, "system", "packages")
        found = host_of(view, target)
        full = fullest(found[1]) if found else None
        if full is None or full[1] < FULL_PERCENT:
            return Offer(self.spec.name, about, True, "no filesystem is getting full", rank=61)
        return Offer(self.spec.name, about, True, f"{full[0]} is {full[1]:.0f} % full; this is the harmless way", rank=10)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """List what goes."""
        if target.name not in ("", "packages"):
            raise PlanError(f"the target is {target.host}/system/packages")
        cache = await packages(eyes)
        folder, count, total = cache.folder, len(cache.files), cache.total
        if total < NOTHING:
            raise NothingToDoError(f"{folder} holds nothing that is worth removing")
        before, may = await privilege(eyes)
        names = "".join(f"{size:>12}  {name}\n" for size, name in cache.files)
        listed = Guard("packages_listed", GuardStatus.PASS, f"{count} packages, {total} bytes", "read just now")
        return Draft(
            target=Target(target.host, "system", "packages"),
            problem=f"downloaded packages take up room in {folder}",
            solution="remove the downloaded package files; installed software stays",
            factors=Factors(
                interruption=Factor(0, "nothing stops"),
                reversibility=Factor(1, "apt fetches them again"),
                durable_data=Factor(0, "nothing that cannot be fetched again"),
                blast_radius=Factor(1, "apt's cache alone"),
                blocking=Factor(1, "apt's own lock, for a moment"),
                verifiability=Factor(0, "the folder is read directly"),
            ),
            identity={"machine": await machine(eyes), "folder": folder, "packages": _print_of(cache)},
            data={"folder": folder, "packages": _print_of(cache), "before": list(before)},
            diff=(DiffPart(f"{folder}: {count} packages, {total >> 20} MB", "text", names, ""),),
            guards=(listed, _idle(cache), may),
            mitigations=(Mitigation("system.vacuum_journal", "where this does not make room enough"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Clean."""
        argv = as_root(before_of(job), ["apt-get", "clean"], LIMIT_S)

        async def run(hands: Hands) -> Done:
            now = await packages(hands)
            if _print_of(now) != job.data["packages"] or now.busy:
                raise StaleError("apt is at work, or has other packages than those that were listed")
            await change(hands, argv, timeout_s=LIMIT_S)
            return Done("apt-get returned 0")

        async def settle(eyes: Eyes) -> Settled:
            now = await packages(eyes)
            if not now.files:
                return Settled.DONE
            # All of them are there: either nothing was sent, or it has not begun, or was refused.
            still = (await detached.look(eyes.link, f"debugtui:{job.mark}/1", limit=1)).state is detached.JobState.RUNNING
            same = _print_of(now) == job.data["packages"]
            return Settled.NOT_DONE if same and not still else Settled.UNKNOWN

        shown = shlex.join(argv)
        return (LiveStep("remove downloaded packages", shown, True, LIMIT_S, "apt fetches them again", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Nothing is to be undone."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The folder is empty."""

        async def sample(eyes: Eyes) -> Sample:
            left = (await packages(eyes)).total
            return Sample(left < NOTHING, f"{left} bytes left")

        return (LiveCheck("the packages are gone", 3, "the folder itself is read again", sample),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()


def _print_of(cache: Cache) -> str:
    return digest({"files": [list(file) for file in cache.files]})


def _idle(cache: Cache) -> Guard:
    if cache.busy:
        why = "apt or dpkg is at work: it may need what it has just downloaded"
        return Guard("apt_idle", GuardStatus.FAIL, why, "its lock is held, read just now")
    return Guard("apt_idle", GuardStatus.PASS, "neither apt nor dpkg is at work", "no lock is held, read just now")
