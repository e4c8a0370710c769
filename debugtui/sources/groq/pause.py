"""When no probe may be sent, and why: our own calls never push a limited account further."""

from __future__ import annotations

from datetime import datetime, timedelta

from debugtui.model.groq import GroqCall, GroqFault, Limit

#: Wait after a 429 that names no time, in seconds.
UNTOLD_WAIT = 60.0
#: Wait after the key was refused, in seconds: at first, and at most; it doubles in between.
FIRST_REFUSAL, LONGEST_REFUSAL = 60.0, 300.0
#: Longest wait that an overloaded server (498, 503) is granted, in seconds.
LONGEST_OVERLOAD = 300.0
#: Below this share of the day's requests no completion is sent, in per cent ...
LOW_PERCENT = 5.0
#: ... but one in so many seconds looks whether it is still so.
LOW_WAIT = 600.0

_REFUSED = (GroqFault.AUTHENTICATION, GroqFault.PERMISSION)


class Pause:
    """The pause that the newest call asked for. Times are seconds of a clock that never jumps."""

    def __init__(self) -> None:
        self._until = 0.0
        self.until_at: datetime | None = None
        self.why = ""
        self._refusals = 0

    def active(self, monotonic: float) -> bool:
        """Whether nothing may be sent now; a pause that is over is forgotten."""
        if self.until_at is not None and monotonic >= self._until:
            self.until_at, self.why = None, ""
        return self.until_at is not None

    def new_key(self) -> None:
        """Another key was given: what the old one was refused does not count."""
        if self._refusals:
            self._refusals = 0
            self._until, self.until_at, self.why = 0.0, None, ""

    def judge(self, call: GroqCall, limits: tuple[Limit, ...], now: datetime, monotonic: float) -> None:
        """Decide after a call whether and how long to pause."""
        self._refusals = self._refusals + 1 if call.fault in _REFUSED else 0
        seconds, why = self._wanted(call, limits)
        if seconds > 0:
            self._until, self.until_at, self.why = monotonic + seconds, now + timedelta(seconds=seconds), why

    def _wanted(self, call: GroqCall, limits: tuple[Limit, ...]) -> tuple[float, str]:
        if call.fault is GroqFault.RATE_LIMITED:
            told = call.retry_after_s
            if told is None:
                told = max((limit.reset_s or 0.0 for limit in limits if not limit.remaining), default=0.0) or UNTOLD_WAIT
            return max(told, 1.0), f"rate limited (429): the API asks to wait {told:.0f} s"
        if call.fault in _REFUSED:
            wait = min(FIRST_REFUSAL * 2 ** min(self._refusals - 1, 8), LONGEST_REFUSAL)
            return wait, f"the key was refused ({call.status}): tried again in {wait:.0f} s, or when it changes"
        if call.fault in (GroqFault.CAPACITY, GroqFault.SERVER) and call.retry_after_s:
            wait = min(call.retry_after_s, LONGEST_OVERLOAD)
            return wait, f"no capacity ({call.status}): the API asks to wait {call.retry_after_s:.0f} s"
        low = next((limit for limit in limits if limit.name == "requests" and limit.left_percent < LOW_PERCENT), None)
        if low is not None and call.kind == "completion":
            wait = min(low.reset_s if low.reset_s is not None else LOW_WAIT, LOW_WAIT)
            return wait, f"only {low.remaining} of {low.limit} requests of the day are left for the application"
        return 0.0, ""
