"""Make room by shortening the journal; the last day is saved first."""

from __future__ import annotations

import re
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence

from debugtui.model.plan import DiffPart, Guard, GuardStatus, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import clean, line
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
from debugtui.remediation.remote.settled import by_mark

LIMIT_S = 120
#: Most lines of the last day that are saved, the newest; room that this takes compressed, in kilobytes; where it may lie.
LINES, ROOM_KB, PLACES = 100_000, 65_536, ("/var/tmp", "/tmp", "/run")  # noqa: S108 - each in a private folder of its own
#: Beyond what was asked for, active files stay: at most one per user and one of the system, of 8 MB at least.
SLACK = 64 << 20

_SIZE = re.compile(r"([1-9]\d{0,5})([KMGT])", re.ASCII)
_SAID = re.compile(r"take up (\d+(?:\.\d+)?)([BKMGT]?)\b", re.ASCII)
_UNIT = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

# Arguments: private folder, file, lines. Nothing but a whole export gets the name; the status of journalctl itself counts, not
# only the one of gzip behind it.
_SAVE = r"""
umask 077
mkdir -m 700 "$1" 2>/dev/null
if [ -L "$1" ] || [ ! -d "$1" ] || [ ! -O "$1" ]; then echo "$1 is not ours" >&2; exit 1; fi
part=$(mktemp "$1/part.XXXXXX") || exit 1
{ journalctl --no-pager --quiet --since "24 hours ago" --lines="$3" -o short-iso || echo > "$part.failed"; } | gzip > "$part"
if [ $? -ne 0 ] || [ -e "$part.failed" ] || ! gzip -t "$part"; then
  rm -f "$part" "$part.failed"
  echo "the last day could not be saved" >&2
  exit 1
fi
mv "$part" "$1/$2" && wc -c < "$1/$2"
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


async def disk_use(eyes: Eyes, before: Sequence[str]) -> int | None:
    """Return what the journal takes up, in bytes; None where journalctl does not say.

    A login that may not read all of it is told of a part only: so it is asked as root, as it is shortened.
    """
    match = _SAID.search(await ask(eyes, [*before, "journalctl", "--disk-usage"]))
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
        guards=("journal_read", "room_to_save", "privilege"),
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
        return Offer(self.spec.name, about, True, f"{line(full[0], 100)} is {full[1]:.0f} % full", rank=20)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the journal."""
        if target.name not in ("", "journal"):
            raise PlanError(f"the target is {target.host}/system/journal")
        keep = parse_size(params["keep"])
        before, may = await privilege(eyes)
        used = await disk_use(eyes, () if may.refuses else before)
        # What is nearly as small already would pass the check without anything having happened.
        if used is not None and used <= keep + SLACK:
            raise NothingToDoError(f"the journal takes up {used >> 20} MB: hardly more than {params['keep']}")
        read = Guard("journal_read", GuardStatus.PASS, "its size was read", f"{(used or 0) >> 20} MB, read just now")
        if used is None:
            read = Guard("journal_read", GuardStatus.UNKNOWN, "journalctl does not say how large the journal is")
        place, room = await _place(eyes)
        return Draft(
            target=Target(target.host, "system", "journal"),
            problem="the journal takes up room that is needed",
            solution=f"save its last day in {place}, then shorten it to {params['keep']}",
            factors=_factors(),
            identity={"machine": await machine(eyes), "keep": params["keep"]},
            data={"keep": params["keep"], "limit": keep + SLACK, "before": list(before), "place": place},
            diff=(DiffPart("the journal", "text", "as large as the guard says\n", f"about {params['keep']}\n"),),
            guards=(read, room, may),
            irreversible=(f"archived files beyond {params['keep']}; the newest {LINES} lines of the last day are saved",),
            mitigations=(Mitigation("system.clean_packages", "what can be fetched again goes first"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Save, rotate, shorten."""
        before, (folder, name) = before_of(job), _saved(job)
        saving = as_root(before, ["sh", "-c", _SAVE, "debugtui-save", folder, name, str(LINES)], LIMIT_S)
        shown = f"journalctl --since '24 hours ago' --lines={LINES} | gzip > {folder}/{name}"
        rotating = as_root(before, ["journalctl", "--rotate"], LIMIT_S)
        removing = as_root(before, ["journalctl", f"--vacuum-size={job.data['keep']}"], LIMIT_S)
        removed = by_mark(job, "3")

        async def settle(eyes: Eyes) -> Settled:
            """Room is the proof, the mark only tells that nothing was sent."""
            used = await disk_use(eyes, before)
            if used is not None and used <= int(str(job.data["limit"])):
                return Settled.DONE
            return Settled.NOT_DONE if await removed(eyes) is Settled.NOT_DONE else Settled.UNKNOWN

        return (
            LiveStep("save the last day", shown, True, LIMIT_S, None, _sending(saving, harmless=True), by_mark(job, "1")),
            LiveStep(
                "close the active files", shlex.join(rotating), True, LIMIT_S, None, _sending(rotating), by_mark(job, "2")
            ),
            LiveStep("remove the oldest", shlex.join(removing), True, LIMIT_S, None, _sending(removing), settle),
        )

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is as small as asked for, and what was saved can be read."""
        limit, before, (folder, name) = int(str(job.data["limit"])), before_of(job), _saved(job)

        async def small(eyes: Eyes) -> Sample:
            used = await disk_use(eyes, before)
            if used is None:
                return Sample(None, "journalctl does not say")
            return Sample(used <= limit, f"{used >> 20} MB")

        async def saved(eyes: Eyes) -> Sample:
            done = await eyes.run([*before, "gzip", "-t", f"{folder}/{name}"], limit=1_000)
            return Sample(done.status == 0, f"{folder}/{name}" if done.status == 0 else line(clean(done.stderr), 200))

        return (
            LiveCheck("it is small enough", 5, "journalctl returns 0 where it removed nothing", small),
            LiveCheck("the last day is saved", 1, "what was removed does not come back", saved),
        )

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()


def _sending(argv: list[str], *, harmless: bool = False) -> Callable[[Hands], Awaitable[Done]]:
    async def run(hands: Hands) -> Done:
        done = await change(hands, argv, timeout_s=LIMIT_S, harmless=harmless)
        return Done(f"status 0 {line(clean(done.stdout or done.stderr).strip(), 300)}".strip())

    return run


async def _place(eyes: Eyes) -> tuple[str, Guard]:
    """Return where the last day can be saved, and the guard that says so."""
    best = PLACES[0], 0
    for place in PLACES:
        rows = (await ask(eyes, ["df", "-Pk", place])).splitlines()
        fields = rows[-1].split() if rows else []
        free = int(fields[3]) if len(fields) > 3 and fields[3].isdigit() else 0
        if free >= ROOM_KB:
            return place, Guard("room_to_save", GuardStatus.PASS, f"{place} has room for the last day", f"{free >> 10} MB free")
        best = max(best, (place, free), key=lambda one: one[1])
    why = f"no room for the last day in {', '.join(PLACES)}: make some first"
    return best[0], Guard("room_to_save", GuardStatus.FAIL, why, f"{best[1] >> 10} MB free in {best[0]}")


def _saved(job: Job) -> tuple[str, str]:
    """Return the folder and the name of the file that the last day is saved in."""
    return f"{job.data['place']}/debugtui-saved-0", f"journal-{job.mark}.gz"


def _factors() -> Factors:
    return Factors(
        interruption=Factor(0, "nothing stops"),
        reversibility=Factor(4, "removed files do not come back"),
        durable_data=Factor(1, "logs older than a day; the last day is saved"),
        blast_radius=Factor(1, "the journal alone"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "its size is read directly"),
    )
