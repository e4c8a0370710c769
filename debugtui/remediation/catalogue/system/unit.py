"""Restart a systemd unit: a new invocation that stays up is what counts, not what systemctl returns."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
    Undo,
)
from debugtui.remediation.catalogue.system.common import ask, change, privilege
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.risk import STOP_RULES

#: Seconds that a unit has to stay up, and that systemctl may take.
STAYS_S, RESTART_LIMIT_S = 60, 120
LOG_LINES = 40

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.(?:service|socket|timer|path|target|mount)")
#: What carries our own way in, or serves everything else on the host.
_PROTECTED = re.compile(
    r"(?:ssh|sshd|ssh@.*|sshd@.*|dbus|dbus-broker|NetworkManager|networking|systemd-.*|init|user@.*|wpa_supplicant|ifup@.*"
    r"|libvirtd|virtqemud|docker|containerd|postgresql|postgresql@.*|nftables|firewalld|iptables|wg-quick@.*|openvpn.*)"
    r"\.(?:service|socket|target)"
)
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "MainPID", "NRestarts", "InvocationID", "Restart", "Result", "RequiredBy",
    "Description",
)  # fmt: skip


async def properties(eyes: Eyes, unit: str) -> dict[str, str]:
    """Return what systemd says of a unit.

    Raises:
        SourceError: it cannot be asked.
    """
    text = await ask(eyes, ["systemctl", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}", "--", unit])
    return {name: value for name, _, value in (row.partition("=") for row in text.splitlines())}


class RestartUnit(Remediation):
    """See the module."""

    spec = Spec(
        name="system.restart_unit",
        title="Restart the unit",
        summary="Restarts a failed or stuck systemd unit and watches that it stays up.",
        target="HOST/system/UNIT.service",
        parameters=(),
        risk=(2, 4),
        undo=Undo.NONE,
        undo_says="A restart cannot be taken back; what the unit held in memory is gone.",
        guards=("unit_known", "privilege", "not_protected", "logs_read"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Units only."""
        if target.kind != "system" or not _UNIT.fullmatch(target.name):
            return None
        return Offer(self.spec.name, target, True, f"restart {target.name}", rank=10)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the unit."""
        if not _UNIT.fullmatch(target.name):
            raise PlanError(f"a unit is named like nginx.service, not {line(target.name, 100)!r}")
        found = await properties(eyes, target.name)
        if found.get("LoadState") != "loaded":
            raise PlanError(
                f"{eyes.host.name} has no unit {target.name} (systemd says {line(found.get('LoadState', '?'), 40)})"
            )
        unit = found.get("Id") or target.name
        before, may = await privilege(eyes)
        logs = await self._logs(eyes, before, unit)
        running = found.get("ActiveState") == "active"
        dependants = [name for name in found.get("RequiredBy", "").split() if name]
        return Draft(
            target=Target(target.host, "system", unit),
            problem=f"{unit} is {found.get('ActiveState', '?')} ({found.get('SubState', '?')})",
            solution=f"restart {unit}, and see that it stays up for {STAYS_S} s",
            factors=_factors(running, dependants),
            identity={
                "unit": unit,
                "state": f"{found.get('ActiveState')}/{found.get('SubState')}",
                "invocation": found.get("InvocationID", ""),
                "main pid": found.get("MainPID", ""),
            },
            data={"unit": unit, "invocation": found.get("InvocationID", ""), "before": list(before)},
            diff=(DiffPart("the unit", "text", _state(found), f"{unit}: active, a new invocation"), logs[0]),
            guards=(
                Guard("unit_known", GuardStatus.PASS, f"systemd has loaded it: {line(found.get('Description', ''), 100)}"),
                may,
                _protected(unit),
                logs[1],
            ),
            irreversible=("what the unit held in memory, and its open connections",),
            mitigations=(Mitigation("", "fix the cause first where its last log lines name one"),),
            stop=STOP_RULES["control_path"] if _PROTECTED.fullmatch(unit) else "",
        )

    async def _logs(self, eyes: Eyes, before: tuple[str, ...], unit: str) -> tuple[DiffPart, Guard]:
        argv = [*before, "journalctl", "--no-pager", "-n", str(LOG_LINES), "-o", "short-iso", "-u", unit]
        done = await eyes.run(argv, limit=100_000)
        text = clean(done.stdout)
        if done.status != 0:
            return DiffPart("its last log lines", "text", "", ""), Guard(
                "logs_read", GuardStatus.UNKNOWN, "its log cannot be read", line(clean(done.stderr), 200), critical=False
            )
        # The newest lines may change from one look to the next: they are shown, and nothing is made of them.
        return (
            DiffPart("its last log lines", "text", text, text),
            Guard("logs_read", GuardStatus.PASS, "its last log lines were read", f"{len(text.splitlines())} lines"),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Restart it."""
        unit = str(job.data["unit"])
        argv = [*_words(job.data["before"]), "systemctl", "restart", "--", unit]

        async def run(hands: Hands) -> Done:
            now = await properties(hands, unit)
            if now.get("InvocationID", "") != job.data["invocation"]:
                raise StaleError(f"{unit} was started or stopped by somebody else")
            await change(hands, argv, timeout_s=RESTART_LIMIT_S)
            return Done("systemctl returned 0; whether it stays up is watched")

        async def settle(eyes: Eyes) -> Settled:
            now = await properties(eyes, unit)
            if now.get("ActiveState") in ("activating", "deactivating", "reloading"):
                return Settled.UNKNOWN
            return Settled.NOT_DONE if now.get("InvocationID", "") == job.data["invocation"] else Settled.DONE

        return (LiveStep(f"restart {unit}", " ".join(argv), True, RESTART_LIMIT_S, None, run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """A new invocation, active, with the same process all the while."""
        unit, first = str(job.data["unit"]), dict[str, str]()

        async def sample(eyes: Eyes) -> Sample:
            now = await properties(eyes, unit)
            state = (
                f"{now.get('ActiveState')} ({now.get('SubState')}), pid {now.get('MainPID')}, {now.get('NRestarts')} restarts"
            )
            if now.get("ActiveState") != "active" or now.get("InvocationID", "") == job.data["invocation"]:
                return Sample(False, state)
            for name in ("InvocationID", "MainPID", "NRestarts"):
                if first.setdefault(name, now.get(name, "")) != now.get(name, ""):
                    return Sample(False, f"{state}: it was started again")
            return Sample(True, state)

        why = "systemctl returns 0 for a unit that dies a moment later"
        return (LiveCheck("it stays up", STAYS_S, why, sample, within_s=30, every_s=2),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """There is no rollback."""
        return ()


def _protected(unit: str) -> Guard:
    if _PROTECTED.fullmatch(unit):
        return Guard("not_protected", GuardStatus.FAIL, f"{unit} carries our own way in, or everything else on the host")
    return Guard("not_protected", GuardStatus.PASS, "neither our way in nor the rest of the host depends on it by name")


def _factors(running: bool, dependants: list[str]) -> Factors:
    return Factors(
        interruption=Factor(2, "it serves now, and stops for seconds") if running else Factor(1, "it does not serve now"),
        reversibility=Factor(2, "by another restart only"),
        durable_data=Factor(1, "what it held in memory"),
        blast_radius=Factor(3, f"{len(dependants)} units require it")
        if dependants
        else Factor(2, "one service and its clients"),
        blocking=Factor(0, "it takes no lock"),
        verifiability=Factor(0, "systemd tells its invocation and its process"),
    )


def _state(found: Mapping[str, str]) -> str:
    return (
        f"{found.get('Id')}: {found.get('ActiveState')} ({found.get('SubState')}), result {found.get('Result')}, "
        f"{found.get('NRestarts')} restarts, Restart={found.get('Restart')}"
    )


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
