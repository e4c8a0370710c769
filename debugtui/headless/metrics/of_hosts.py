"""What hosts, VMs and containers say, as metrics."""

from __future__ import annotations

from debugtui.headless.metrics.samples import Samples, counter, gauge, ratio
from debugtui.model.docker import Container, DockerReading
from debugtui.model.libvirt import LibvirtReading, Vm
from debugtui.model.system import SystemReading

CPU = gauge("host_cpu_ratio", "Share of the host's processor time that was busy, 0 to 1.", "host")
IOWAIT = gauge("host_cpu_iowait_ratio", "Share of the host's processor time that waited for disks, 0 to 1.", "host")
STEAL = gauge("host_cpu_steal_ratio", "Share of the host's processor time that its hypervisor took, 0 to 1.", "host")
CPUS = gauge("host_cpus", "Processors of the host.", "host")
LOAD1 = gauge("host_load1", "Load of the host over one minute.", "host")
LOAD5 = gauge("host_load5", "Load of the host over five minutes.", "host")
LOAD15 = gauge("host_load15", "Load of the host over fifteen minutes.", "host")
UPTIME = gauge("host_uptime_seconds", "Seconds since the host started.", "host")
MEMORY = gauge("host_memory_bytes", "Memory of the host.", "host")
AVAILABLE = gauge("host_memory_available_bytes", "Memory of the host that programs can still get.", "host")
SWAP = gauge("host_swap_bytes", "Swap space of the host.", "host")
SWAP_USED = gauge("host_swap_used_bytes", "Swap space of the host that is used.", "host")
FAILED = gauge("host_failed_units", "Units of systemd that failed.", "host")
FS_SIZE = gauge("host_filesystem_size_bytes", "Size of a file system.", "host", "mount")
FS_AVAILABLE = gauge("host_filesystem_available_bytes", "Space of a file system that users can still get.", "host", "mount")
FS_USED = gauge(
    "host_filesystem_used_ratio", "Share of a file system's space that is used, as df counts, 0 to 1.", "host", "mount"
)
FS_INODES = gauge("host_filesystem_inodes_used_ratio", "Share of a file system's inodes that is used, 0 to 1.", "host", "mount")
FS_READ_ONLY = gauge("host_filesystem_read_only", "Whether a file system is mounted read-only.", "host", "mount")
DISK_READ = gauge("host_disk_read_bytes_per_second", "Bytes a second read from a disk.", "host", "device")
DISK_WRITE = gauge("host_disk_written_bytes_per_second", "Bytes a second written to a disk.", "host", "device")
DISK_BUSY = gauge("host_disk_busy_ratio", "Share of the time in which a disk had work, 0 to 1.", "host", "device")
NET_IN = gauge("host_network_received_bytes_per_second", "Bytes a second that an interface received.", "host", "interface")
NET_OUT = gauge("host_network_sent_bytes_per_second", "Bytes a second that an interface sent.", "host", "interface")
NET_ERRORS = gauge("host_network_errors_per_second", "Errors a second of an interface.", "host", "interface")

VM_RUNNING = gauge("vm_running", "Whether a VM runs.", "host", "vm")
VM_IO_ERROR = gauge("vm_paused_io_error", "Whether a VM was stopped because its storage failed.", "host", "vm")
VM_CPU = gauge("vm_cpu_ratio", "Share of a VM's own processors that was busy, 0 to 1.", "host", "vm")
VM_MEMORY = gauge("vm_memory_bytes", "Memory that a VM has now.", "host", "vm")
VM_MEMORY_USED = gauge("vm_memory_used_bytes", "Memory that a VM's guest uses, where it tells.", "host", "vm")
POOL_CAPACITY = gauge("storage_pool_capacity_bytes", "Capacity of a storage pool of libvirt.", "host", "pool")
POOL_AVAILABLE = gauge("storage_pool_available_bytes", "Space of a storage pool that is left.", "host", "pool")

_ONE = ("host", "project", "container")
RUNNING = gauge("container_running", "Whether a container runs.", *_ONE)
HEALTHY = gauge("container_healthy", "Whether a container's health check passes; none without one.", *_ONE)
LOOPING = gauge("container_crash_looping", "Whether a container restarts by itself again and again.", *_ONE)
OOM = gauge("container_oom_killed", "Whether a container was last ended for want of memory.", *_ONE)
RESTARTS = counter("container_restarts_total", "Restarts of a container by the engine since it was made.", *_ONE)
EXIT = gauge("container_exit_code", "The code that a container ended with last.", *_ONE)
CORES = gauge("container_cpu_cores", "Processor cores that a container keeps busy.", *_ONE)
WORKING = gauge("container_memory_bytes", "Working set of a container's memory.", *_ONE)
LIMIT = gauge("container_memory_limit_bytes", "Memory limit of a container; none without one.", *_ONE)


def of_system(samples: Samples, host: str, _: str, reading: SystemReading) -> None:
    """Add a host's own figures."""
    samples.add(CPU, ratio(reading.cpu_percent), host)
    samples.add(IOWAIT, ratio(reading.iowait_percent), host)
    samples.add(STEAL, ratio(reading.steal_percent), host)
    samples.add(CPUS, reading.cpus, host)
    samples.add(LOAD1, reading.load1, host)
    samples.add(LOAD5, reading.load5, host)
    samples.add(LOAD15, reading.load15, host)
    samples.add(UPTIME, reading.uptime_s, host)
    samples.add(MEMORY, reading.memory_total_bytes, host)
    samples.add(AVAILABLE, reading.memory_available_bytes, host)
    samples.add(SWAP, reading.swap_total_bytes, host)
    samples.add(SWAP_USED, reading.swap_used_bytes, host)
    samples.add(FAILED, None if reading.failed_units is None else len(reading.failed_units), host)
    for one in reading.filesystems:
        samples.add(FS_SIZE, one.size_bytes, host, one.mount)
        samples.add(FS_AVAILABLE, one.available_bytes, host, one.mount)
        samples.add(FS_USED, ratio(one.used_percent), host, one.mount)
        samples.add(FS_INODES, ratio(one.inodes_percent), host, one.mount)
        samples.add(FS_READ_ONLY, one.read_only, host, one.mount)
    for disk in reading.disks:
        samples.add(DISK_READ, disk.read_bytes_s, host, disk.name)
        samples.add(DISK_WRITE, disk.write_bytes_s, host, disk.name)
        samples.add(DISK_BUSY, ratio(disk.busy_percent), host, disk.name)
    for card in reading.interfaces:
        samples.add(NET_IN, card.rx_bytes_s, host, card.name)
        samples.add(NET_OUT, card.tx_bytes_s, host, card.name)
        samples.add(NET_ERRORS, card.errors_s, host, card.name)


def of_libvirt(samples: Samples, host: str, _: str, reading: LibvirtReading) -> None:
    """Add VMs and storage pools."""
    for vm in reading.vms:
        _vm(samples, host, vm)
    for pool in reading.pools:
        if pool.active:
            samples.add(POOL_CAPACITY, pool.capacity_bytes, host, pool.name)
            samples.add(POOL_AVAILABLE, pool.available_bytes, host, pool.name)


def _vm(samples: Samples, host: str, vm: Vm) -> None:
    samples.add(VM_RUNNING, vm.state in ("running", "idle"), host, vm.name)
    samples.add(VM_IO_ERROR, vm.paused_for_io_error, host, vm.name)
    samples.add(VM_CPU, ratio(vm.cpu_percent), host, vm.name)
    samples.add(VM_MEMORY, vm.memory_bytes, host, vm.name)
    samples.add(VM_MEMORY_USED, vm.memory_used_bytes, host, vm.name)


def of_docker(samples: Samples, host: str, _: str, reading: DockerReading) -> None:
    """Add containers."""
    for one in reading.containers:
        _container(samples, host, one)


def _container(samples: Samples, host: str, one: Container) -> None:
    labels = (host, one.project, one.name)
    samples.add(RUNNING, one.state == "running", *labels)
    samples.add(HEALTHY, {"healthy": True, "unhealthy": False}.get(one.health), *labels)
    samples.add(LOOPING, one.looping, *labels)
    samples.add(OOM, one.oom_killed, *labels)
    samples.add(RESTARTS, one.restarts, *labels)
    samples.add(EXIT, one.exit_code if one.state in ("exited", "dead") else None, *labels)
    samples.add(CORES, ratio(one.cpu_percent), *labels)
    samples.add(WORKING, one.memory_bytes, *labels)
    samples.add(LIMIT, one.memory_limit_bytes, *labels)
