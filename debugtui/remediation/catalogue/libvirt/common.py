"""What the remediations of VMs share: looking, offering, guards, factors, sending with an account of what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar, cast

from debugtui.config.redaction import redact
from debugtui.hosts.link import LinkError
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import FleetView, Kind
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import Factor, Job, Offer, PlanError, Settled, StepError
from debugtui.remediation.catalogue.libvirt.domain import JOB_NONE, Seen, agent_connected, look_up
from debugtui.remediation.eyes import CALL_LIMIT, Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt.problems import RPC, problem_of
from debugtui.sources.libvirt.worker import CallError

T = TypeVar("T")

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN
TARGET_FORM = "HOST/libvirt/NAME (or the VM's UUID)"
MIB, GIB = 1 << 20, 1 << 30
NOW = "read just now"


# --- looking


async def ask(eyes: Eyes, function: Callable[[Any], T], limit: float = CALL_LIMIT) -> T:
    """Ask libvirt with the read-only connection.

    Raises:
        SourceError, LinkError: it could not be asked, or refused.
    """
    try:
        return await eyes.libvirt(function, limit)
    except CallError as error:
        raise SourceError(problem_of(error)) from None


async def look(eyes: Eyes, target: Target) -> tuple[Target, Seen]:
    """Return the target with the domain's own name, and the domain.

    Raises:
        PlanError: there is no such domain, or more than one.
        SourceError, LinkError: libvirt could not be asked.
    """
    if not target.name:
        raise PlanError(f"name a VM: {TARGET_FORM}")
    seen = await ask(eyes, lambda connection: look_up(connection, target.name))
    return Target(target.host, target.kind, seen.shown), seen


def whole(params: Mapping[str, str], name: str, low: int, high: int, default: int | None = None) -> int:
    """Return a parameter that is a whole number from `low` to `high`.

    Raises:
        PlanError: it is none.
    """
    text = params.get(name, "").strip()
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 12 or not low <= int(text) <= high:
        raise PlanError(f"{name} is a whole number from {low} to {high}, not {line(text, 40)!r}")
    return int(text)


def expected(job: Job) -> dict[str, str]:
    """Return the identity that the plan rests on."""
    return dict(cast("Mapping[str, str]", job.data["expect"]))


# --- offering


def row(view: FleetView, target: Target) -> Vm | None:
    """Return the VM of a row; None where the target is none that is on the screen."""
    if target.kind != Kind.LIBVIRT or not target.name:
        return None
    for vm in _vms(view, target.host):
        if target.name in (vm.name, vm.uuid):
            return vm
    return None


def _vms(view: FleetView, host: str) -> tuple[Vm, ...]:
    for one in view.hosts:
        if one.name == host:
            for status in one.of_kind(Kind.LIBVIRT):
                if isinstance(status.reading, LibvirtReading):
                    return status.reading.vms
    return ()


def offer(
    name: str, target: Target, applies: bool, why: str, rank: int = 50, params: tuple[tuple[str, str], ...] = ()
) -> Offer:
    """Return an offer for a row."""
    return Offer(name, target, applies, why, params, rank)


# --- guards


def guard(name: str, good: bool | None, why: str, evidence: str = NOW, *, critical: bool = True) -> Guard:
    """Return a guard; `good` None: not known."""
    status = UNKNOWN if good is None else PASS if good else FAIL
    return Guard(name, status, why, redact(line(evidence, 1_000)), critical)


def no_job(seen: Seen) -> Guard:
    """No save, migration, dump or the like is under way: it would be disturbed, or disturb."""
    if seen.job in (None, JOB_NONE):
        return guard("no_job_running", True, "no save, dump or migration is under way")
    return guard("no_job_running", False, f"a job of libvirt is under way (type {seen.job}): wait for it, or end it first")


def persistent(seen: Seen) -> Guard:
    """A transient domain is gone for good when it stops, and has no definition that could be changed."""
    if seen.persistent:
        return guard("persistent", True, "the VM is defined: it does not vanish when it stops")
    return guard("persistent", False, "the VM is transient: it is gone for good at its next power-off; define it first")


def running(seen: Seen) -> Guard:
    """It runs."""
    return guard("state", seen.state == 1, f"{seen.shown} is {seen.words}" + ("" if seen.state == 1 else "; it has to run"))


def agent(seen: Seen, doubt: str) -> Guard:
    """A guest agent answers; otherwise `doubt` is not known, and the operator is asked."""
    if agent_connected(seen):
        return guard("guest_agent", True, "the guest agent is connected", critical=False)
    return guard("guest_agent", None, f"no guest agent answers: {doubt}", critical=False)


# --- factors


def inside(eyes: Eyes, target: Target) -> Factor:
    """Judge how much rests on a VM, from the configured services that name it."""
    names = [line(service.name, 60) for service in eyes.config.services if str(target) in service.resources]
    if not names:
        return Factor(None, f"no [[services]] entry names {target}: what runs in it is not known")
    return Factor(2 if len(names) == 1 else 3, f"runs in it: {', '.join(names[:5])}")


ONE_VM = Factor(2, "one VM, and who uses it")
NOT_BLOCKING = Factor(0, "nothing waits for it")
NO_INTERRUPTION = Factor(0, "the guest goes on working")
DIRECT = Factor(0, "libvirt shows the effect directly")


# --- sending


async def send(
    hands: Hands, function: Callable[[Any], T], settle: Callable[[Eyes], Awaitable[Settled]], limit: float = CALL_LIMIT
) -> T:
    """Call libvirt with the read-write connection. `function` reads the domain again and acts in one go.

    Args:
        hands: of the step.
        function: what is called, in libvirt's thread.
        settle: the step's own: tells after a refusal whether it was done all the same.
        limit: seconds.

    Raises:
        StaleError: the domain is not what was approved.
        StepError: libvirt refused, or did not answer in time.
        LinkError: the link broke.
    """
    try:
        await hands.libvirt_write(lambda _connection: None)
    except (SourceError, CallError) as error:
        says = str(error.problem) if isinstance(error, SourceError) else error.says
        raise StepError(f"libvirt takes no changes: {_plain(says)}", changed=False) from None
    try:
        return await hands.libvirt_write(function, limit)
    except CallError as error:
        unchanged = not _ended(error) and await settled(hands, settle) is Settled.NOT_DONE
        raise StepError(f"libvirt refused: {_plain(error.says)}", changed=False if unchanged else None) from None
    except SourceError as error:
        raise StepError(_plain(str(error.problem)), changed=None) from None


async def settled(eyes: Eyes, settle: Callable[[Eyes], Awaitable[Settled]]) -> Settled:
    """Return what a step's `settle` finds; UNKNOWN where it cannot look."""
    try:
        return await settle(eyes)
    except (CallError, SourceError, LinkError, StepError):
        return Settled.UNKNOWN


def _ended(error: CallError) -> bool:
    """Whether the connection broke under the call: then the daemon may still be at it."""
    return error.code == RPC or problem_of(error).hint == problem_of(CallError(RPC, "")).hint


def _plain(says: str) -> str:
    return redact(line(says, 300))
