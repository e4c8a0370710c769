"""What the repairs of a host share: who we are there, and what is never touched."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.hosts.link import CommandResult
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import FleetView, HostView, Problem
from debugtui.model.system import SystemReading
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import StepError
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

#: A filesystem fuller than this makes room worth making, in percent.
FULL_PERCENT = 80.0


async def privilege(eyes: Eyes) -> tuple[tuple[str, ...], Guard]:
    """Return what stands before a command that needs root, and the guard that says whether we may."""
    uid = clean((await eyes.run(["id", "-u"], limit=100)).stdout).strip()
    if uid == "0":
        return (), Guard("privilege", GuardStatus.PASS, "the login is root", "id -u, read just now")
    if (await eyes.run(["sudo", "-n", "true"], limit=1_000)).status == 0:
        return ("sudo", "-n"), Guard("privilege", GuardStatus.PASS, "sudo works without a password", "sudo -n true")
    why = "the login is not root, and sudo asks for a password: allow it for this login, or log in as root"
    return ("sudo", "-n"), Guard("privilege", GuardStatus.FAIL, why, f"uid {line(uid, 20)}")


async def ask(eyes: Eyes, argv: Sequence[str], *, limit: int = 200_000) -> str:
    """Return what a command that only looks prints.

    Raises:
        SourceError: it failed; the host may not have it.
    """
    done = await eyes.run(argv, limit=limit)
    if done.status != 0:
        words = line(clean(done.stderr).strip() or clean(done.stdout).strip(), 300) or f"status {done.status}"
        raise SourceError(Problem(f"{argv[0]} on {eyes.host.name}: {words}"))
    return clean(done.stdout)


async def change(hands: Hands, argv: Sequence[str], *, timeout_s: float) -> CommandResult:
    """Run a command that changes the host, detached; a status that is not 0 is a failure that may have changed something.

    Raises:
        StepError: it failed.
    """
    done = await hands.command(argv, timeout_s=timeout_s)
    if done.status != 0:
        words = line(clean(done.stderr).strip() or clean(done.stdout).strip(), 500) or "no word"
        raise StepError(f"{argv[0]} ended with status {done.status}: {words}")
    return done


def host_of(view: FleetView, target: Target) -> tuple[HostView, SystemReading] | None:
    """Return a target's host and its figures; None where there are none."""
    for host in view.hosts:
        if host.name == target.host:
            for status in host.sources:
                if isinstance(status.reading, SystemReading):
                    return host, status.reading
    return None


def fullest(reading: SystemReading) -> tuple[str, float] | None:
    """Return the mount point and the use, in percent, of the fullest filesystem."""
    found = [(one.mount, one.used_percent) for one in reading.filesystems]
    return max(found, key=lambda one: one[1], default=None)
