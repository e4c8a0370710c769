"""What answers faults of hosts and VMs: space that can be freed, guests that go on, units, processes."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.explain import Root
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.model.diagnosis import Offer
from debugtui.model.source import Kind
from debugtui.model.target import Target

#: What frees space, by what takes it; a thing that takes less than this many bytes is not worth a plan.
WORTH = 4 << 20


def guests(root: Root, around: Surroundings) -> Iterator[Offer]:
    """Yield what answers the fault of one VM, pool or network."""
    cause = root.cause
    target, rule = cause.target, cause.rule
    space = list(_space(target.host, cause.fact("path"), around)) if rule in ("pool_full", "vm_io_error") else []
    yield from space
    if rule in ("vm_io_error", "vm_paused"):
        yield Offer("libvirt.resume", target)
    elif rule in ("vm_off", "vm_forced_off", "vm_stopped", "vm_crashed"):
        yield Offer("libvirt.start", target)
    elif rule == "silent":
        yield Offer("libvirt.restart", target)
    elif not target.name and rule.startswith("lost_"):
        yield Offer("system.restart_unit", Target(target.host, "system", "libvirtd.service"))
    if space:
        yield from _guests_that_wait(root)


def hosts(root: Root, around: Surroundings) -> Iterator[Offer]:
    """Yield what answers the fault of a host."""
    cause = root.cause
    target, rule = cause.target, cause.rule
    if rule in ("disk", "inodes"):
        space = list(_space(target.host, target.name, around))
        yield from space
        if space:
            yield from _guests_that_wait(root)
    elif rule == "unit_failed":
        yield Offer("system.restart_unit", target)
    elif cause.fact("pid"):
        yield Offer("system.end_process", Target(target.host, "system", cause.fact("pid")))


def _guests_that_wait(root: Root) -> Iterator[Offer]:
    """A VM that was paused because its store is full goes on once there is space; before that it only stops again."""
    for link in root.links:
        if link.above.rule == "vm_io_error":
            yield Offer("libvirt.resume", link.above.target)


def _space(host: str, path: str, around: Surroundings) -> Iterator[Offer]:
    """What frees space on the filesystem of a path, where that is full: the largest first, only what lies there."""
    mount = around.full_mount_of(host, path)
    found = [one for one in around.spaces if one.host == host and one.bytes >= WORTH and mount and one.mount == mount]
    for one in sorted(found, key=lambda space: (-space.bytes, space.what, space.name)):
        if one.what == "log" and one.name:
            yield Offer("docker.truncate_log", Target(host, Kind.DOCKER, one.name))
        elif one.what == "images":
            yield Offer("docker.prune_images", Target(host, Kind.DOCKER))
        elif one.what == "journal":
            yield Offer("system.vacuum_journal", Target(host, "system", "journal"))
        elif one.what == "packages":
            yield Offer("system.clean_packages", Target(host, "system", "packages"))
    root = around.docker_root(host)
    if around.dangling_bytes(host) >= WORTH and mount and around.mount_of(host, root) == mount:
        yield Offer("docker.prune_images", Target(host, Kind.DOCKER))
