"""Token buckets with the rate-limit headers that Groq's API puts on its answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


def go_duration(seconds: float) -> str:
    """Write seconds as Go does: `2m59.56s`, `7.66s`, `120ms`, `0s`."""
    if seconds <= 0:
        return "0s"
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{hours:.0f}h" if hours else ""
    text += f"{minutes:.0f}m" if hours or minutes else ""
    return f"{text}{rest:.3f}".rstrip("0").rstrip(".") + "s"


class Bucket:
    """Holds at most `limit`, fills up evenly within `window_s` seconds."""

    def __init__(self, limit: int, window_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self.window_s = limit, window_s
        self._clock = clock
        self._level, self._at = float(limit), clock()

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(float(self.limit), self._level + (now - self._at) * self.limit / self.window_s)
        self._at = now

    @property
    def remaining(self) -> int:
        """How much could be taken now."""
        self._fill()
        return max(0, math.floor(self._level + 1e-9))

    @property
    def reset_s(self) -> float:
        """Seconds until it is full again."""
        self._fill()
        return (self.limit - self._level) * self.window_s / self.limit if self.limit else self.window_s

    def wait_s(self, amount: float) -> float:
        """Seconds until `amount` can be taken; 0: now."""
        self._fill()
        if not self.limit:
            return self.window_s
        return max(0.0, (amount - self._level) * self.window_s / self.limit)

    def take(self, amount: float) -> None:
        """Take `amount`, even more than there is: what was used was used."""
        self._fill()
        self._level = max(-float(self.limit), self._level - amount)

    def drain(self, left: float = 0.0) -> None:
        """Leave no more than `left`."""
        self._fill()
        self._level = min(self._level, left)


def headers(requests: Bucket, tokens: Bucket) -> dict[str, str]:
    """Return the six rate-limit headers: requests of the day, tokens of the minute."""
    said = {}
    for name, bucket in (("requests", requests), ("tokens", tokens)):
        said[f"x-ratelimit-limit-{name}"] = str(bucket.limit)
        said[f"x-ratelimit-remaining-{name}"] = str(bucket.remaining)
        said[f"x-ratelimit-reset-{name}"] = go_duration(bucket.reset_s)
    return said
