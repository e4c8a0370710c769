"""Make room by removing downloaded packages: what can be fetched again. Never autoremove: old kernels are a way back."""

from __future__ import annotations

from collections.abc import Mapping

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
    Undo,
)
from debugtui.remediation.catalogue.system.common import FULL_PERCENT, ask, change, fullest, host_of, privilege
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

LIMIT_S = 60
#: Bytes below which nothing is worth removing: apt keeps empty folders and a lock file.
NOTHING = 256 << 10

# Prints the folder, then one line for each package: bytes and name.
_LOOK = r"""
eval "$(apt-config shell dir Dir::Cache::archives/d)"
[ -n "$dir" ] && [ -d "$dir" ] || { echo "no folder" >&2; exit 1; }
echo "$dir"
find "$dir" -maxdepth 2 -type f -name '*.deb' -printf '%s %f\n' | sort -k2
"""


async def packages(eyes: Eyes) -> tuple[str, list[tuple[int, str]]]:
    """Return apt's folder and its packages, each with its size in bytes.

    Raises:
        SourceError: there is no apt, or its folder cannot be read.
    """
    folder, *rows = (await ask(eyes, ["sh", "-c", _LOOK], limit=2_000_000)).splitlines() or [""]
    if not folder.startswith("/"):
        raise SourceError(Problem(f"apt on {eyes.host.name} does not say where it keeps packages"))
    found = []
    for row in rows:
        size, _, name = row.partition(" ")
        if size.isdigit():
            found.append((int(size), line(name, 200)))
    return line(folder, 300), found


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
        guards=("packages_listed", "privilege"),
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
        folder, found = await packages(eyes)
        total = sum(size for size, _ in found)
        if total < NOTHING:
            raise NothingToDoError(f"{folder} holds nothing that is worth removing")
        before, may = await privilege(eyes)
        names = "".join(f"{size:>12}  {name}\n" for size, name in found)
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
            identity={"folder": folder, "packages": str(len(found)), "bytes": str(total)},
            data={"folder": folder, "before": list(before)},
            diff=(DiffPart(f"{folder}: {len(found)} packages, {total >> 20} MB", "text", names, ""),),
            guards=(Guard("packages_listed", GuardStatus.PASS, f"{len(found)} packages, {total} bytes", "read just now"), may),
            mitigations=(Mitigation("system.vacuum_journal", "where this does not make room enough"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Clean."""
        before = job.data["before"]
        argv = [*([str(word) for word in before] if isinstance(before, list) else []), "apt-get", "clean"]

        async def run(hands: Hands) -> Done:
            await change(hands, argv, timeout_s=LIMIT_S)
            return Done("status 0")

        async def settle(eyes: Eyes) -> Settled:
            return Settled.DONE if not (await packages(eyes))[1] else Settled.NOT_DONE

        return (LiveStep("remove downloaded packages", " ".join(argv), True, LIMIT_S, "apt fetches them again", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Nothing is to be undone."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The folder is empty."""

        async def sample(eyes: Eyes) -> Sample:
            left = sum(size for size, _ in (await packages(eyes))[1])
            return Sample(left < NOTHING, f"{left} bytes left")

        return (LiveCheck("the packages are gone", 3, "the folder itself is read again", sample),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()
