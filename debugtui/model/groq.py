"""One use of the Groq API: what its probes found, and what the application itself tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from debugtui.model.source import Gap


class GroqFault(StrEnum):
    """What went wrong with a call, in classes that need different answers."""

    AUTHENTICATION = "authentication"  # 401
    PERMISSION = "permission"  # 403
    NO_MODEL = "no model"  # 404, or the model is not listed
    BAD_REQUEST = "bad request"  # 400, 422, 424
    TOO_LARGE = "too large"  # 413
    RATE_LIMITED = "rate limited"  # 429
    CAPACITY = "capacity"  # 498
    CANCELLED = "cancelled"  # 499
    SERVER = "server error"  # 500 and above
    NOT_THE_API = "not the API"  # HTML, an empty answer, another shape: a proxy or a wrong address
    TIMEOUT = "timeout"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    CONNECTION = "connection"  # any other failure of the connection
    SLOW_FIRST_TOKEN = "slow first token"  # noqa: S105 - a fault's name
    STALLED = "stalled"
    CUT = "cut"
    STREAM_ERROR = "error in the stream"
    MALFORMED = "malformed chunk"
    INCOMPLETE = "incomplete"  # the stream ended without saying that it is finished


@dataclass(frozen=True, slots=True)
class GroqCall:
    """One call.

    Attributes:
        at: when it was sent (UTC).
        fault: None: it went well.
        says: one sentence about the fault, redacted.
        status: the HTTP status, where there was an answer.
        retry_after_s: how long the API asked to wait.
        total_ms: of the whole call; None where it did not end.
        ttft_ms: until the first token; None without one.
        queue_ms, prompt_ms, completion_ms: the API's own figures.
        tokens_in, tokens_out: as the API counts them.
        request_id: for Groq's support.
        kind: `models` or `completion`.
        longest_gap_ms: the longest silence between two chunks of a stream; None without one.
    """

    at: datetime
    fault: GroqFault | None = None
    says: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    total_ms: float | None = None
    ttft_ms: float | None = None
    queue_ms: float | None = None
    prompt_ms: float | None = None
    completion_ms: float | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    request_id: str = ""
    kind: str = ""
    longest_gap_ms: float | None = None

    @property
    def tokens_s(self) -> float | None:
        """Tokens a second while they came: completion tokens / completion time, as Groq counts them."""
        if not self.completion_ms or not self.tokens_out:
            return None
        return self.tokens_out / (self.completion_ms / 1000.0)


@dataclass(frozen=True, slots=True)
class Limit:
    """One rate limit from the answer's headers. `name`: `requests` (a day) or `tokens` (a minute)."""

    name: str
    limit: int
    remaining: int
    reset_s: float | None = None

    @property
    def left_percent(self) -> float:
        """How much is left, 0 to 100."""
        return 100.0 * self.remaining / self.limit if self.limit else 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 95th and 99th percentile of `count` figures, in the unit of the figures (milliseconds, tokens a second)."""

    p50: float
    p95: float
    p99: float
    count: int


#: What happens by chance in fewer cases than this is not taken for chance.
RARE = 0.05


@dataclass(frozen=True, slots=True)
class PassiveFigures:
    """What the application's log or metrics say of its own calls in the last five minutes.

    Attributes:
        origin: `log of kvm-01/docker/api`, `prometheus prom`.
        calls: how many.
        by_class: failures by class.
        retries: how many were sent again.
        latency: of its calls, in milliseconds.
        ttft: in milliseconds.
        tokens_in, tokens_out: None where not told.
        newest_failure: the newest line of a failure, redacted.
        sound_since: how many calls went well after the newest failure; None: not told.
        failing_over: among how many calls the failures are, from the first to the newest of them.
    """

    origin: str
    calls: int = 0
    by_class: dict[GroqFault, int] = field(default_factory=dict)
    retries: int = 0
    latency: Spread | None = None
    ttft: Spread | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    newest_failure: str = ""
    sound_since: int | None = None
    failing_over: int = 0

    @property
    def over(self) -> bool:
        """Whether the failures are a thing of the past: as many sound calls since would be a rare chance if they went on."""
        failed, since = sum(self.by_class.values()), self.sound_since
        if not failed or since is None:
            return False
        among = max(failed, self.failing_over) + 1  # one sound call more than was seen: nothing fails for certain
        return bool((1 - failed / among) ** since < RARE)


@dataclass(frozen=True, slots=True)
class GroqReading:
    """One use of the API.

    Attributes:
        taken_at: when this reading was made (UTC).
        base_url: where the API is.
        probe: `models` or `completion`.
        model: the model that is watched; empty: none.
        models: how many the API lists; None: not known.
        model_listed: whether the watched model is among them; None: not known.
        newest: the newest probe; None: none was sent (paused from the beginning, or no budget).
        calls: the probes of the last hour, oldest first, at most 240.
        latency, ttft, queue: of those that went well, in milliseconds.
        tokens_s: of those that went well, tokens a second.
        by_class: failures of those by class.
        limits: newest headroom.
        paused_until: no probe is sent before (UTC); None: not paused.
        paused_why: why; empty where not paused.
        tokens_today: what the probes have spent today (UTC).
        tokens_budget: what they may spend a day.
        budget_spent: too little of it is left for another completion.
        cost_today: US dollars; None: the price is not configured.
        passive: what the application itself tells.
        gaps: what could not be read.
    """

    taken_at: datetime
    base_url: str
    probe: str
    model: str = ""
    models: int | None = None
    model_listed: bool | None = None
    newest: GroqCall | None = None
    calls: tuple[GroqCall, ...] = ()
    latency: Spread | None = None
    ttft: Spread | None = None
    queue: Spread | None = None
    tokens_s: Spread | None = None
    by_class: dict[GroqFault, int] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    paused_until: datetime | None = None
    paused_why: str = ""
    tokens_today: int = 0
    tokens_budget: int = 0
    budget_spent: bool = False
    cost_today: float | None = None
    passive: tuple[PassiveFigures, ...] = ()
    gaps: tuple[Gap, ...] = ()
