"""Which files a command of a runbook may read. Reading some files blocks, changes something, or shows a secret.

The rules look at the name alone; what the login itself may not read, it cannot read here either.
"""

from __future__ import annotations

import posixpath
import re

_LONGEST = 500

_PROC_PID = r"(?:self|[1-9]\d{0,8})/(?:status|limits|stat|statm|io|cgroup|oom_score(?:_adj)?|sched|smaps_rollup|mounts|wchan)"
#: Of /proc these are figures and nothing else: `kmsg` blocks, `kcore` is the memory, `environ` holds secrets.
_PROC = re.compile(
    r"/proc/(?:loadavg|meminfo|stat|vmstat|uptime|diskstats|mounts|swaps|cpuinfo|version|interrupts|softirqs|buddyinfo"
    r"|zoneinfo|mdstat|filesystems|locks|pressure/(?:cpu|io|memory)|net/(?:dev|sockstat6?|snmp6?|netstat|softnet_stat|tcp6?|udp6?)"
    rf"|sys/(?:fs|kernel|net|vm)/[\w./-]+|{_PROC_PID})"
)
_SYS = re.compile(r"/sys/(?:fs/cgroup/|block/|class/(?:net|block|hwmon|thermal)/)[\w.:@/-]+")

_SECRET_NAME = re.compile(
    r"g?shadow-?|.*\.(?:key|pem|p12|pfx|jks|kdbx|keytab|gpg|ovpn|secret)|.*_history|ssh_host_.*_key|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|\.env.*|.*\.env|\.?(?:pgpass|netrc|git-credentials|my\.cnf|vault-token|htpasswd)|credentials(?:\..*)?|secrets?(?:\..*)?",
    re.IGNORECASE,
)
_SECRET_FOLDER = re.compile(
    r"\.(?:ssh|gnupg|aws|kube|docker|password-store)|private|wireguard|secrets?|credentials|keyrings", re.I
)


def place_fault(path: str) -> str | None:
    """Return why a path may not be looked at at all, its name and size included; None: it may."""
    if not path.startswith("/") or path.startswith("//"):
        return "a path begins with one slash: commands run in no folder of anybody"
    if len(path) > _LONGEST:
        return f"a path has at most {_LONGEST} characters"
    if ".." in path.split("/"):
        return "a path may not lead back up with .."
    return None


def tree_fault(path: str) -> str | None:
    """Return why a whole tree may not be walked; None: it may."""
    if fault := place_fault(path):
        return fault
    top = posixpath.normpath(path).split("/")[1]
    if top in ("proc", "sys", "dev"):
        return f"/{top} is no place to walk through: it has no end, and looking there can have effects"
    return None


def file_fault(path: str) -> str | None:
    """Return why the content of a file may not be read; None: it may."""
    if fault := place_fault(path):
        return fault
    path = posixpath.normpath(path)
    parts = path.split("/")[1:]
    if parts[0] == "dev":
        return "/dev holds devices: reading them blocks, never ends, or changes something"
    if parts[0] == "proc" and not _PROC.fullmatch(path):
        return "of /proc only figures may be read, no environments, no memory, no kernel log"
    if parts[0] == "sys" and not _SYS.fullmatch(path):
        return "of /sys only /sys/fs/cgroup, /sys/block and some of /sys/class may be read: reading others has effects"
    if any(_SECRET_FOLDER.fullmatch(part) for part in parts[:-1]) or _SECRET_NAME.fullmatch(parts[-1]):
        return "by its name it holds secrets"
    return None
