"""The faults that the Groq emulator has on demand, by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

#: HTTP status -> type, code and message of the error's body, in the form of the API's own.
STATUS: dict[int, tuple[str, str, str]] = {
    400: ("invalid_request_error", "invalid_request", "the request body cannot be read"),
    401: ("invalid_request_error", "invalid_api_key", "Invalid API Key"),
    403: ("permissions_error", "model_permission_blocked_project", "the model is blocked at the project level"),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    408: ("internal_server_error", "request_timeout", "the request took too long"),
    409: ("invalid_request_error", "conflict", "the resource is being changed"),
    413: ("tokens", "rate_limit_exceeded", "Request too large for model: tokens per minute (TPM) exceeded"),
    422: ("invalid_request_error", "unprocessable_entity", "the request cannot be followed"),
    424: ("invalid_request_error", "failed_dependency", "a remote tool failed"),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached for the model on tokens per minute (TPM)"),
    498: ("internal_server_error", "capacity_exceeded", "flex tier capacity exceeded"),
    499: ("internal_server_error", "request_cancelled", "the request was cancelled"),
    500: ("internal_server_error", "internal_error", "Internal Server Error"),
    503: ("internal_server_error", "service_unavailable", "Service Unavailable"),
}

#: Answers that are wrong as a whole; they hold for every path.
PLAIN = (
    "bad_gateway",  # 502 with an HTML page
    "no_content",  # 204
    "html",  # 200 with an HTML page, as a proxy's log-in page
    "cut_json",  # whole by its length, but the JSON stops half-way
    "empty_json",  # 200, application/json, no byte
    "other_shape",  # JSON, but not the API's
    "reset",  # the connection is reset before an answer
    "closed",  # the connection is closed before an answer
    "late_headers",  # nothing at all for `delay` seconds
    "cut_body",  # the connection is closed before the length that was promised
    "drip",  # the body comes byte by byte, for `delay` seconds
    "redirect",  # 301 to another address
)

#: What goes wrong in a stream of a completion; a plain completion is left sound.
STREAM = (
    "slow_first_token",  # headers at once, nothing else for `delay` seconds
    "stall",  # a token, then nothing for `delay` seconds
    "cut",  # closed in the middle
    "reset_stream",  # reset in the middle
    "no_finish",  # ends well-formed, without finish_reason and [DONE]
    "no_done",  # whole, but for [DONE]
    "error_event",  # event: error
    "error_data",  # data: {"error": ...}
    "x_groq_error",  # the error stands in x_groq of a chunk only
    "bad_json",  # a chunk that is not JSON
    "bad_utf8",  # a chunk that is not UTF-8
    "no_choices",  # a chunk without choices
    "length",  # finish_reason length: no fault
    "no_usage",  # no usage anywhere: no fault
)

FAULTS = frozenset({*(str(status) for status in STATUS), *PLAIN, *STREAM})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to show.

    Attributes:
        name: of `FAULTS`.
        delay: seconds, of those that wait.
        retry_after: seconds in the header, of those with a status; None: no header.
        where: a part of the path that it holds for; empty: every path.
        left: for how many requests it holds; None: until it is healed.
    """

    name: str
    delay: float = 30.0
    retry_after: float | None = None
    where: str = ""
    left: int | None = None

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(f"unknown fault {self.name!r}; there are {', '.join(sorted(FAULTS))}")


@dataclass(slots=True)
class Statistics:
    """What the emulator has seen.

    Attributes:
        requests: by path.
        by_status: answers by status; 0: the connection ended without one.
        by_fault: faults shown.
        retries: requests that a client sent again (`x-stainless-retry-count` above 0).
        tokens: tokens of completions, in and out.
        streams: streams that are open now.
    """

    requests: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    retries: int = 0
    tokens: int = 0
    streams: int = 0


class Faults:
    """Decides which fault the next request meets: its own header's, else the oldest that was asked for."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Show this fault from now on."""
        self._waiting.append(fault)

    def heal(self) -> None:
        """Forget every fault."""
        self._waiting.clear()

    def choose(self, path: str, header: Any) -> Fault | None:
        """Return the fault that this request meets.

        Raises:
            ValueError: the header names none.
        """
        if name := header.get("x-emulator-fault"):
            after = header.get("x-emulator-retry-after")
            return Fault(name, float(header.get("x-emulator-delay", 30.0)), None if after is None else float(after))
        for at, fault in enumerate(self._waiting):
            if fault.where not in path:
                continue
            if fault.left is not None:
                self._waiting[at] = replace(fault, left=fault.left - 1)
                if fault.left <= 1:
                    del self._waiting[at]
            return fault
        return None
