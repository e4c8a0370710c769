"""libvirt's numbers in libvirt's own words, as `virsh domstate --reason` prints them."""

from __future__ import annotations

STATES = {
    0: "no state",
    1: "running",
    2: "idle",
    3: "paused",
    4: "in shutdown",
    5: "shut off",
    6: "crashed",
    7: "pmsuspended",
}

#: By state, then by reason (virDomainRunningReason and its neighbours in libvirt-domain.h).
REASONS: dict[int, tuple[str, ...]] = {
    0: ("unknown",),
    1: (
        "unknown", "booted", "migrated", "restored", "from snapshot", "unpaused", "migration canceled", "save canceled",
        "event wakeup", "crashed", "post-copy", "post-copy failed",
    ),
    2: ("unknown",),
    3: (
        "unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog", "from snapshot", "shutting down",
        "creating snapshot", "crashed", "starting up", "post-copy", "post-copy failed", "api error",
    ),
    4: ("unknown", "user"),
    5: ("unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "daemon"),
    6: ("unknown", "panicked"),
    7: ("unknown",),
}  # fmt: skip

POOL_STATES = {0: "inactive", 1: "building", 2: "running", 3: "degraded", 4: "inaccessible"}
DISK_ERRORS = {0: "", 1: "unspecified error", 2: "no space"}


def reason_of(state: int, reason: int) -> str:
    """Return libvirt's word for why a domain is in its state."""
    words = REASONS.get(state, ())
    return words[reason] if 0 <= reason < len(words) else "unknown"


def version_of(number: int) -> str:
    """Return a version number such as 9000000 as `9.0.0`."""
    return f"{number // 1_000_000}.{number // 1_000 % 1_000}.{number % 1_000}"
