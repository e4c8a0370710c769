"""A clock, a link and sources that tests move by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from debugtui.hosts.link import CommandResult, Endpoint, LinkError
from debugtui.model.source import Kind, LinkState, LinkStatus, Problem, Reading
from debugtui.model.system import Filesystem, SystemReading
from debugtui.sources.base import READ_LIMIT_S

START = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


class FakeClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def move(self, seconds: float) -> None:
        self.elapsed += seconds


class FakeLink:
    """A link whose state the test sets."""

    def __init__(self, host: str = "kvm-01", state: LinkState = LinkState.UP) -> None:
        self.host = host
        self.address = f"ssh://ops@{host}"
        self.status = LinkStatus(state)
        self.retries = 0
        self.closed = False
        self._callbacks: list[Callable[[], None]] = []

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def become(self, state: LinkState, problem: Problem | None = None, since: datetime | None = None) -> None:
        self.status = LinkStatus(state, problem, since)
        for callback in self._callbacks:
            callback()

    async def start(self) -> None:
        return

    async def close(self) -> None:
        self.closed = True

    async def wait_settled(self, timeout: float) -> LinkStatus:
        return self.status

    def retry_now(self) -> None:
        self.retries += 1

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 0) -> CommandResult:
        raise LinkError(Problem("no commands here"))

    async def reach_unix(self, path: str) -> Endpoint:
        return Endpoint(path=path)

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        return Endpoint(host=host, port=port)

    @property
    def traffic(self) -> tuple[int, int]:
        return (0, 0)


class FakeSource:
    """A source that answers what the test put in `answer`: a reading to return or an error to raise."""

    def __init__(self, kind: Kind = Kind.SYSTEM, name: str = "", answer: Reading | Exception | None = None) -> None:
        self.kind = kind
        self.name = name or kind.value
        self.has_rates = False
        self.period_s = 0.0
        self.limit_s = READ_LIMIT_S
        self.answer = answer or system_reading()
        self.reads: list[bool] = []
        self.closed = False

    async def read(self, *, full: bool) -> Reading:
        self.reads.append(full)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        self.closed = True


def system_reading(**changes: object) -> SystemReading:
    """Return a calm host's figures, with the given ones changed."""
    values: dict[str, object] = {
        "taken_at": START,
        "hostname": "kvm-01",
        "kernel": "6.1.0-32-amd64",
        "cpus": 8,
        "uptime_s": 864_000.0,
        "load1": 1.2,
        "load5": 1.1,
        "load15": 0.9,
        "cpu_percent": 21.0,
        "iowait_percent": 0.5,
        "steal_percent": 0.0,
        "memory_total_bytes": 64 << 30,
        "memory_available_bytes": 40 << 30,
        "memory_percent": 37.5,
        "swap_total_bytes": 0,
        "swap_used_bytes": 0,
    }
    return SystemReading(**{**values, **changes})  # type: ignore[arg-type]


def filesystem(percent: float, mount: str = "/") -> Filesystem:
    """Return a filesystem of 100 GiB that is full to `percent`."""
    size = 100 << 30
    used = int(size * percent / 100)
    return Filesystem(mount, "/dev/vda1", "ext4", size, used, size - used, percent, 1000, 100, 10.0)
