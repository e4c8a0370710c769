"""Small disks of the lab's own: ext4 in a file, mounted by a loop device, so that they can really run full."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.lab.programs import as_root, program


@dataclass
class Disk:
    """One disk. What lies on it survives filling and freeing."""

    image: Path
    mount: Path
    mib: int
    inodes: int = 2048

    @property
    def used_percent(self) -> float:
        """As df counts it."""
        found = os.statvfs(self.mount)
        used = found.f_blocks - found.f_bfree
        return 100 * used / (used + found.f_bavail)

    @property
    def inodes_percent(self) -> float:
        found = os.statvfs(self.mount)
        return 100 * (found.f_files - found.f_ffree) / found.f_files

    def make(self) -> None:
        """Make it and mount it; anyone may write."""
        self.image.parent.mkdir(parents=True, exist_ok=True)
        self.mount.mkdir(parents=True, exist_ok=True)
        with self.image.open("wb") as file:
            file.truncate(self.mib << 20)
        argv = [
            program("mkfs.ext4", "e2fsprogs"),
            "-q",
            "-m",
            "0",
            "-N",
            str(self.inodes),
            "-O",
            "^has_journal",
            str(self.image),
        ]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        as_root("mount", "-o", "loop", str(self.image), str(self.mount))
        as_root("chmod", "0777", str(self.mount))

    def fill(self, folder: str = ".", *, leave: int = 0) -> None:
        """Take every free block, but `leave` bytes."""
        left = os.statvfs(self.mount).f_bavail * os.statvfs(self.mount).f_frsize - leave
        with (self.mount / folder / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            while left > 0:
                left -= ballast.write(bytes(min(1 << 20, left)))
            while leave == 0:
                ballast.write(bytes(4096))

    def fill_inodes(self) -> None:
        """Take every free inode."""
        folder = self.mount / "sessions"
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            for number in range(self.inodes * 2):
                (folder / f"sess_{number:06}").touch()

    def free(self) -> None:
        """Give back what was taken."""
        for ballast in self.mount.rglob("ballast"):
            ballast.unlink()
        folder = self.mount / "sessions"
        if folder.exists():
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    def remove(self) -> None:
        """Unmount it, and remove its file. Safe to call twice."""
        if os.path.ismount(self.mount) and as_root("umount", str(self.mount), check=False).returncode:
            as_root("umount", "-l", str(self.mount))
        self.image.unlink(missing_ok=True)
