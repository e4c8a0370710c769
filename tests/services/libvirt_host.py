"""A private session libvirtd with small real guests under emulation.

Run by root it serves an ordinary user (`nobody`), otherwise the current one. Everything lives in one short folder below /tmp;
guests have no network card. A 24 MiB store of its own, visible only to the daemon and its guests, can be filled to make a
guest stop for a real I/O error.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.services import guest_image
from tests.services.guest_image import MissingPartError, need

#: Always running once `libvirt_host` is up.
WEB = "lab-web"
#: Defined, never started.
OFF = "lab-off"
#: Defined; its disk lies in the small store. Start it with `start_guest(FULL)`.
FULL = "lab-full"

STORE_MIB = 24

# The store is mounted where only the daemon sees it: a mount namespace of its own, which ends with the daemon and its guests.
_AS_ROOT = (
    'mount -t tmpfs -o size={size}m,mode=0777 store "$0" && exec setpriv --reuid={user} --regid={group} --clear-groups "$@"'
)
# An ordinary user gets one by being root in a user namespace first, and itself again in a second one.
_AS_USER = (
    'mount -t tmpfs -o size={size}m,mode=0777 store "$0" && exec unshare --user --map-user={user} --map-group={group} "$@"'
)

DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <title>{title}</title>
  <description>{description}</description>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{folder}/vmlinuz</kernel>
    <initrd>{folder}/initramfs</initrd>
    <cmdline>console=ttyS0 quiet panic=1</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>{emulator}</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='{format}'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    {serial}
    <memballoon model='virtio'><stats period='1'/></memballoon>
  </devices>
</domain>"""


def wait_for(true: Callable[[], Any], timeout: float, what: str) -> Any:
    """Return the first true answer; fail with `what` when none came in time."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if answer := true():
            return answer
        time.sleep(0.05)
    raise TimeoutError(f"not within {timeout:g} s: {what}")


class LibvirtHost:
    """The daemon and its guests. Calls block; the daemon is another process, so a test's event loop may wait for them."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="dtlv-", dir="/tmp"))
        self.folder.chmod(0o711)
        entry = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.user, self.uid, self.gid = entry.pw_name, entry.pw_uid, entry.pw_gid
        self.runtime, self.home, self.store = self.folder / "run", self.folder / "home", self.folder / "store"
        self.socket = self.runtime / "libvirt" / "libvirt-sock"
        self.uri = f"qemu+unix:///session?socket={self.socket}"
        self._daemon: subprocess.Popen[bytes] | None = None

    # --- life ------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the daemon, define the guests, boot the first one."""
        for program, package in (
            ("libvirtd", "libvirt-daemon libvirt-daemon-driver-qemu"),
            ("qemu-system-x86_64", "qemu-system-x86 seabios ipxe-qemu"),
            ("qemu-img", "qemu-utils"),
            ("unshare", "util-linux"),
            ("setpriv", "util-linux"),
            ("fallocate", "util-linux"),
        ):
            need(program, package)
        for path in (self.runtime, self.home, self.store, self.home / "config" / "libvirt", self.home / "cache"):
            path.mkdir(parents=True)
        # Without virtlogd (it would outlive the daemon) and without confinement, which an unprivileged daemon cannot set up.
        (self.home / "config" / "libvirt" / "qemu.conf").write_text('stdio_handler = "file"\nsecurity_driver = "none"\n')
        guest_image.build(self.folder)
        for name in (WEB, OFF):
            self._image(name)
        self._own()
        self.start_daemon()
        self.define(WEB, title="The [b]web[/b] server", console=True)
        self.define(OFF, title="[@click=app.quit]x[/]", description="bidi \u202e and [/nope]")
        with self._stored(f"{FULL}.img").open("wb") as disk:
            disk.truncate(16 << 20)
        self._stored(f"{FULL}.img").chmod(0o666)
        self.define(FULL, disk=self.store / f"{FULL}.img", format_="raw")
        self.start_guest(WEB)
        wait_for(lambda: "tick 1" in self.console(WEB), 60, "first line on the guest's console")

    def start_daemon(self) -> None:
        """Start libvirtd and wait until it answers."""
        script, extra = (_AS_ROOT, []) if os.geteuid() == 0 else (_AS_USER, ["--user", "--map-root-user"])
        script = script.format(size=STORE_MIB, user=self.uid, group=self.gid)
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_DATA_HOME": str(self.home / "data"),
        }
        argv = ["unshare", *extra, "--mount", "sh", "-c", script, str(self.store), need("libvirtd", "libvirt-daemon")]
        with (self.folder / "libvirtd.log").open("ab") as log:
            self._daemon = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._answers, 20, f"libvirtd: {self._last_words()}")

    def _answers(self) -> bool:
        if self._daemon is None or self._daemon.poll() is not None:
            raise MissingPartError(f"libvirtd ended at once: {self._last_words()}")
        if not self.socket.exists():
            return False
        try:
            with self.connect():
                return True
        except OSError:
            return False

    def _last_words(self) -> str:
        log = self.folder / "libvirtd.log"
        return log.read_text(errors="replace")[-800:] if log.exists() else ""

    def stop_daemon(self, sign: int = signal.SIGTERM) -> None:
        """End libvirtd; guests live on, as they do when a host updates it."""
        if self._daemon is None:
            return
        self._daemon.send_signal(sign)
        self._daemon.wait(20)
        self._daemon = None

    def freeze_daemon(self) -> None:
        """Make libvirtd hang (SIGSTOP)."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGSTOP)

    def thaw_daemon(self) -> None:
        """Let it go on."""
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End guests and daemon, and remove everything."""
        if self._daemon is not None:
            with contextlib.suppress(OSError), self.connect() as connection:
                for domain in connection.listAllDomains(1):
                    domain.destroy()
        self.stop_daemon()
        for pid in self._own_pids():
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists(), 10, f"end of {pid}")
        shutil.rmtree(self.folder)

    def _own_pids(self) -> list[int]:
        """The guests that are left, by the pid files in this host's own folder."""
        pids = []
        for file in self.folder.rglob("*.pid"):
            pid = int(file.read_text().strip() or 0)
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    pids.append(pid)
        return pids

    # --- guests ----------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def connect(self) -> Iterator[Any]:
        """Open a connection that may write. Raises OSError where the daemon does not answer."""
        try:
            import libvirt
        except ImportError as error:
            raise MissingPartError(
                "libvirt-python: apt install libvirt-dev pkg-config gcc, pip install '.[libvirt]'"
            ) from error
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        try:
            connection = libvirt.open(self.uri)
        except libvirt.libvirtError as error:
            raise ConnectionError(str(error)) from None
        try:
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def guest(self, name: str) -> Iterator[Any]:
        """Give a `virDomain` by name."""
        with self.connect() as connection:
            yield connection.lookupByName(name)

    def define(
        self,
        name: str,
        *,
        title: str = "",
        description: str = "",
        disk: Path | None = None,
        format_: str = "qcow2",
        console: bool = False,
    ) -> str:
        """Define a guest; return its UUID. With `console` its serial console goes to a file, else to a terminal device."""
        log = self.console_path(name)
        serial = f"<serial type='file'><source path='{log}'/></serial>" if console else "<serial type='pty'/>"
        xml = DOMAIN.format(
            name=escape(name),
            title=escape(title or name),
            description=escape(description),
            folder=self.folder,
            emulator=need("qemu-system-x86_64", "qemu-system-x86"),
            format=format_,
            disk=disk or self.folder / f"{name}.qcow2",
            serial=serial,
        )
        with self.connect() as connection:
            return str(connection.defineXML(xml).UUIDString())

    def undefine(self, name: str) -> None:
        with self.guest(name) as domain:
            if domain.isActive():
                domain.destroy()
            domain.undefine()

    def start_guest(self, name: str) -> None:
        with self.guest(name) as domain:
            domain.create()

    def destroy(self, name: str) -> None:
        with self.guest(name) as domain:
            domain.destroy()

    def suspend(self, name: str) -> None:
        with self.guest(name) as domain:
            domain.suspend()

    def resume(self, name: str) -> None:
        with self.guest(name) as domain:
            domain.resume()

    def guest_pid(self, name: str) -> int:
        """The process of a running guest's emulator."""
        return int(next(self.folder.rglob(f"{name}.pid")).read_text())

    def freeze_guest(self, name: str) -> None:
        """Make a guest's emulator hang (SIGSTOP): libvirtd waits for its answers for ever."""
        os.kill(self.guest_pid(name), signal.SIGSTOP)

    def thaw_guest(self, name: str) -> None:
        """Let it go on."""
        os.kill(self.guest_pid(name), signal.SIGCONT)

    def uuid(self, name: str) -> str:
        with self.guest(name) as domain:
            return str(domain.UUIDString())

    def snapshot(self, name: str, snapshot: str, description: str = "") -> None:
        """Take an internal snapshot."""
        xml = (
            f"<domainsnapshot><name>{escape(snapshot)}</name><description>{escape(description)}</description></domainsnapshot>"
        )
        with self.guest(name) as domain:
            domain.snapshotCreateXML(xml, 0)

    def delete_snapshot(self, name: str, snapshot: str) -> None:
        with self.guest(name) as domain:
            domain.snapshotLookupByName(snapshot).delete()

    def console_path(self, name: str) -> Path:
        return self.folder / f"{name}.console"

    def console(self, name: str) -> str:
        """What the guest wrote on its console so far."""
        path = self.console_path(name)
        return path.read_text(errors="replace") if path.exists() else ""

    # --- the small store -------------------------------------------------------------------------------------------------

    def fill_store(self) -> None:
        """Take every free block of the store and of the disk in it: the next write of its guest fails with "no space"."""
        # Twice: what the guest wrote in between is punched out again, and the ballast takes its place.
        for _ in range(2):
            disk = str(self._stored(f"{FULL}.img"))
            argv = ["fallocate", "--punch-hole", "--offset", "0", "--length", "16M", disk]
            subprocess.run(argv, check=True, capture_output=True, timeout=30)
            with contextlib.suppress(OSError), self._stored("ballast").open("ab", buffering=0) as ballast:
                while ballast.write(bytes(4096)):
                    pass

    def free_store(self) -> None:
        """Give the space back."""
        self._stored("ballast").unlink(missing_ok=True)

    def _stored(self, name: str) -> Path:
        """A file of the store, by a way into the daemon's mount namespace."""
        assert self._daemon is not None
        return Path(f"/proc/{self._daemon.pid}/root{self.store}/{name}")

    def _image(self, name: str) -> None:
        argv = ["qemu-img", "create", "-q", "-f", "qcow2", str(self.folder / f"{name}.qcow2"), "64M"]
        subprocess.run(argv, check=True, capture_output=True, timeout=30)

    def _own(self) -> None:
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, self.uid, self.gid)


@pytest.fixture(scope="session")
def libvirt_host() -> Iterator[LibvirtHost]:
    """A real libvirt host: `lab-web` runs, `lab-off` is shut off, `lab-full` waits to be started."""
    host = LibvirtHost()
    try:
        host.start()
        yield host
    finally:
        host.stop()
