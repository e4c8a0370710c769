"""One domain as libvirt has it. What takes a connection runs in libvirt's own thread and returns plain data only."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from debugtui.model.text import line
from debugtui.remediation.base import PlanError, StaleError
from debugtui.sources.libvirt.problems import NO_DOMAIN, NO_SUPPORT
from debugtui.sources.libvirt.words import STATES, reason_of

# virDomainState (libvirt-domain.h). By number: the library is not loaded here.
RUNNING, PAUSED, SHUTDOWN, SHUTOFF, CRASHED = 1, 3, 4, 5, 6
#: virDomainPausedReason.
PAUSED_USER, PAUSED_IO_ERROR = 1, 5
#: virDomainXMLFlags; virDomainModificationImpact.
SECURE, INACTIVE = 1, 2
LIVE, CONFIG, MAXIMUM = 1, 2, 4
#: virDomainJobType: nothing under way.
JOB_NONE = 0
#: virDomainControlState: the emulator takes the next call.
_IDLE = 0
#: Domains that are looked through for a name that was made safe to show.
MOST = 5_000
#: Longest name that is shown.
NAME = 200
#: Statistics that tell whether a guest works: VIR_DOMAIN_STATS_VCPU | _BLOCK; without waiting for a busy domain.
_STATS, _NOWAIT = 1 << 3 | 1 << 5, 1 << 29

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_AGENT = "org.qemu.guest_agent.0"


@dataclass(frozen=True, slots=True)
class Seen:
    """A domain at one moment.

    Attributes:
        uuid, name: as libvirt has them; `name` is not made safe to show.
        number: libvirt's number of the running instance, None while it is off.
        state, reason: libvirt's numbers.
        persistent, autostart, managed_save: its flags.
        inactive, live: its XML without secrets: what it is defined as, and what runs (the same while it is off).
        job: number of the job under way; None where the driver knows no jobs.
        busy: a call of somebody is under way in the emulator, or waits for it: what it brings is not to be seen yet.
        disk_errors: devices with libvirt's number of their error, while an I/O error holds it.
    """

    uuid: str
    name: str
    number: int | None
    state: int
    reason: int
    persistent: bool
    autostart: bool
    managed_save: bool
    inactive: str
    live: str
    job: int | None = JOB_NONE
    busy: bool = False
    disk_errors: tuple[tuple[str, int], ...] = ()

    @property
    def shown(self) -> str:
        """Its name, safe to show."""
        return line(self.name, NAME)

    @property
    def active(self) -> bool:
        """True while an instance of it exists, running or not."""
        return self.number is not None

    @property
    def words(self) -> str:
        """State and reason in libvirt's words: `paused (I/O error)`."""
        return words(self.state, self.reason)


def words(state: int, reason: int) -> str:
    """Return a state as `virsh domstate --reason` prints it."""
    return f"{STATES.get(state, 'no state')} ({reason_of(state, reason)})"


def sha(xml: str) -> str:
    """Return the fingerprint of a definition."""
    return "sha256:" + hashlib.sha256(xml.encode("utf-8", errors="surrogatepass")).hexdigest()


def identity(seen: Seen) -> dict[str, str]:
    """Return what must be the same when a plan is applied."""
    return {
        "uuid": seen.uuid,
        "name": seen.shown,
        "state": seen.words,
        "instance": "none" if seen.number is None else str(seen.number),
        "persistent": "yes" if seen.persistent else "no",
        "definition": sha(seen.inactive),
    }


def read(domain: Any) -> Seen:
    """Return a domain as it is now; in libvirt's thread."""
    state, reason = domain.state()
    number = domain.ID()
    live = str(domain.XMLDesc(0))
    stopped = (state, reason) == (PAUSED, PAUSED_IO_ERROR)
    persistent = bool(domain.isPersistent())
    return Seen(
        uuid=str(domain.UUIDString()),
        name=str(domain.name()),
        number=number if number >= 0 else None,
        state=int(state),
        reason=int(reason),
        persistent=persistent,
        autostart=persistent and bool(domain.autostart()),
        managed_save=persistent and bool(domain.hasManagedSaveImage(0)),
        inactive=str(domain.XMLDesc(INACTIVE)),
        live=live,
        job=_supported(lambda: int(domain.jobInfo()[0]), None) if number >= 0 else JOB_NONE,
        busy=number >= 0 and bool(_supported(lambda: domain.controlInfo(0)[0], _IDLE) != _IDLE),
        disk_errors=tuple(sorted((domain.diskErrors(0) or {}).items())) if stopped else (),
    )


def look_up(connection: Any, name: str) -> Seen:
    """Return the one domain of a name or UUID, where the name may be the one made safe to show; in libvirt's thread.

    Raises:
        PlanError: there is none, or more than one.
    """
    found: dict[str, Any] = {}
    for domain in _candidates(connection, name):
        found.setdefault(str(domain.UUIDString()), domain)
    if not found:
        known = sorted(line(domain.name(), NAME) for domain in connection.listAllDomains(0)[:MOST])
        raise PlanError(f"there is no VM {line(name, NAME)!r} (there are: {_some(known)})")
    if len(found) > 1:
        raise PlanError(f"{line(name, NAME)!r} names {len(found)} VMs; name one by its UUID: {_some(sorted(found))}")
    return read(next(iter(found.values())))


def _candidates(connection: Any, name: str) -> Iterable[Any]:
    by_name = _there(lambda: connection.lookupByName(name))
    by_uuid = _there(lambda: connection.lookupByUUIDString(name)) if _UUID.fullmatch(name) else None
    exact = [domain for domain in (by_name, by_uuid) if domain is not None]
    if exact:
        return exact
    return [domain for domain in connection.listAllDomains(0)[:MOST] if line(domain.name(), NAME) == name]


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "") if names else "none"


def _there(look: Any) -> Any:
    """Return the domain, or None where there is none of that name."""
    import libvirt

    try:
        return look()
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_DOMAIN:
            raise
        return None


def _supported(look: Any, otherwise: Any) -> Any:
    """Return the answer, or `otherwise` where the driver does not offer it."""
    import libvirt

    try:
        return look()
    except libvirt.libvirtError as error:
        if error.get_error_code() != NO_SUPPORT:
            raise
        return otherwise


def by_uuid(connection: Any, uuid: str) -> Any:
    """Return the domain of a UUID; in libvirt's thread.

    Raises:
        StaleError: it is gone.
    """
    domain = _there(lambda: connection.lookupByUUIDString(uuid))
    if domain is None:
        raise StaleError(f"the VM {uuid} is gone")
    return domain


def same(connection: Any, expect: Mapping[str, str], *keys: str) -> Any:
    """Return the domain if it still is what was approved; called in the same function, and thread, as the action.

    Args:
        connection: libvirt's.
        expect: the plan's identity.
        keys: what of it counts; all of it where none is named.

    Raises:
        StaleError: what moved.
    """
    domain = by_uuid(connection, expect["uuid"])
    now = identity(read(domain))
    moved = [f"{key} was {_short(expect[key])}, is {_short(now[key])}" for key in keys or now if now[key] != expect[key]]
    if moved:
        raise StaleError(f"{now['name']} changed: {'; '.join(moved)}")
    return domain


def _short(value: str) -> str:
    return value[:19] if value.startswith("sha256:") else value


@dataclass(frozen=True, slots=True)
class Pulse:
    """What shows that a guest works: `cpu` ns of its vCPUs, `written` bytes; and its state."""

    state: int
    reason: int
    number: int | None
    cpu: int
    written: int


def pulse(connection: Any, uuid: str) -> Pulse:
    """Take the pulse of a domain; in libvirt's thread."""
    domain = by_uuid(connection, uuid)
    state, reason = domain.state()
    number = domain.ID()
    cpu = written = 0
    if number >= 0:
        found = connection.domainListGetStats([domain], 0 if _is_test(connection) else _STATS, _NOWAIT)
        stats = found[0][1] if found else {}
        cpu = sum(int(value) for key, value in stats.items() if re.fullmatch(r"vcpu\.\d+\.time", key))
        written = sum(int(value) for key, value in stats.items() if re.fullmatch(r"block\.\d+\.wr\.bytes", key))
        if not any(key.startswith("vcpu.") for key in stats):
            cpu = int(domain.info()[4])  # a driver without these counters
    return Pulse(int(state), int(reason), number if number >= 0 else None, cpu, written)


def _is_test(connection: Any) -> bool:
    """Libvirt's own test driver knows only the state's statistics and refuses to be asked for others."""
    return str(connection.getType()).upper() == "TEST"


def agent_connected(seen: Seen) -> bool:
    """Return whether a guest agent answers, as libvirt last heard of it."""
    from debugtui.sources.libvirt.domain_xml import parse

    root = parse(seen.live)
    channels = root.iterfind("./devices/channel/target") if root is not None else ()
    return any(target.get("name") == _AGENT and target.get("state") == "connected" for target in channels)
