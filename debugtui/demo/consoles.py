"""What the demo's VMs wrote to their serial consoles."""

from __future__ import annotations

from pathlib import Path

from debugtui.demo.cast import HostPart, VmPart
from debugtui.demo.waves import share

_BOOT = (
    "Linux version 6.1.0-27-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)",
    "Command line: BOOT_IMAGE=/boot/vmlinuz-6.1.0-27-amd64 root=/dev/vda1 ro console=ttyS0",
    "Hypervisor detected: KVM",
    "kvm-clock: using sched offset of {offset} cycles",
    "Memory: {memory}K/{memory}K available",
    "smpboot: Allowing {vcpus} CPUs, 0 hotplug CPUs",
    "virtio_blk virtio2: [vda] {sectors} 512-byte logical blocks ({gib} GiB)",
    "EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.",
    "systemd[1]: Detected virtualization kvm.",
    "systemd[1]: Hostname set to <{name}>.",
    "systemd[1]: Started Journal Service.",
    "virtio_net virtio0 enp1s0: renamed from eth0",
    "systemd[1]: Reached target Network is Online.",
    "systemd[1]: Started OpenBSD Secure Shell server.",
    "systemd[1]: Reached target Multi-User System.",
)


def console_path(folder: Path, host: str, vm: str) -> Path:
    """Return where a VM's console log lies below the demo's folder."""
    return folder / host / "console" / f"{vm}.log"


def write_consoles(folder: Path, host: HostPart) -> None:
    """Write the console logs of a host's VMs."""
    for vm in host.vms:
        path = console_path(folder, host.name, vm.name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(_console(vm), encoding="utf-8")


def _console(vm: VmPart) -> str:
    values = {
        "offset": int(9e9 * share(vm.name)),
        "memory": vm.memory_gib << 20,
        "vcpus": vm.vcpus,
        "sectors": vm.disk_gib << 21,
        "gib": vm.disk_gib,
        "name": vm.name,
    }
    lines = []
    at = 0.0
    for number, text in enumerate(_BOOT):
        lines.append(f"[{at:12.6f}] {text.format(**values)}")
        at += 0.02 + 0.6 * share(vm.name, number)
    if not vm.running:
        return "\n".join([*lines, f"[{at:12.6f}] reboot: Power down", ""])
    return "\n".join([*lines, "", f"Debian GNU/Linux 12 {vm.name} ttyS0", "", f"{vm.name} login: ", ""])
