"""The lab's libvirt: guests with a page on a port of loopback, whose disks lie where the lab says."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.lab.programs import LabError, lasting_port, status_of, until
from tests.services import guest_image
from tests.services.guest_image import need
from tests.services.libvirt_host import LibvirtHost

_DOMAIN = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>96</memory>
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
      <driver name='qemu' type='raw' error_policy='enospace'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='file'><source path='{folder}/{name}.console'/></serial>
    <memballoon model='virtio'><stats period='1'/></memballoon>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-netdev'/>
    <qemu:arg value='user,id=lab0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:80'/>
    <qemu:arg value='-device'/>
    <qemu:arg value='virtio-net-pci,netdev=lab0,addr=0x10,romfile='/>
  </qemu:commandline>
</domain>"""


@dataclass(frozen=True)
class Guest:
    """One guest: its disk, and the port of loopback at which its page is."""

    name: str
    disk: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


class Guests(LibvirtHost):
    """A libvirt daemon with the lab's guests; each starts with its host, and runs when the lab is healthy.

    One of them has its disk in a store that only the daemon and its guests see, as on a network share that the host's `df` does
    not look at.
    """

    def __init__(self, folder: Path, disks: dict[str, Path], hidden: str) -> None:
        """Prepare; `disks` says where each guest's disk lies; that of `hidden` lies in the daemon's store."""
        folder.mkdir(parents=True)
        super().__init__(folder)
        self.hidden = hidden
        places = {**disks, hidden: self.store / f"{hidden}.img"}
        self.guests = {name: Guest(name, disk, lasting_port()) for name, disk in places.items()}

    def start(self) -> None:
        """Start the daemon, and define and boot every guest."""
        for path in (self.runtime, self.home, self.store, self.home / "config" / "libvirt", self.home / "cache"):
            path.mkdir(parents=True)
        (self.home / "config" / "libvirt" / "qemu.conf").write_text('stdio_handler = "file"\nsecurity_driver = "none"\n')
        guest_image.build(self.folder)
        self._own()
        self.start_daemon()
        for guest in self.guests.values():
            with self.disk(guest.name).open("wb") as disk:
                disk.truncate(16 << 20)
            self.disk(guest.name).chmod(0o666)
            self._define(guest)
            self.start_guest(guest.name)
        for guest in self.guests.values():
            until(lambda guest=guest: status_of(guest.url) == 200, 90, f"page of {guest.name}")

    def start_daemon(self) -> None:
        """As every libvirt host; ctrl+c at the terminal is not for it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start_daemon()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _define(self, guest: Guest) -> None:
        emulator = need("qemu-system-x86_64", "qemu-system-x86")
        xml = _DOMAIN.format(name=guest.name, folder=self.folder, emulator=emulator, disk=guest.disk, port=guest.port)
        with self.connect() as connection:
            connection.defineXML(xml).setAutostart(1)

    def state(self, name: str) -> tuple[int, int]:
        """State and reason, as libvirt numbers them: 1 running, 3 paused, 5 shut off, 6 crashed."""
        with self.guest(name) as domain:
            state, reason = domain.state()
            return int(state), int(reason)

    def wait_state(self, name: str, state: int, timeout: float = 20) -> None:
        until(lambda: self.state(name)[0] == state, timeout, lambda: f"{name} in state {state}, not {self.state(name)}")

    def disk(self, name: str) -> Path:
        """The file of a guest's disk, as this process reaches it."""
        return self._stored(f"{name}.img") if name == self.hidden else self.guests[name].disk

    def punch(self, name: str) -> None:
        """Give the blocks of a guest's disk back to its store: its next write needs new ones."""
        argv = [need("fallocate", "util-linux"), "--punch-hole", "--offset", "0", "--length", "16M", str(self.disk(name))]
        subprocess.run(argv, check=True, capture_output=True, timeout=30)

    def fill_own_store(self) -> None:
        """Take every free block of the store that only the daemon sees."""
        for _ in range(2):  # what the guest wrote in between is punched out again, and the ballast takes its place
            self.punch(self.hidden)
            with contextlib.suppress(OSError), self._stored("ballast").open("ab", buffering=0) as ballast:
                while ballast.write(bytes(4096)):
                    pass

    def free_own_store(self) -> None:
        """Give the space back."""
        self._stored("ballast").unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """Kill a guest's emulator, as the host does when it runs out of memory."""
        os.kill(self.guest_pid(name), signal.SIGKILL)
        self.wait_state(name, 5)

    def back(self, name: str) -> None:
        """Have a guest run and serve again, whatever happened to it."""
        with self.guest(name) as domain:
            state = domain.state()[0]
            if state == 3:
                domain.resume()
            elif state != 1:
                domain.create()
        self.wait_serving([name])

    def wait_serving(self, names: Sequence[str] = ()) -> None:
        """Wait until the guests run and their pages answer."""
        for name in names or self.guests:
            guest = self.guests[name]
            until(
                lambda guest=guest: status_of(guest.url) == 200,
                60,
                lambda name=name: f"page of {name}: {self.console(name)[-300:]}",
            )
            if self.state(name)[0] != 1:
                raise LabError(f"{name} does not run")

    def kill_daemon(self) -> None:
        """Kill libvirtd; the guests live on."""
        self.stop_daemon(signal.SIGKILL)

    def stop(self) -> None:
        """End guests and daemon. What the guests' disks lie on can be unmounted afterwards."""
        pids = self._own_pids()
        if self._daemon is None:  # killed by a scenario that did not end
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        super().stop()
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}/exe").exists() for pid in pids) and time.monotonic() < end:
            time.sleep(0.05)
