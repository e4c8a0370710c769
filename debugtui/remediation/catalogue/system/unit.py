"""Restart a systemd unit: a new invocation that stays up is what counts, not what systemctl returns."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

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
    Offer,
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.system.common import as_root, ask, before_of, host_of, machine, privilege
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.remote import detached
from debugtui.remediation.risk import STOP_RULES

#: Seconds that a unit has to stay up, and that systemctl may take.
STAYS_S, RESTART_LIMIT_S = 60, 120
LOG_LINES = 40
#: What the restart script leaves where the unit was not the one that was seen.
STALE = 90

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.service", re.ASCII)
#: What carries our own way in.
_CONTROL = re.compile(
    r"(?:sshd?|dropbear|tailscaled|openvpn|wg-quick|strongswan|ipsec|dbus|dbus-broker|network.*|NetworkManager.*|ifup|ifupdown.*"
    r"|netplan.*|connman|iwd|wpa_supplicant|dhcpcd|dhclient|nftables|firewalld|iptables|ip6tables|ufw|systemd-.*|init|user"
    r"|user-runtime-dir|getty|serial-getty|polkit|elogind)(?:@.*)?\.service"
)
#: What holds state for many.
_SERVES = re.compile(
    r"(?:libvirt.*|virt(?:qemu|log|lock|network|storage|node|secret|nwfilter|interface|proxy).*d|docker|containerd|crio|podman"
    r"|postgresql.*|postgres|pgbouncer|mysqld?|mariadb|etcd|ceph.*|multipathd|iscsid|lvm2.*)(?:@.*)?\.service"
)
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "MainPID", "NRestarts", "InvocationID", "ActiveEnterTimestampMonotonic",
    "Type", "Restart", "Result", "RequiredBy", "Description", "RefuseManualStart", "RefuseManualStop",
)  # fmt: skip

# Arguments: unit, what InvocationID, MainPID and ActiveEnterTimestampMonotonic were, the command. Looks and restarts in one go.
_RESTART = rf"""
unit=$1 was=$2
shift 2
now=$(systemctl show --no-pager --property=InvocationID,MainPID,ActiveEnterTimestampMonotonic -- "$unit" | LC_ALL=C sort)
if [ "$now" != "$was" ]; then printf "it is now\n%s\n" "$now"; exit {STALE}; fi
exec "$@"
"""

# Prints the control groups of the login's own processes, from this one up to the server that let it in.
_OUR_GROUPS = r"""
pid=$$
while [ "$pid" -gt 1 ] 2>/dev/null; do
  cat "/proc/$pid/cgroup" 2>/dev/null
  pid=$(sed -n "s/^PPid:[[:space:]]*//p" "/proc/$pid/status" 2>/dev/null)
  [ -n "$pid" ] || break
done
"""


async def properties(eyes: Eyes, unit: str) -> dict[str, str]:
    """Return what systemd says of a unit.

    Raises:
        SourceError: it cannot be asked.
    """
    text = await ask(eyes, ["systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", unit])
    return {name: line(value, 2_000) for name, _, value in (row.partition("=") for row in text.splitlines())}


class RestartUnit(Remediation):
    """See the module."""

    spec = Spec(
        name="system.restart_unit",
        title="Restart the unit",
        summary="Restarts a failed or stuck systemd service and watches that it stays up.",
        target="HOST/system/UNIT.service",
        parameters=(),
        risk=(2, 4),
        undo=Undo.NONE,
        undo_says="A restart cannot be taken back; what the unit held in memory is gone.",
        guards=("unit_known", "privilege", "not_protected", "not_looping", "logs_read"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Services; first of all those that failed."""
        if target.kind != "system" or not _UNIT.fullmatch(target.name):
            return None
        if rule := _rule(target.name, ""):
            return Offer(self.spec.name, target, False, rule)
        found = host_of(view, target)
        failed = found is not None and target.name in (found[1].failed_units or ())
        why = f"{target.name} has failed" if failed else f"restart {target.name}"
        return Offer(self.spec.name, target, True, why, rank=5 if failed else 30)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the unit."""
        if not _UNIT.fullmatch(target.name) or target.name.startswith("-"):
            raise PlanError(f"a unit is named like nginx.service, not {line(target.name, 100)!r}")
        found = await properties(eyes, target.name)
        if found.get("LoadState") != "loaded":
            said = line(found.get("LoadState") or "nothing", 40)
            raise PlanError(f"{eyes.host.name} has no unit {target.name} (systemd says {said})")
        unit = found.get("Id") or target.name
        before, may = await privilege(eyes)
        part, read = await self._logs(eyes, () if may.refuses else before, unit)
        groups = await ask(eyes, ["sh", "-c", _OUR_GROUPS])
        rule = _rule(unit, groups) or _rule(target.name, groups)
        return Draft(
            target=Target(target.host, "system", unit),
            problem=f"{unit} is {found.get('ActiveState', '?')} ({found.get('SubState', '?')})",
            solution=f"restart {unit}, and see that it stays up for {STAYS_S} s",
            factors=_factors(found),
            identity={
                "machine": await machine(eyes),
                "unit": unit,
                "state": f"{found.get('ActiveState')}/{found.get('SubState')}",
                "invocation": found.get("InvocationID", ""),
                "main pid": found.get("MainPID", ""),
            },
            data={"unit": unit, "was": stamp(found), "type": found.get("Type", ""), "before": list(before)},
            diff=(DiffPart("the unit", "text", f"{_state(found)}\n", f"{unit}: active, a new invocation\n"), part),
            guards=(_known(found), may, _protected(unit, rule), _looping(found), read),
            irreversible=("what the unit held in memory, and its open connections",),
            mitigations=(Mitigation("", "fix the cause first where its last log lines name one"),),
            stop=rule,
        )

    async def _logs(self, eyes: Eyes, before: tuple[str, ...], unit: str) -> tuple[DiffPart, Guard]:
        argv = [*before, "journalctl", "--no-pager", "--quiet", "-n", str(LOG_LINES), "-o", "short-iso", "-u", unit]
        done = await eyes.run(argv, limit=100_000)
        text = redact(clean(done.stdout))
        # They may differ from one look to the next: they are shown, and nothing is made of them.
        part = DiffPart("its last log lines", "text", text, text)
        if done.status != 0 or not text.strip():
            why = "its log could not be read: what it says of the cause is not known"
            said = line(redact(clean(done.stderr).strip()), 200) or "no line"
            return part, Guard("logs_read", GuardStatus.UNKNOWN, why, said, critical=False)
        lines = f"{len(text.splitlines())} lines, read just now"
        return part, Guard("logs_read", GuardStatus.PASS, "its last log lines were read", lines)

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Restart it."""
        return (restart_step(job),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """A new invocation, active, with the same process all the while."""
        unit, was, first = str(job.data["unit"]), str(job.data["was"]), dict[str, str]()
        once = job.data["type"] == "oneshot"

        async def sample(eyes: Eyes) -> Sample:
            now = await properties(eyes, unit)
            said = _state(now)
            if not now.get("ActiveState"):
                return Sample(None, "systemd does not say")
            ended_well = once and now.get("ActiveState") == "inactive" and now.get("Result") == "success"
            if not (now.get("ActiveState") == "active" or ended_well) or stamp(now) == was:
                return Sample(False, said)
            for name in ("InvocationID", "MainPID", "NRestarts", "ActiveEnterTimestampMonotonic"):
                if first.setdefault(name, now.get(name, "")) != now.get(name, ""):
                    return Sample(False, f"{said}: it was started again")
            return Sample(True, said)

        why = "systemctl returns 0 for a unit that dies a moment later"
        return (LiveCheck("it stays up", STAYS_S, why, sample, within_s=30, every_s=2),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()


def restart_step(job: Job, number: int = 1) -> LiveStep:
    """Return the step that restarts the unit of a job, as `RestartUnit.draft` saw it.

    Args:
        job: holds `unit`, `was` and `before`.
        number: which step of the plan it is.
    """
    unit, was = str(job.data["unit"]), str(job.data["was"])
    restart = as_root(before_of(job), ["systemctl", "restart", "--", unit], RESTART_LIMIT_S)
    argv = ["sh", "-c", _RESTART, "debugtui-restart", unit, was, *restart]

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=RESTART_LIMIT_S)
        said = line(redact(clean(done.stderr).strip() or clean(done.stdout).strip()), 300)
        if done.status == STALE:
            raise StaleError(f"{unit} was started or stopped by somebody else: {said}")
        if done.status != 0:
            raise StepError(f"systemctl ended with status {done.status}: {said or 'no word'}")
        return Done("systemctl returned 0; whether it stays up is watched")

    async def settle(eyes: Eyes) -> Settled:
        now = await properties(eyes, unit)
        still = (await detached.look(eyes.link, f"debugtui:{job.mark}/{number}", limit=1)).state is detached.JobState.RUNNING
        if still or now.get("ActiveState") in ("activating", "deactivating", "reloading") or "InvocationID" not in now:
            return Settled.UNKNOWN
        return Settled.NOT_DONE if stamp(now) == was else Settled.DONE

    return LiveStep(f"restart {unit}", shlex.join(restart), True, RESTART_LIMIT_S, None, run, settle)


def _rule(unit: str, groups: str) -> str:
    """Return the rule that forbids a restart; empty: none does. `groups`: the control groups that our connection runs in."""
    if _CONTROL.fullmatch(unit) or any(unit in row.split("/") for row in groups.splitlines()):
        return STOP_RULES["control_path"]
    return STOP_RULES["service_restart"] if _SERVES.fullmatch(unit) else ""


def _protected(unit: str, rule: str) -> Guard:
    if rule:
        return Guard("not_protected", GuardStatus.FAIL, f"{unit} is never restarted here: {rule}")
    return Guard("not_protected", GuardStatus.PASS, "neither our way in nor what holds state for many", "by its name and ours")


def _known(found: Mapping[str, str]) -> Guard:
    said = line(redact(found.get("Description", "")), 100)
    if "yes" in (found.get("RefuseManualStart"), found.get("RefuseManualStop")):
        return Guard("unit_known", GuardStatus.FAIL, "systemd refuses to start or stop it by hand", said)
    return Guard("unit_known", GuardStatus.PASS, "systemd has loaded it", said)


def _looping(found: Mapping[str, str]) -> Guard:
    restarts = f"{found.get('NRestarts') or '?'} restarts, {found.get('ActiveState')} ({found.get('SubState')})"
    if found.get("SubState") == "auto-restart":
        why = "systemd restarts it again and again by itself: one more restart changes nothing, look for the cause"
        return Guard("not_looping", GuardStatus.FAIL, why, restarts)
    if found.get("ActiveState") in ("activating", "deactivating", "reloading"):
        return Guard("not_looping", GuardStatus.FAIL, "it is being started or stopped right now: wait for it", restarts)
    return Guard("not_looping", GuardStatus.PASS, "nobody is starting or stopping it right now", restarts)


def _factors(found: Mapping[str, str]) -> Factors:
    running = found.get("ActiveState") == "active"
    dependants = found.get("RequiredBy", "").split()
    spread = Factor(3, f"{len(dependants)} units require it") if dependants else Factor(2, "one service and its clients")
    return Factors(
        interruption=Factor(2, "it serves now, and stops for seconds") if running else Factor(1, "it does not serve now"),
        reversibility=Factor(2, "by another restart only"),
        durable_data=Factor(1, "what it held in memory"),
        blast_radius=spread,
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "systemd tells its invocation and its process"),
    )


def stamp(found: Mapping[str, str]) -> str:
    """Return what a start changes, sorted as the restart script sorts it. Old systemd has no InvocationID."""
    names = ("ActiveEnterTimestampMonotonic", "InvocationID", "MainPID")
    return "\n".join(f"{name}={found[name]}" for name in names if name in found)


def _state(found: Mapping[str, str]) -> str:
    return (
        f"{found.get('Id')}: {found.get('ActiveState')} ({found.get('SubState')}), pid {found.get('MainPID')}, "
        f"result {found.get('Result')}, {found.get('NRestarts') or '?'} restarts, Restart={found.get('Restart')}"
    )
