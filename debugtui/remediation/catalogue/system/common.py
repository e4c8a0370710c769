"""What the repairs of a host share: who we are there, which machine it is, how a command becomes root's."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.config.redaction import redact
from debugtui.hosts.link import CommandResult
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import FleetView, HostView, Problem
from debugtui.model.system import SystemReading
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import Job, StepError
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

#: A filesystem fuller than this makes room worth making, in percent.
FULL_PERCENT = 80.0
SUDO = ("sudo", "-n")


async def login(eyes: Eyes) -> str:
    """Return the login's number on the host.

    Raises:
        SourceError: the host does not tell.
    """
    uid = (await ask(eyes, ["id", "-u"], limit=100)).strip()
    if not (uid.isascii() and uid.isdigit()):
        raise SourceError(Problem(f"{eyes.host.name} does not tell who we are there"))
    return uid


async def privilege(eyes: Eyes) -> tuple[tuple[str, ...], Guard]:
    """Return what stands before a command that needs root, and the guard that says whether we may."""
    uid = await login(eyes)
    if uid == "0":
        return (), Guard("privilege", GuardStatus.PASS, "the login is root", "id -u, read just now")
    tried = await eyes.run([*SUDO, "true"], limit=1_000)
    if tried.status == 0:
        return SUDO, Guard("privilege", GuardStatus.PASS, "sudo works without a password", "sudo -n true, tried just now")
    reason = "there is no sudo" if tried.status == 127 else "sudo does not work without a password"
    why = f"the login is not root, and {reason}: allow it for this login, or log in as root"
    said = line(redact(clean(tried.stderr).strip()), 120)
    return SUDO, Guard("privilege", GuardStatus.FAIL, why, f"uid {uid}{': ' + said if said else ''}")


async def machine(eyes: Eyes) -> str:
    """Return what names the machine itself, whatever its name or address is; empty where it does not say."""
    done = await eyes.run(["cat", "/etc/machine-id"], limit=200)
    return line(clean(done.stdout).strip(), 64) if done.status == 0 else ""


def before_of(job: Job) -> list[str]:
    """Return what stands before the commands of a plan that need root."""
    value = job.data["before"]
    return [str(word) for word in value] if isinstance(value, list) else []


def as_root(before: Sequence[str], argv: Sequence[str], limit_s: int) -> list[str]:
    """Return a command as root's. What sudo started can only be ended by root: so its time is limited behind sudo."""
    return [*before, "timeout", "-k", "5", str(limit_s), *argv] if before else list(argv)


async def ask(eyes: Eyes, argv: Sequence[str], *, limit: int = 200_000) -> str:
    """Return what a command that only looks prints.

    Raises:
        SourceError: it failed; the host may not have it.
    """
    done = await eyes.run(argv, limit=limit)
    if done.status != 0:
        words = line(redact(clean(done.stderr).strip() or clean(done.stdout).strip()), 300) or f"status {done.status}"
        raise SourceError(Problem(f"{argv[0]} on {eyes.host.name}: {words}"))
    return clean(done.stdout)


async def change(hands: Hands, argv: Sequence[str], *, timeout_s: float, harmless: bool = False) -> CommandResult:
    """Run a command that changes the host, detached.

    Args:
        hands: of the step.
        argv: the command.
        timeout_s: seconds after which the host ends it.
        harmless: where it fails, certainly nothing was changed.

    Raises:
        StepError: it failed.
    """
    done = await hands.command(argv, timeout_s=timeout_s)
    if done.status != 0:
        words = line(redact(clean(done.stderr).strip() or clean(done.stdout).strip()), 500) or "no word"
        raise StepError(f"{argv[0]} ended with status {done.status}: {words}", changed=False if harmless else None)
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
