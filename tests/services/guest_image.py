"""A kernel and an initramfs small enough to boot under emulation in two or three seconds.

The kernel comes out of Debian's package (downloaded and unpacked, never installed) and stays in a cache folder:
`$XDG_CACHE_HOME/debugtui-tests/guest-N`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

KERNEL_PACKAGE = "linux-image-cloud-amd64"

# In the order in which they can be loaded.
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_balloon",
    "failover",
    "net_failover",
    "virtio_net",
)

# Twice a second: a line on the serial console, and 64 KiB through the disk to the host's file. With a network card (QEMU's own
# network, 10.0.2.0/24) it serves one page.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /modules/$module.ko; done
if [ -e /sys/class/net/eth0 ]; then
  ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
  mkdir -p /www
  echo "<html><body><h1>Intranet</h1></body></html>" >/www/index.html
  httpd -p 80 -h /www
fi
echo "guest up, password=hunter2-of-the-console"
n=0
while :; do
  n=$((n + 1))
  echo "tick $n"
  dd if=/dev/urandom of=/dev/vda bs=64k count=1 seek=$((n % 64)) conv=fsync 2>/dev/null
  sleep 0.5
done
"""


@dataclass(frozen=True)
class GuestImage:
    kernel: Path
    initramfs: Path


class MissingPartError(Exception):
    """Something the lab needs is not on this machine; the message says what, and how to get it."""


def need(program: str, package: str) -> str:
    """Return the path of a program, or say which package has it."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise MissingPartError(f"{program} is not installed: apt install {package}")
    return found


def _run(*argv: str, cwd: Path | None = None, timeout: float = 120) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=timeout, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        raise MissingPartError(f"{' '.join(argv)} failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def _kernel_package() -> str:
    """Return the name of the package that holds the kernel itself; the one that is always there only depends on it."""
    for depends in _run("apt-cache", "depends", KERNEL_PACKAGE).splitlines():
        words = depends.split()
        if words[:1] == ["Depends:"] and words[1].startswith("linux-image-"):
            return words[1]
    raise MissingPartError(f"apt knows no package {KERNEL_PACKAGE}: apt-get update")


def _resolve() -> str:
    try:
        return _kernel_package()
    except MissingPartError:
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update")
        return _kernel_package()


def _download(folder: Path) -> Path:
    argv = ["apt-get", "download", *(("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()), _resolve()]
    try:
        _run(*argv, cwd=folder)
    except MissingPartError:
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update")  # the package lists may be older than what the mirror still holds
        argv[-1] = _kernel_package()
        _run(*argv, cwd=folder)
    return next(folder.glob("linux-image-*.deb"))


def _unpack(package: Path, into: Path) -> None:
    tree = into / "tree"
    _run("dpkg", "-x", str(package), str(tree))
    shutil.copyfile(next((tree / "boot").glob("vmlinuz-*")), into / "vmlinuz")
    (into / "modules").mkdir()
    for name in MODULES:
        found = next(tree.rglob(f"{name}.ko*"))
        if found.suffix == ".xz":
            _run("xz", "-d", str(found))
            found = found.with_suffix("")
        shutil.copyfile(found, into / "modules" / f"{name}.ko")
    shutil.rmtree(tree)
    package.unlink()


def cached_kernel() -> Path:
    """Return the folder with `vmlinuz` and `modules/`, downloading the package where it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "debugtui-tests"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache / f"guest-{len(MODULES)}"  # another list of modules is another folder
        if not done.exists():
            for program, package in (("apt-get", "apt"), ("apt-cache", "apt"), ("dpkg", "dpkg")):
                need(program, package)
            work = Path(tempfile.mkdtemp(dir=cache))
            try:
                _unpack(_download(work), work)
                work.rename(done)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return done


def build(folder: Path) -> GuestImage:
    """Put a kernel and an initramfs into `folder`."""
    busybox, cpio = need("busybox", "busybox-static"), need("cpio", "cpio")
    source = cached_kernel()
    kernel, initramfs, root = folder / "vmlinuz", folder / "initramfs", folder / "root"
    shutil.copyfile(source / "vmlinuz", kernel)
    for name in ("bin", "proc", "sys", "dev", "modules"):
        (root / name).mkdir(parents=True)
    if b"/ld-linux" in Path(busybox).read_bytes()[:4096]:
        raise MissingPartError(f"{busybox} is not static: apt install busybox-static")
    shutil.copy(busybox, root / "bin" / "busybox")
    for name in MODULES:
        shutil.copyfile(source / "modules" / f"{name}.ko", root / "modules" / f"{name}.ko")
    (root / "init").write_text(INIT.format(modules=" ".join(MODULES)))
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    pack = [cpio, "-o", "-H", "newc", "--quiet"]
    packed = subprocess.run(pack, input=names.encode(), cwd=root, capture_output=True, timeout=60, check=True)
    initramfs.write_bytes(packed.stdout)
    shutil.rmtree(root)
    return GuestImage(kernel, initramfs)
