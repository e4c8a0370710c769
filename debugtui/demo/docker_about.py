"""What the simulated engine says of itself: version, info, disk use."""

from __future__ import annotations

from typing import Any

from debugtui.demo.docker_engine import API_VERSION, OLDEST_API, VERSION, SimEngine
from debugtui.demo.docker_views import NEVER, stamp, summary
from debugtui.demo.host_figures import KERNEL


def version() -> dict[str, Any]:
    """Return the answer of `GET /version`."""
    more = {"ApiVersion": API_VERSION, "MinAPIVersion": OLDEST_API, "Os": "linux", "Arch": "amd64", "KernelVersion": KERNEL}
    return {
        "Platform": {"Name": "DebugTUI demo (simulated)"},
        "Components": [{"Name": "Engine", "Version": VERSION, "Details": more}],
        "Version": VERSION,
        "GitCommit": "demo",
        "GoVersion": "",
        "BuildTime": NEVER,
        **more,
    }


def info(engine: SimEngine, now: float) -> dict[str, Any]:
    """Return the answer of `GET /info`."""
    states = [container.state for container in engine.containers.values()]
    return {
        "ID": f"demo-{engine.host.name}",
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": sum(1 for _ in engine.images()),
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "extfs"]],
        "Plugins": {"Volume": ["local"], "Network": ["bridge", "host", "null"], "Authorization": None, "Log": ["json-file"]},
        "MemoryLimit": True,
        "SwapLimit": True,
        "CpuCfsPeriod": True,
        "CpuCfsQuota": True,
        "PidsLimit": True,
        "OomKillDisable": False,
        "IPv4Forwarding": True,
        "NGoroutines": 60,
        "NEventsListener": 0,
        "SystemTime": stamp(now),
        "LoggingDriver": "json-file",
        "CgroupDriver": "systemd",
        "CgroupVersion": "2",
        "KernelVersion": KERNEL,
        "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
        "OSVersion": "12",
        "OSType": "linux",
        "Architecture": "x86_64",
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {"InsecureRegistryCIDRs": [], "IndexConfigs": {}, "Mirrors": []},
        "NCPU": engine.host.cpus,
        "MemTotal": engine.host.memory_gib << 30,
        "DockerRootDir": "/var/lib/docker",
        "Name": engine.host.name,
        "Labels": [],
        "ServerVersion": VERSION,
        "Runtimes": {"runc": {"path": "runc"}},
        "DefaultRuntime": "runc",
        "Swarm": {"LocalNodeState": "inactive"},
        "LiveRestoreEnabled": False,
        "Isolation": "",
        "InitBinary": "docker-init",
        "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
        "Warnings": None,
    }


def disk_use(engine: SimEngine, now: float) -> dict[str, Any]:
    """Return the answer of `GET /system/df`."""
    images = list(engine.images())
    for image in images:
        image["SharedSize"] = image["Size"] // 4
    containers = []
    for container in engine.containers.values():
        size = int(container.part.memory * 40_000)
        containers.append(summary(container, now) | {"SizeRw": size, "SizeRootFs": size * 10})
    cache = [
        {"ID": "demo0cache", "Type": "regular", "Description": "pulled", "InUse": False, "Shared": False, "Size": 412_000_000}
    ]
    return {
        "LayersSize": sum(image["Size"] for image in images),
        "Images": images,
        "Containers": containers,
        "Volumes": list(engine.volumes()),
        "BuildCache": cache,
    }
