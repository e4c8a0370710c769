"""The simulated engine's answers, in the JSON of the Docker Engine API 1.43."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any

from debugtui.demo.docker_container import SimContainer
from debugtui.demo.docker_engine import SimEngine, labels

NEVER = "0001-01-01T00:00:00Z"
#: When the hosts booted (seconds since the epoch); the processors' time is counted from there and must fit 64 bits.
_BOOTED = 1_760_000_000


def stamp(time: float) -> str:
    """Return a time as the engine writes it; 0 stands for never."""
    if not time:
        return NEVER
    whole = int(time)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{int((time - whole) * 1e9):09d}Z"


def ago(seconds: float) -> str:
    """Return a duration in the engine's words."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 else ''}"
    return f"{max(1, int(seconds))} second{'s' if seconds >= 2 else ''}"


def status_words(container: SimContainer, now: float) -> str:
    """Return the status as `docker ps` shows it."""
    if container.state == "running":
        health = "" if container.health == "none" else f" ({container.health.replace('starting', 'health: starting')})"
        return f"Up {ago(now - container.started)}{health}"
    if container.state == "paused":
        return f"Up {ago(now - container.started)} (Paused)"
    word = "Restarting" if container.state == "restarting" else "Exited"
    return f"{word} ({container.exit_code}) {ago(now - container.finished)} ago"


def _network(container: SimContainer) -> dict[str, Any]:
    name = f"{container.part.project}_default"
    number = int(container.id[:4], 16)
    address = f"172.20.{number % 250}.{number // 300 + 2}" if container.running else ""
    return {
        name: {
            "IPAMConfig": None,
            "Links": None,
            "Aliases": [container.part.service],
            "NetworkID": container.id[::-1],
            "EndpointID": container.id[8:] + container.id[:8] if container.running else "",
            "Gateway": "172.20.0.1" if container.running else "",
            "IPAddress": address,
            "IPPrefixLen": 16 if container.running else 0,
            "MacAddress": "",
        }
    }


def _mounts(container: SimContainer) -> list[dict[str, Any]]:
    if not container.part.volume:
        return []
    name = f"{container.part.project}_{container.part.volume}"
    source = f"/var/lib/docker/volumes/{name}/_data"
    return [
        {"Type": "volume", "Name": name, "Source": source, "Destination": "/data", "Driver": "local", "Mode": "z", "RW": True}
    ]


def summary(container: SimContainer, now: float) -> dict[str, Any]:
    """Return one element of `GET /containers/json`."""
    part = container.part
    ports = [{"IP": "127.0.0.1", "PrivatePort": part.port, "PublicPort": part.port, "Type": "tcp"}] if part.port else []
    return {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": part.image,
        "ImageID": container.image_id,
        "Command": part.command,
        "Created": int(container.created),
        "Ports": ports if container.running else [],
        "Labels": labels(container),
        "State": container.state,
        "Status": status_words(container, now),
        "HostConfig": {"NetworkMode": f"{part.project}_default"},
        "NetworkSettings": {"Networks": _network(container)},
        "Mounts": _mounts(container),
    }


def _state(container: SimContainer) -> dict[str, Any]:
    state: dict[str, Any] = {
        "Status": container.state,
        "Running": container.state in ("running", "paused", "restarting"),
        "Paused": container.state == "paused",
        "Restarting": container.state == "restarting",
        "OOMKilled": container.oom_killed,
        "Dead": False,
        "Pid": container.pid if container.running else 0,
        "ExitCode": container.exit_code,
        "Error": "",
        "StartedAt": stamp(container.started),
        "FinishedAt": stamp(container.finished),
    }
    if container.part.health:
        log = [
            {"Start": stamp(at), "End": stamp(at + (5 if failed else 0.02)), "ExitCode": failed, "Output": output}
            for at, failed, output in container.health_log
        ]
        state["Health"] = {"Status": container.health, "FailingStreak": container.failing, "Log": log}
    return state


def _config(container: SimContainer) -> dict[str, Any]:
    part = container.part
    config: dict[str, Any] = {
        "Hostname": container.id[:12],
        "User": "",
        "Tty": False,
        "OpenStdin": False,
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", *part.environment],
        "Cmd": shlex.split(part.command),
        "Image": part.image,
        "Volumes": None,
        "WorkingDir": "/app",
        "Entrypoint": None,
        "Labels": labels(container),
        "ExposedPorts": {f"{part.port}/tcp": {}} if part.port else {},
    }
    if part.health:
        test = ["CMD-SHELL", f"wget -qO- http://127.0.0.1:{part.port}/health || exit 1"]
        config["Healthcheck"] = {"Test": test, "Interval": 5_000_000_000, "Timeout": 5_000_000_000, "Retries": 3}
    return config


def inspect(container: SimContainer) -> dict[str, Any]:
    """Return the answer of `GET /containers/{id}/json`."""
    part = container.part
    command = shlex.split(part.command)
    binding = [{"HostIp": "127.0.0.1", "HostPort": str(part.port)}] if part.port else []
    ports = {f"{part.port}/tcp": binding} if part.port else {}
    return {
        "Id": container.id,
        "Created": stamp(container.created),
        "Path": command[0],
        "Args": command[1:],
        "State": _state(container),
        "Image": container.image_id,
        "LogPath": f"/var/lib/docker/containers/{container.id}/{container.id}-json.log",
        "Name": f"/{container.name}",
        "RestartCount": container.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "docker-default",
        "ExecIDs": None,
        "HostConfig": {
            "Binds": None,
            "LogConfig": {"Type": "json-file", "Config": {}},
            "NetworkMode": f"{part.project}_default",
            "PortBindings": ports,
            "RestartPolicy": {"Name": container.restart_policy, "MaximumRetryCount": container.restart_limit},
            "AutoRemove": False,
            "Privileged": False,
            "ReadonlyRootfs": False,
            "Memory": container.memory_limit,
            "MemorySwap": container.memory_limit * 2,
            "MemoryReservation": 0,
            "NanoCpus": container.nano_cpus,
            "CpuShares": 0,
            "CpuQuota": 0,
            "CpuPeriod": 0,
            "PidsLimit": None,
            "CapAdd": None,
            "CapDrop": None,
            "SecurityOpt": None,
        },
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "Mounts": _mounts(container),
        "Config": _config(container),
        "NetworkSettings": {"Ports": ports if container.running else {}, "Networks": _network(container)},
    }


def _processor(engine: SimEngine, used: float, now: float) -> dict[str, Any]:
    nanoseconds = int(used * 1e9)
    return {
        "cpu_usage": {
            "total_usage": nanoseconds,
            "usage_in_kernelmode": nanoseconds // 4,
            "usage_in_usermode": nanoseconds - nanoseconds // 4,
        },
        "system_cpu_usage": int((now - _BOOTED) * 1e9) * engine.host.cpus,
        "online_cpus": engine.host.cpus,
        "throttling_data": {"periods": 0, "throttled_periods": 0, "throttled_time": 0},
    }


def stats(engine: SimEngine, container: SimContainer, now: float, before: tuple[float, float] | None) -> dict[str, Any]:
    """Return one sample of `GET /containers/{id}/stats`; `before`: time and CPU seconds of the sample before it."""
    empty = {"cpu_usage": {"total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0}, "throttling_data": {}}
    answer: dict[str, Any] = {
        "id": container.id,
        "name": f"/{container.name}",
        "read": stamp(now) if container.running else NEVER,
        "preread": stamp(before[0]) if before else NEVER,
        "num_procs": 0,
        "storage_stats": {},
        "pids_stats": {},
        "blkio_stats": {"io_service_bytes_recursive": None},
        "cpu_stats": empty,
        "precpu_stats": _processor(engine, before[1], before[0]) if before and container.running else empty,
        "memory_stats": {},
    }
    if not container.running:
        return answer
    used = container.memory(now)
    cache = used // 5
    operations = (("read", container.read), ("write", container.written))
    answer |= {
        "pids_stats": {"current": container.pids(), "limit": 18_446_744_073_709_551_615},
        "cpu_stats": _processor(engine, container.cpu_s, now),
        "memory_stats": {
            "usage": used + cache,
            "limit": container.memory_limit or engine.host.memory_gib << 30,
            "stats": {"anon": used, "file": cache, "inactive_file": cache, "active_file": 0, "pgfault": 1},
        },
        "blkio_stats": {
            "io_service_bytes_recursive": [{"major": 259, "minor": 0, "op": op, "value": int(n)} for op, n in operations]
        },
        "networks": {
            "eth0": {
                "rx_bytes": int(container.rx),
                "rx_packets": int(container.rx / 900),
                "rx_errors": 0,
                "rx_dropped": 0,
                "tx_bytes": int(container.tx),
                "tx_packets": int(container.tx / 900),
                "tx_errors": 0,
                "tx_dropped": 0,
            }
        },
    }
    return answer
