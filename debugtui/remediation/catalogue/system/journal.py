"""Make room by shortening the journal; the last day is saved first."""

from __future__ import annotations

import re
from collections.abc import Mapping

from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.source import FleetView
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
    Parameter,
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

LIMIT_S = 120
_SIZE = re.compile(r"([1-9]\d{0,5})([KMGT])")
_SAID = re.compile(r"take up ([\d.]+)([BKMGT]?)")
_UNIT = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: Beyond what was asked for, active files stay: at most one per user and one of the system, of 8 MB at least.
SLACK = 64 << 20

# Argument: file. Saves the last day, compressed; nothing but a whole file gets the name.
_SAVE = r"""
set -e
umask 077
journalctl --no-pager --since "24 hours ago" -o short-iso | gzip > "$1.part"
gzip -t "$1.part"
mv -n "$1.part" "$1"
"""


def parse_size(text: str) -> int:
    """Return bytes of a size such as `500M`.

    Raises:
        PlanError: it is none.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise PlanError(f"a size is written like 500M or 2G, not {line(text, 20)!r}")
    return int(match[1]) * _UNIT[match[2]]


async def disk_use(eyes: Eyes) -> int | None:
    """Return what the journal takes up, in bytes; None where journalctl does not say."""
    match = _SAID.search(await ask(eyes, ["journalctl", "--disk-usage"]))
    return int(float(match[1]) * _UNIT[match[2]]) if match else None


class VacuumJournal(Remediation):
    """See the module."""

    spec = Spec(
        name="system.vacuum_journal",
        title="Shorten the journal",
        summary="Saves the last day, then removes archived journal files down to a size.",
        target="HOST/system/journal",
        parameters=(Parameter("keep", "size that stays, such as 500M", required=False, default="500M"),),
        risk=(2, 3),
        undo=Undo.NONE,
        undo_says="Removed journal files do not come back; the last 24 hours are saved beside them.",
        guards=("journal_read", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Hosts whose disk is getting full."""
        if target.kind != "system" or target.name not in ("", "journal"):
            return None
        about = Target(target.host, "system", "journal")
        found = host_of(view, target)
        full = fullest(found[1]) if found else None
        if full is None or full[1] < FULL_PERCENT:
            return Offer(self.spec.name, about, True, "no filesystem is getting full", rank=60)
        return Offer(self.spec.name, about, True, f"{full[0]} is {full[1]:.0f} % full", rank=20)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the journal."""
        if target.name not in ("", "journal"):
            raise PlanError(f"the target is {target.host}/system/journal")
        keep = parse_size(params["keep"])
        used = await disk_use(eyes)
        if used is not None and used <= keep:
            raise NothingToDoError(f"the journal takes up {used >> 20} MB, which is no more than {params['keep']}")
        before, may = await privilege(eyes)
        read = Guard("journal_read", GuardStatus.PASS, "its size was read", f"{(used or 0) >> 20} MB, read just now")
        if used is None:
            read = Guard("journal_read", GuardStatus.UNKNOWN, "journalctl does not say how large the journal is")
        return Draft(
            target=Target(target.host, "system", "journal"),
            problem="the journal takes up room that is needed",
            solution=f"save its last day, then shorten it to {params['keep']}",
            factors=Factors(
                interruption=Factor(0, "nothing stops"),
                reversibility=Factor(4, "removed files do not come back"),
                durable_data=Factor(1, "logs older than a day; the last day is saved"),
                blast_radius=Factor(1, "the journal alone"),
                blocking=Factor(0, "it takes no lock"),
                verifiability=Factor(0, "its size is read directly"),
            ),
            identity={"journal": "of the whole host", "keep": params["keep"]},
            data={"keep": params["keep"], "limit": keep + SLACK, "before": list(before)},
            diff=(DiffPart("the journal", "text", "as large as the guard says", f"about {params['keep']}"),),
            guards=(read, may),
            irreversible=("archived journal files beyond the size that stays",),
            mitigations=(Mitigation("system.clean_packages", "what can be fetched again goes first"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Save, rotate, shorten."""
        before = job.data["before"]
        prefix = [str(word) for word in before] if isinstance(before, list) else []
        saved = f"/var/tmp/debugtui-journal-{job.mark}.gz"  # noqa: S108 - on the host; the mark is ours, and it is never followed
        commands = (
            (
                "save the last day",
                [*prefix, "sh", "-c", _SAVE, "debugtui-save", saved],
                f"journalctl --since '24 hours ago' > {saved}",
            ),
            ("close the active files", [*prefix, "journalctl", "--rotate"], ""),
            ("remove the oldest", [*prefix, "journalctl", f"--vacuum-size={job.data['keep']}"], ""),
        )
        return tuple(
            self._step(name, argv, shown or " ".join(argv), int(str(job.data["limit"]))) for name, argv, shown in commands
        )

    @staticmethod
    def _step(name: str, argv: list[str], shown: str, limit: int) -> LiveStep:
        async def run(hands: Hands) -> Done:
            await change(hands, argv, timeout_s=LIMIT_S)
            return Done("status 0")

        async def settle(eyes: Eyes) -> Settled:
            used = await disk_use(eyes)
            return Settled.DONE if used is not None and used <= limit else Settled.UNKNOWN

        return LiveStep(name, shown, True, LIMIT_S, None, run, settle)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is as small as asked for."""
        limit = int(str(job.data["limit"]))

        async def sample(eyes: Eyes) -> Sample:
            used = await disk_use(eyes)
            if used is None:
                return Sample(None, "journalctl does not say")
            return Sample(used <= limit, f"{used >> 20} MB")

        return (LiveCheck("it is small enough", 5, "journalctl returns 0 where it removed nothing", sample),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()
