"""One nginx: its configuration, its processes, its figures and what its logs say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class Listen:
    """One `listen`: the address as written, its port, whether it speaks TLS, whether a process of this nginx owns it now.

    `owner`: who listens there instead; empty where it is ours or nobody is known. `ours`: None where that cannot be seen.
    """

    address: str
    port: int
    tls: bool = False
    ours: bool | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """Where requests of one location go: an upstream's name, an address, a folder, or a fixed answer, in `to`."""

    path: str
    to: str
    containers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """One `server` block. `file` and `line` say where it begins."""

    names: tuple[str, ...]
    listens: tuple[Listen, ...]
    locations: tuple[Location, ...] = ()
    certificate: str = ""
    key: str = ""
    root: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class UpstreamServer:
    """One server of an upstream. `container`: the container behind its address, empty where none is known.

    `answers`: whether something accepts connections there, seen from the host; None: not looked at.
    """

    address: str
    down: bool = False
    backup: bool = False
    weight: int = 1
    container: str = ""
    answers: bool | None = None


@dataclass(frozen=True, slots=True)
class Upstream:
    """One `upstream` block."""

    name: str
    servers: tuple[UpstreamServer, ...]


@dataclass(frozen=True, slots=True)
class StubStatus:
    """What stub_status says; `requests_s` and `accepts_s` need two readings."""

    active: int
    reading: int
    writing: int
    waiting: int
    dropped: int
    requests_s: float | None = None
    accepts_s: float | None = None


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Lines of the error log of one level in the last five minutes: how many, and the newest."""

    level: str
    count: int
    newest: str
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccessFigures:
    """What the access log says of the last five minutes. p95 needs `$request_time` in the format: None without it."""

    requests: int
    requests_s: float
    share_4xx: float
    share_5xx: float
    p95_ms: float | None = None
    slowest: str = ""
    newest_5xx: str = ""


@dataclass(frozen=True, slots=True)
class NginxLog:
    """One log file: its path on the host, and whether it is an access log (else an error log)."""

    path: str
    access: bool = False


@dataclass(frozen=True, slots=True)
class NginxReading:
    """One nginx.

    Attributes:
        taken_at: when (UTC).
        config: its main file, on the host.
        version: `1.22.1`; empty where not known.
        config_ok: whether `nginx -t` accepts the files on the disk; None: not tested.
        config_says: what the parser or `nginx -t` says of them; empty where all is well.
        master_pid: None: no master runs with this configuration.
        workers: of it.
        started_at: when the oldest worker that takes connections began, that is, when a configuration was last taken (UTC).
        config_changed_at: when the newest file of the configuration was changed (UTC).
        servers, upstreams: as configured on the disk.
        status: of stub_status; None: none is configured, or it cannot be reached.
        errors: of the error log, worst level first.
        access: of the access log; None: none, or it cannot be read.
        logs: its log files, error logs first.
        gaps: what could not be read.
    """

    taken_at: datetime
    config: str
    version: str = ""
    config_ok: bool | None = None
    config_says: str = ""
    master_pid: int | None = None
    workers: int = 0
    started_at: datetime | None = None
    config_changed_at: datetime | None = None
    servers: tuple[Server, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    status: StubStatus | None = None
    errors: tuple[ErrorGroup, ...] = ()
    access: AccessFigures | None = None
    logs: tuple[NginxLog, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def not_taken(self) -> bool:
        """Whether the files were changed after the running processes took theirs, by their times, which are whole seconds."""
        if self.started_at is None or self.config_changed_at is None:
            return False
        return self.config_changed_at > self.started_at + timedelta(seconds=2)
