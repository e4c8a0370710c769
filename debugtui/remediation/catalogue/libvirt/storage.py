"""Where a VM's disks lie: from its XML, and from the host's filesystems."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from debugtui.hosts.link import CommandResult, CommandTimeoutError
from debugtui.model.plan import Guard
from debugtui.model.text import decode, line
from debugtui.remediation.catalogue.libvirt.common import MIB, guard
from debugtui.remediation.eyes import Eyes
from debugtui.sources.libvirt.domain_xml import attribute, parse

#: The least free share of a store, in percent, and of what is asked for.
FREE_PERCENT = 10
#: Deepest chain of overlays over a base.
DEPTH = 2
#: Filesystems that several hosts can have mounted (names of coreutils' stat).
_SHARED = ("nfs", "smb", "cifs", "ceph", "fuse", "gluster", "gfs", "ocfs2", "lustre", "afs", "gpfs", "vxfs", "panfs", "v9fs")


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk of a domain.

    Attributes:
        device: `vda`.
        kind: `file`, `block`, `network`, `volume`...
        role: `disk`, `cdrom`, `floppy`, `lun`.
        path: of the file or device; empty where there is none. As the XML has it, not made safe to show.
        format: `qcow2`, `raw`...
        readonly, shareable: the flags.
        backing: paths of the files below, nearest first; `?` for one that is no file.
        mirror: `` without a block job, else `yes` or `no`: whether its mirror is ready.
        job: what the mirror is for: `active-commit`, `copy`.
    """

    device: str
    kind: str
    role: str
    path: str
    format: str
    readonly: bool
    shareable: bool
    backing: tuple[str, ...]
    mirror: str
    job: str

    @property
    def writable(self) -> bool:
        """True for a disk that the guest may write to."""
        return self.role == "disk" and not self.readonly and bool(self.path)


@dataclass(frozen=True, slots=True)
class Space:
    """A filesystem: `kind` (`ext2/ext3`, `tmpfs`, `nfs`), size and free bytes for those who are not root."""

    kind: str
    size: int
    free: int

    @property
    def shared(self) -> bool:
        """True where other hosts may have it mounted, too."""
        return self.kind.lower().startswith(_SHARED)

    @property
    def percent(self) -> float:
        """Free share, 0 to 100."""
        return 100 * self.free / self.size if self.size else 0.0

    def __str__(self) -> str:
        return f"{self.free / MIB:.0f} of {self.size / MIB:.0f} MiB free ({self.percent:.1f} %), {line(self.kind, 40)}"


def disks_of(xml: str) -> tuple[Disk, ...]:
    """Return the disks of a domain's XML, in its order."""
    root = parse(xml)
    return tuple(_disk(element) for element in root.iterfind("./devices/disk")) if root is not None else ()


def _disk(element: ET.Element) -> Disk:
    mirror = element.find("mirror")
    return Disk(
        device=attribute(element, "target", "dev"),
        kind=element.get("type", ""),
        role=element.get("device", "disk"),
        path=_path(element),
        format=attribute(element, "driver", "type"),
        readonly=element.find("readonly") is not None,
        shareable=element.find("shareable") is not None,
        backing=tuple(_backing(element)),
        mirror="" if mirror is None else "yes" if mirror.get("ready") == "yes" else "no",
        job="" if mirror is None else mirror.get("job", "copy"),
    )


def _path(element: ET.Element) -> str:
    return attribute(element, "source", "file") or attribute(element, "source", "dev")


def _backing(element: ET.Element) -> Iterable[str]:
    below = element.find("backingStore")
    while below is not None and below.find("source") is not None:
        yield _path(below) or "?"
        below = below.find("backingStore")


async def space_of(eyes: Eyes, uuid: str, path: str) -> Space | str:
    """Return the filesystem below an image, or why it is not known.

    The image may lie where only the emulator sees it (a mount of its own); then it is looked at through the emulator's eyes.
    Its folder is never asked instead: it may lie on another filesystem.
    """
    try:
        return await _space_below(eyes, uuid, path)
    except CommandTimeoutError:  # a network filesystem whose server is gone never answers
        return "its filesystem does not answer in time"


async def _space_below(eyes: Eyes, uuid: str, path: str) -> Space | str:
    done = await _stat(eyes, path)
    if done.status == 0:
        return _space(done)
    said = line(decode(done.stderr), 200).strip() or f"exit status {done.status}"
    found = await eyes.run(["pgrep", "-f", "--", f"-uuid {uuid}"], limit=4_096)
    for pid in decode(found.stdout).split()[:5]:
        if pid.isascii() and pid.isdecimal():
            inner = await _stat(eyes, f"/proc/{pid}/root{path}")
            if inner.status == 0:
                return _space(inner)
    return said


async def _stat(eyes: Eyes, path: str) -> CommandResult:
    return await eyes.run(["stat", "-f", "-c", "%T|%S|%b|%a", "--", path], limit=4_096)


def _space(done: CommandResult) -> Space | str:
    parts = decode(done.stdout).strip().split("|")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() for part in parts[1:]):
        return f"the host answers {line(decode(done.stdout), 100)!r}"
    block, blocks, free = (int(part) for part in parts[1:])
    return Space(parts[0], block * blocks, block * free)


@dataclass(frozen=True, slots=True)
class Store:
    """A disk and the filesystem below it, or why that is not known."""

    disk: Disk
    space: Space | str

    def __str__(self) -> str:
        return f"{line(self.disk.device, 40)} {line(self.disk.path, 200)}: {self.space}"


async def stores_of(eyes: Eyes, uuid: str, disks: Sequence[Disk]) -> tuple[Store, ...]:
    """Return disks with the filesystems below them."""
    found: list[Store] = []
    for disk in disks:
        if disk.kind == "file" and disk.path.startswith("/"):
            found.append(Store(disk, await space_of(eyes, uuid, disk.path)))
        else:
            kind = line(disk.kind, 40) or "unknown"
            found.append(Store(disk, f"it lies on a {kind} device, whose free space the host does not tell"))
    return tuple(found)


def layout(stores: Sequence[Store]) -> Guard:
    """What of the disks' layout is in doubt: the operator is asked."""
    doubts: list[str] = []
    for store in stores:
        device = line(store.disk.device, 40)
        if store.disk.shareable:
            doubts.append(f"{device} is shareable: another VM may write to it")
        if store.disk.readonly:
            doubts.append(f"{device} is read-only")
        if store.disk.kind != "file":
            doubts.append(f"{device} is no plain file ({line(store.disk.kind, 40)})")
        elif isinstance(store.space, Space) and store.space.shared:
            doubts.append(f"{device} lies on shared storage ({line(store.space.kind, 40)})")
    if not stores:
        doubts.append("the VM has no disk that could be looked at")
    evidence = "; ".join(str(store) for store in stores)
    if doubts:
        return guard("disk_layout", None, f"look at the disks yourself: {'; '.join(doubts)}", evidence, critical=False)
    return guard("disk_layout", True, "plain local files, each of one VM", evidence, critical=False)


def enough_space(name: str, stores: Sequence[Store], *, need: int = 0, least: int | None = None) -> Guard:
    """Each store has `need` bytes and a tenth of it free; `least` bytes free suffice where the operator says so.

    A snapshot or a resume on a full store fails, or pauses the guest again within seconds.
    """
    evidence = "; ".join(str(store) for store in stores) or "no disk"
    unknown = [store for store in stores if isinstance(store.space, str)]
    for store in stores:
        space = store.space
        if isinstance(space, str):
            continue
        enough = space.free >= least if least is not None else space.percent >= FREE_PERCENT
        if not enough or space.free < need:
            wanted = f"{max(need, least) / MIB:.0f} MiB" if least is not None else f"{FREE_PERCENT} %"
            wanted = f"{need / MIB:.0f} MiB and {wanted}" if need and least is None else wanted
            return guard(
                name, False, f"the store of {line(store.disk.device, 40)} is too full: {wanted} have to be free", evidence
            )
    if unknown or not stores:
        return guard(name, None, "the free space of the store is not known", evidence)
    return guard(name, True, f"at least {FREE_PERCENT} % are free" if least is None else "enough is free", evidence)
