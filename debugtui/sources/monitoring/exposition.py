"""The text that servers tell their own metrics in, and how much a counter has grown lately."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection

from debugtui.model.clock import Clock
from debugtui.sources.monitoring.shapes import name as short
from debugtui.sources.monitoring.shapes import number

_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?\s*")
_LABEL = re.compile(r'\s*([A-Za-z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}

#: Most samples of one metric.
MOST = 2_000

#: A metric's samples: labels, value.
Samples = dict[str, list[tuple[dict[str, str], float]]]


def wanted(text: str, names: Collection[str]) -> Samples:
    """Return the samples of some metrics; a line that is none is passed over."""
    found: Samples = {}
    for line in text.splitlines():
        head = re.split(r"[{\s]", line, maxsplit=1)[0]
        if head not in names:
            continue
        match = _SAMPLE.fullmatch(line)
        value = number(match.group(3)) if match is not None else None
        rows = found.setdefault(head, [])
        if match is None or value is None or len(rows) >= MOST:
            continue
        pairs = _LABEL.findall(match.group(2) or "")
        rows.append(({key: short(re.sub(r"\\(.)", _plain, text)) for key, text in pairs}, value))
    return found


def _plain(match: re.Match[str]) -> str:
    return _ESCAPES.get(match.group(1), match.group(0))


def only(samples: Samples, metric: str) -> float | None:
    """Return the only value of a metric; None: it is not told."""
    rows = samples.get(metric)
    return rows[0][1] if rows else None


class Growth:
    """Remembers counters for five minutes."""

    WINDOW_S = 300.0
    #: Two looks at a counter that are nearer than this tell nothing, in seconds.
    LEAST_S = 5.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def of(self, counter: str, value: float) -> int | None:
        """Note a counter's value; return by how much it grew in the last five minutes, or since it is watched.

        None: it is not watched for long enough. A counter that fell began anew.
        """
        now = self._clock.monotonic()
        seen = self._seen.setdefault(counter, deque(maxlen=400))
        if seen and value < seen[-1][1]:
            seen.clear()
            seen.append((now, 0.0))
        seen.append((now, value))
        while len(seen) > 2 and now - seen[1][0] >= self.WINDOW_S:
            seen.popleft()
        first_at, first = seen[0]
        return round(value - first) if now - first_at >= self.LEAST_S else None
