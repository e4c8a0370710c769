"""What a probe of one web address found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from debugtui.model.source import Gap


class WebFault(StrEnum):
    """Why there was no whole answer."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    REDIRECTS = "redirects"


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirect on the way: the status that said so, and where it led."""

    status: int
    url: str


@dataclass(frozen=True, slots=True)
class Match:
    """One thing that was expected. `what`: `status`, `body`, `json checks.db`; `found` is safe to show, and short."""

    what: str
    wanted: str
    found: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of a probe went, in milliseconds; None where that part did not happen (a plain address has no TLS).

    connect: TCP, as far as this machine sees it. tls: the handshake. first_byte: from the request to the first byte of the
    answer. total: everything, redirects too.
    """

    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None


@dataclass(frozen=True, slots=True)
class WebReading:
    """One web address.

    Attributes:
        taken_at: when the probe began (UTC).
        url: what is probed.
        fault: why there was no whole answer; None where there was one.
        fault_says: the same in one sentence, in the words of what refused; empty without a fault.
        status: the last answer's; None without one.
        reason: the words of the status.
        http_version: `HTTP/1.1`.
        server: what the server calls itself.
        final_url: where the redirects led.
        redirects: on the way.
        matches: what was expected, and what was found.
        timing: of this probe.
        size_bytes: of the body as far as it was read.
        p50_ms, p95_ms: of the total time of the probes of the last ten minutes; None before five of them.
        failed_share: of those probes, 0 to 1.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    fault: WebFault | None = None
    fault_says: str = ""
    status: int | None = None
    reason: str = ""
    http_version: str = ""
    server: str = ""
    final_url: str = ""
    redirects: tuple[Redirect, ...] = ()
    matches: tuple[Match, ...] = ()
    timing: Timing = Timing()
    size_bytes: int | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    failed_share: float | None = None
    first_byte_budget_ms: float = 1000.0
    gaps: tuple[Gap, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it answered as expected."""
        return self.fault is None and all(match.ok for match in self.matches)
