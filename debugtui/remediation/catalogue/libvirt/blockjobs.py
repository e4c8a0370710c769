"""Merging an overlay into the file below it while the guest runs: start, wait until both are the same, pivot.

Until the pivot the guest still writes to the overlay, and ending the job leaves everything as it was. No file is ever deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from debugtui.hosts.link import LinkError
from debugtui.model.text import line
from debugtui.remediation.base import Done, Settled, StaleError, StepError
from debugtui.remediation.catalogue.libvirt import common
from debugtui.remediation.catalogue.libvirt.domain import by_uuid, read, same
from debugtui.remediation.catalogue.libvirt.observe import seen_of
from debugtui.remediation.catalogue.libvirt.storage import Disk, disks_of
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError
from debugtui.sources.libvirt.worker import CallError

#: virDomainBlockCommitFlags, virDomainBlockJobAbortFlags.
SHALLOW, ACTIVE_COMMIT = 1, 4
ABORT_ASYNC, PIVOT = 1, 2
COMMIT = "active-commit"
#: Seconds between two looks, and that a commit may take unless told.
EVERY_S, WAIT_S = 1.0, 600
_KEYS = ("uuid", "instance", "persistent")


def disk_now(xml: str, device: str) -> Disk:
    """Return a disk of a live definition.

    Raises:
        StaleError: there is none of that name.
    """
    for disk in disks_of(xml):
        if disk.device == device:
            return disk
    raise StaleError(f"the VM has no disk {line(device, 40)} any more")


def begin(connection: Any, expect: Mapping[str, str], device: str, top: str, base: str, keys: tuple[str, ...] = _KEYS) -> bool:
    """Start the merge of `top` into `base`; in libvirt's thread. False: the disk is on `base` already.

    Raises:
        StaleError: the disk's chain is another one, or a job is under way.
    """
    domain = same(connection, expect, *keys)
    disk = disk_now(str(domain.XMLDesc(0)), device)
    if disk.path == base:
        return False
    if disk.path != top or disk.backing[:1] != (base,):
        raise StaleError(f"{device} has another chain of files than the plan")
    if disk.mirror or domain.blockJobInfo(device, 0):
        raise StaleError(f"a block job is under way on {device}")
    domain.blockCommit(device, None, None, 0, ACTIVE_COMMIT | SHALLOW)
    return True


async def merge(
    hands: Hands, expect: Mapping[str, str], device: str, top: str, base: str, *, wait_s: int, keys: tuple[str, ...] = _KEYS
) -> Done:
    """Start the merge and wait until overlay and base hold the same.

    Raises:
        StepError: it did not come so far within `wait_s` seconds, or failed; the job was ended, which changes nothing.
    """

    async def settle(eyes: Eyes) -> Settled:
        return await merge_settled(eyes, expect["uuid"], device, base)

    begun = await common.send(hands, lambda connection: begin(connection, expect, device, top, base, keys), settle, limit=30.0)
    if not begun:
        return Done(f"{device} is on the lower file already: nothing to merge")
    until = hands.clock.monotonic() + wait_s
    while hands.clock.monotonic() < until:
        try:
            here, cur, end = await common.ask(hands, lambda connection: _progress(connection, expect["uuid"], device))
        except (SourceError, LinkError):
            here, cur, end = "unseen", 0, 0
        if here == "yes" and cur == end:
            return Done(f"{device}: overlay and lower file hold the same; the guest still writes to the overlay")
        if here == "":
            raise StepError(f"the merge of {device} ended without becoming ready", changed=False)
        hands.tell(f"{device}: {cur / common.MIB:.0f} of {end / common.MIB:.0f} MiB merged")
        await asyncio.sleep(EVERY_S)
    ended = await abort(hands, expect, device)
    says = f"{device} was not merged within {wait_s} s; the job was ended: the guest uses its overlay as before"
    raise StepError(says, changed=False if ended else None)


def _progress(connection: Any, uuid: str, device: str) -> tuple[str, int, int]:
    domain = by_uuid(connection, uuid)
    info = domain.blockJobInfo(device, 0) or {}
    mirror = disk_now(str(domain.XMLDesc(0)), device).mirror
    if not info and not mirror:
        return "", 0, 0
    return mirror or "no", int(info.get("cur", 0)), int(info.get("end", 1))


async def merge_settled(eyes: Eyes, uuid: str, device: str, base: str) -> Settled:
    """Tell whether a merge became ready (or the disk already is on its base)."""
    seen = await seen_of(eyes, uuid)
    disk = disk_now(seen.live, device)
    if disk.path == base or (disk.mirror == "yes" and disk.job == COMMIT):
        return Settled.DONE
    return Settled.UNKNOWN if disk.mirror or seen.busy else Settled.NOT_DONE


def _turn(connection: Any, expect: Mapping[str, str], device: str, base: str) -> bool:
    domain = same(connection, expect, *_KEYS)
    disk = disk_now(str(domain.XMLDesc(0)), device)
    if disk.path == base:
        return False
    info = domain.blockJobInfo(device, 0) or {}
    if disk.mirror != "yes" or disk.job != COMMIT or info.get("cur") != info.get("end"):
        raise StaleError(f"the merge of {device} is not ready")
    domain.blockJobAbort(device, PIVOT)
    return True


async def pivot(hands: Hands, expect: Mapping[str, str], device: str, base: str) -> Done:
    """Let the guest go on with the lower file."""

    async def settle(eyes: Eyes) -> Settled:
        return await pivot_settled(eyes, expect["uuid"], device, base)

    turned = await common.send(hands, lambda connection: _turn(connection, expect, device, base), settle, limit=30.0)
    return Done(f"{device} now is on the lower file" if turned else f"{device} is on the lower file already")


async def pivot_settled(eyes: Eyes, uuid: str, device: str, base: str) -> Settled:
    """Tell whether the guest writes to the lower file."""
    seen = await seen_of(eyes, uuid)
    disk = disk_now(seen.live, device)
    if disk.path == base and not disk.mirror:
        return Settled.DONE
    return Settled.UNKNOWN if disk.path == base or seen.busy else Settled.NOT_DONE


def _end(connection: Any, expect: Mapping[str, str], device: str) -> bool:
    domain = same(connection, expect, *_KEYS)
    disk = disk_now(read(domain).live, device)
    if disk.mirror and disk.job != COMMIT:
        raise StaleError(f"the block job on {device} is another one")
    if not disk.mirror and not domain.blockJobInfo(device, 0):
        return False
    domain.blockJobAbort(device, 0)
    return True


async def abort(hands: Hands, expect: Mapping[str, str], device: str) -> bool:
    """End a merge before its pivot; True where none is left."""
    try:
        await hands.libvirt_write(lambda connection: _end(connection, expect, device), 30.0)
        here, _, _ = await common.ask(hands, lambda connection: _progress(connection, expect["uuid"], device))
    except (CallError, SourceError, LinkError, StaleError):
        return False
    return here == ""
