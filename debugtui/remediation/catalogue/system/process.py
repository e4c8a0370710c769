"""End a runaway process: by its number and its start time, read again in the same script that signals it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from debugtui.config.redaction import redact
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
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.system.common import ask, before_of, login, machine, privilege
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.risk import STOP_RULES

#: Seconds that a process has to end by itself after TERM, and that it has to stay gone.
ENDS_S, GONE_S = 10.0, 5
SIGNALS = ("TERM", "KILL")
#: Programs that others depend on, by the beginning of their names.
PROTECTED = (
    "systemd", "init", "qemu", "kvm", "postgres", "dockerd", "containerd", "libvirtd", "virtqemud", "sshd", "dbus", "udevd",
    "mysqld", "mariadbd", "journald", "runc", "crun", "virtlogd", "virtlockd",
)  # fmt: skip

# Argument: pid. Prints stat, its owner, its program, the login's own ancestors, and the command line with spaces for zeros.
_LOOK = r"""
[ -r "/proc/$1/stat" ] || { echo gone; exit 0; }
head -n 1 "/proc/$1/stat" 2>/dev/null
sed -n "s/^Uid:[[:space:]]*\([0-9]*\).*/\1/p" "/proc/$1/status" 2>/dev/null || echo
printf "%s\n" "$(readlink "/proc/$1/exe" 2>/dev/null | tr "\n" " ")"
pid=$$ list=
while [ "$pid" -gt 1 ] 2>/dev/null; do
  list="$list $pid"
  pid=$(sed -n "s/^PPid:[[:space:]]*//p" "/proc/$pid/status" 2>/dev/null)
  [ -n "$pid" ] || break
done
echo "$list"
tr "\000" " " < "/proc/$1/cmdline" 2>/dev/null | head -c 4000
"""

# Arguments: pid, start time, signal. Reads the start time and signals in one go; says stale, sent, gone or refused.
_SIGNAL = r"""
[ -r "/proc/$1/stat" ] || { echo gone; exit 0; }
read -r text < "/proc/$1/stat"
set -- "$1" "$2" "$3" "${text##*) }"
begun=$(echo "$4" | cut -d ' ' -f 20)
if [ "$begun" != "$2" ]; then echo stale; exit 0; fi
if kill -s "$3" "$1"; then echo sent; else echo refused; fi
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One process.

    Attributes:
        pid: its number.
        start: its start time in clock ticks since the boot (field 22 of stat).
        name: as the kernel has it; a process may change it.
        parent: its parent's number.
        state: a letter; Z: it has ended, and its parent has not asked how.
        owner: the number of its user.
        program: its file; empty where we may not see it.
        command: its command line; empty for what has none, as the kernel's own.
        ours: our own connection runs in it, or below it.
    """

    pid: int
    start: str
    name: str
    parent: int
    state: str
    owner: str
    program: str
    command: str
    ours: bool


async def look(eyes: Eyes, pid: int) -> Process | None:
    """Return a process; None: there is none of that number."""
    text = await ask(eyes, ["sh", "-c", _LOOK, "debugtui-process", str(pid)])
    if text.startswith("gone"):
        return None
    stat, owner, program, own, command = [*text.split("\n", 4), "", "", "", ""][:5]
    name = stat.partition("(")[2].rpartition(")")[0]
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    return Process(
        pid=pid,
        start=fields[19],
        name=line(name, 64),
        parent=int(fields[1]),
        state=fields[0],
        owner=owner.strip(),
        program=line(program.strip(), 300),
        command=redact(line(command.strip(), 2_000)),
        ours=str(pid) in own.split(),
    )


class EndProcess(Remediation):
    """See the module."""

    spec = Spec(
        name="system.end_process",
        title="End a process",
        summary="Sends TERM (or KILL, as a second plan) to one process, named by its number and its start time.",
        target="HOST/system/PID",
        parameters=(
            Parameter("pid", "its number, where the target does not name it", required=False),
            Parameter("signal", "TERM, or KILL for one that ignored TERM", required=False, default="TERM"),
        ),
        risk=(2, 4),
        undo=Undo.NONE,
        undo_says="A process that ended does not come back by itself.",
        guards=("process_there", "not_protected", "not_ours", "privilege"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Hosts, and processes."""
        if target.kind != "system" or not (target.name.isdigit() or not target.name):
            return None
        return Offer(self.spec.name, target, True, "end one process, by its number and start time", rank=80)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the process."""
        pid = _pid(target.name, params.get("pid", ""))
        signal = params["signal"].upper().removeprefix("SIG")
        if signal not in SIGNALS:
            raise PlanError(f"the signal is {' or '.join(SIGNALS)}, not {line(signal, 20)!r}")
        process = await look(eyes, pid)
        if process is None:
            raise PlanError(f"{eyes.host.name} has no process {pid}")
        if process.state == "Z":
            raise NothingToDoError(f"process {pid} has ended; its parent, {process.parent}, has not asked how")
        before, may = await _may(eyes, process)
        protected = _protected(process)
        return Draft(
            target=Target(target.host, "system", str(pid)),
            problem=f"process {pid} ({process.name}) is not wanted any more",
            solution=f"send {signal} to process {pid}, if it still is the one that was seen",
            factors=_factors(signal),
            identity={
                "machine": await machine(eyes),
                "pid": str(pid),
                "start": process.start,
                "command": process.name,
                "program": process.program,
            },
            data={"pid": pid, "start": process.start, "signal": signal, "before": list(before)},
            diff=(DiffPart("the process", "text", f"{pid}  {process.name}  {process.command}", f"{pid} has ended"),),
            guards=(
                Guard("process_there", GuardStatus.PASS, f"it is there, child of {process.parent}", f"state {process.state}"),
                protected,
                _ours(process),
                may,
            ),
            irreversible=("what it held in memory, and what it was writing",),
            mitigations=(Mitigation("system.restart_unit", "where a unit owns it, restart the unit instead"),),
            stop=STOP_RULES["protected_process"] if protected.refuses else "",
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Signal it."""
        words = [str(job.data[name]) for name in ("pid", "start", "signal")]
        argv = [*before_of(job), "sh", "-c", _SIGNAL, "debugtui-signal", *words]

        async def run(hands: Hands) -> Done:
            done = await hands.link.run(argv, timeout=10)  # one short signal: nothing of it can be cut in half
            said = clean(done.stdout).strip()
            if said in ("stale", "gone"):
                raise StaleError(f"process {words[0]} is {'gone' if said == 'gone' else 'another one now'}")
            if said != "sent":
                raise StepError(line(clean(done.stderr), 200) or "the signal was refused", changed=False)
            return Done(f"{words[2]} was sent to {words[0]}")

        async def settle(eyes: Eyes) -> Settled:
            now = await look(eyes, int(words[0]))
            gone = now is None or now.start != words[1]
            return Settled.DONE if gone else Settled.UNKNOWN

        shown = f"kill -s {words[2]} {words[0]}   (only if its start time still is {words[1]})"
        return (LiveStep(f"send {words[2]}", shown, True, 10, None, run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """It is gone."""
        pid, start = int(str(job.data["pid"])), str(job.data["start"])

        async def sample(eyes: Eyes) -> Sample:
            now = await look(eyes, pid)
            if now is None or now.start != start or now.state == "Z":
                return Sample(True, "it has ended")
            again = "; KILL is a plan of its own: -p signal=KILL" if job.data["signal"] == "TERM" else ""
            return Sample(False, f"it still runs, state {now.state}{again}")

        why = "a signal that was sent is not a process that ended"
        return (LiveCheck("it has ended", GONE_S, why, sample, within_s=ENDS_S),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()


def _pid(name: str, param: str) -> int:
    if name and param and name != param:
        raise PlanError(f"the target names process {line(name, 20)}, the parameter {line(param, 20)}")
    text = name or param
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise PlanError("a process is named by its number: HOST/system/PID, or -p pid=PID")
    return int(text)


def _protected(process: Process) -> Guard:
    name = process.name.lower()
    first = process.command.split(" ")[0]
    names = {name, *(text.rpartition("/")[2].lower() for text in (first, process.program))}
    if process.pid == 1 or process.parent == 2 or process.pid == 2 or not process.command:
        return Guard("not_protected", GuardStatus.FAIL, "it is the first process, or one of the kernel's own")
    if any(text.startswith(PROTECTED) for text in names):
        return Guard("not_protected", GuardStatus.FAIL, f"others depend on {process.name}: it is never ended by a signal")
    return Guard("not_protected", GuardStatus.PASS, f"{process.name} is none of those that others depend on")


async def _may(eyes: Eyes, process: Process) -> tuple[tuple[str, ...], Guard]:
    """A login may end its own processes; for others it has to be root."""
    if process.owner and process.owner == await login(eyes):
        return (), Guard("privilege", GuardStatus.PASS, "it belongs to our own login", f"uid {process.owner}, read just now")
    return await privilege(eyes)


def _ours(process: Process) -> Guard:
    if process.ours:
        return Guard("not_ours", GuardStatus.FAIL, "our own connection runs in it")
    return Guard("not_ours", GuardStatus.PASS, "our own connection does not run in it")


def _factors(signal: str) -> Factors:
    return Factors(
        interruption=Factor(2, "whatever it serves stops")
        if signal == "KILL"
        else Factor(1, "it ends by itself, or not at all"),
        reversibility=Factor(4, "it does not come back by itself"),
        durable_data=Factor(2, "it is cut off in what it writes") if signal == "KILL" else Factor(1, "what it held in memory"),
        blast_radius=Factor(1, "one process"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "the process table is read directly"),
    )
