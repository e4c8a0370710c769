"""The demo's VMs as libvirt's own test driver takes them: a node description in XML."""

from __future__ import annotations

import uuid
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from debugtui.demo.cast import HostPart, VmPart
from debugtui.demo.consoles import console_path
from debugtui.demo.waves import share

_SPACE = uuid.UUID("9f3c1f52-7c1e-4f0e-9a55-6d656d6f6465")
_RUNNING, _OFF = 1, 5


def vm_uuid(host: str, vm: str) -> uuid.UUID:
    """Return a VM's UUID, always the same."""
    return uuid.uuid5(_SPACE, f"{host}/{vm}")


def mac(host: str, vm: str) -> str:
    """Return a VM's hardware address."""
    number = int(share(host, vm, "mac") * 0xFFFFFF)
    return f"52:54:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def disk_path(vm: VmPart) -> str:
    """Return where a VM's disk lies."""
    return f"/var/lib/libvirt/images/{vm.name}.qcow2"


def write_node(path: Path, folder: Path, host: HostPart) -> None:
    """Write a host's description.

    Args:
        path: where to.
        folder: the demo's folder, which holds the console logs.
        host: the host.
    """
    parts = [_cpu(host), *(_domain(folder, host, vm) for vm in host.vms), *_networks(host), _pool(host)]
    path.write_text("<node>\n" + "\n".join(parts) + "\n</node>\n", encoding="utf-8")


def _cpu(host: HostPart) -> str:
    return (
        f"<cpu><mhz>2900</mhz><model>x86_64</model><active>{host.cpus}</active><nodes>1</nodes><sockets>1</sockets>"
        f"<cores>{host.cpus}</cores><threads>1</threads></cpu><memory>{host.memory_gib << 20}</memory>"
    )


def _domain(folder: Path, host: HostPart, vm: VmPart) -> str:
    console = console_path(folder, host.name, vm.name)
    title = f"<title>{escape(vm.title)}</title>" if vm.title else ""
    return f"""<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
  <name>{escape(vm.name)}</name>
  <uuid>{vm_uuid(host.name, vm.name)}</uuid>
  {title}
  <memory unit='GiB'>{vm.memory_gib}</memory>
  <currentMemory unit='GiB'>{vm.memory_gib}</currentMemory>
  <vcpu>{vm.vcpus}</vcpu>
  <os><type arch='x86_64'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>restart</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file={quoteattr(disk_path(vm))}/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='network'>
      <mac address='{mac(host.name, vm.name)}'/>
      <source network='default'/>
      <target dev='vnet{host.vms.index(vm)}'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'>
      <source path={quoteattr(str(console))}/>
      <target port='0'/>
    </serial>
    <memballoon model='virtio'/>
  </devices>
  <test:runstate>{_RUNNING if vm.running else _OFF}</test:runstate>
  {"".join(_snapshot(host, vm, number) for number in range(len(vm.snapshots)))}
</domain>"""


def _snapshot(host: HostPart, vm: VmPart, number: int) -> str:
    name, description = vm.snapshots[number]
    parent = f"<parent><name>{escape(vm.snapshots[number - 1][0])}</name></parent>" if number else ""
    current = 1 if number == len(vm.snapshots) - 1 else 0
    created = 1_762_000_000 + int(9e6 * share(host.name, vm.name, number)) + number * 86_400 * 30
    return f"""<test:domainsnapshot>
    <name>{escape(name)}</name>
    <description>{escape(description)}</description>
    {parent}
    <state>shutoff</state>
    <creationTime>{created}</creationTime>
    <active>{current}</active>
    <domain type='test'><name>{escape(vm.name)}</name><uuid>{vm_uuid(host.name, vm.name)}</uuid>
    <memory unit='GiB'>{vm.memory_gib}</memory><vcpu>{vm.vcpus}</vcpu>
    <os><type arch='x86_64'>hvm</type></os></domain>
  </test:domainsnapshot>"""


def _networks(host: HostPart) -> tuple[str, ...]:
    number = int(host.name[-2:])
    return (
        _network(host, "default", "virbr0", "<forward mode='nat'/>", f"192.168.{120 + number}.1"),
        _network(host, "backup", "virbr1", "", f"10.77.{number}.1"),
    )


def _network(host: HostPart, name: str, bridge: str, forward: str, address: str) -> str:
    return (
        f"<network><name>{name}</name><uuid>{vm_uuid(host.name, f'network {name}')}</uuid><bridge name='{bridge}'/>{forward}"
        f"<ip address='{address}' netmask='255.255.255.0'/></network>"
    )


def _pool(host: HostPart) -> str:
    volumes = "".join(
        f"<volume><name>{escape(vm.name)}.qcow2</name><capacity unit='GiB'>{vm.disk_gib}</capacity>"
        f"<allocation unit='GiB'>{vm.disk_gib * 6 // 10}</allocation>"
        f"<target><path>{escape(disk_path(vm))}</path><format type='qcow2'/></target></volume>"
        for vm in host.vms
    )
    return (
        f"<pool type='dir'><name>images</name><uuid>{vm_uuid(host.name, 'pool images')}</uuid>"
        f"<target><path>/var/lib/libvirt/images</path></target>{volumes}</pool>"
    )
