"""What the demo's containers write to their logs: ordinary lines, and those that tell what is wrong. Seeded by time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from debugtui.demo.waves import share

#: Lines per second of each set.
RATES = {"api": 1.7, "access": 2.9, "json": 0.8, "worker": 0.6, "java": 0.11, "logfmt": 0.09, "redis": 0.02, "plain": 0.05}

_PATHS = ("/activities", "/athletes/1842", "/plans/77/weeks", "/login", "/activities/90211/laps", "/health", "/search?q=tempo")
_TASKS = ("import_fit_file", "refresh_plan", "send_weekly_mail", "recompute_load", "thumbnail")
_JOBS = ("order.created", "invoice.render", "stock.sync", "cart.expire")


@dataclass(frozen=True, slots=True)
class Line:
    """One log line: when (seconds since the epoch), on which stream (1 stdout, 2 stderr), and its text."""

    at: float
    stream: int
    text: str


def lines(name: str, says: str, start: float, end: float, trouble: str) -> Iterator[Line]:
    """Yield what a container writes between two times; `trouble` names the fault that it feels, or is empty."""
    rate = RATES[says]
    number = int(start * rate) + 1
    while number / rate <= end:
        at = number / rate
        yield _line(name, says, number, at, trouble)
        number += 1


def _line(name: str, says: str, number: int, at: float, trouble: str) -> Line:
    luck = share(name, number)
    bad = _TROUBLE.get(trouble)
    if bad is not None and luck < 0.45:
        level, text = _pick(bad, luck / 0.45)
    else:
        level, text = _ordinary(says, luck, share(name, "more", number))
    stamp = datetime.fromtimestamp(at, UTC)
    return Line(at, 2 if level in ("ERROR", "WARNING") else 1, _dress(says, stamp, level, text))


def _pick(choices: tuple[tuple[str, str], ...], luck: float) -> tuple[str, str]:
    return choices[min(int(luck * len(choices)), len(choices) - 1)]


def _ordinary(says: str, luck: float, more: float) -> tuple[str, str]:
    milliseconds = int(18 + 400 * more**6)
    path = _PATHS[int(more * 997) % len(_PATHS)]
    if says in ("api", "access"):
        if luck > 0.985:
            return "WARNING", f"slow request: GET {path} took {900 + milliseconds} ms"
        return "INFO", f"GET {path} {404 if 0.97 < luck < 0.975 else 200} {milliseconds} ms"
    if says == "worker":
        task = _TASKS[int(more * 997) % len(_TASKS)]
        return (
            ("DEBUG", f"Task {task} received")
            if luck < 0.3
            else ("INFO", f"Task {task} succeeded in {milliseconds / 100:.2f}s")
        )
    if says == "json":
        return "INFO", f"{_JOBS[int(more * 997) % len(_JOBS)]} done in {milliseconds} ms"
    if says == "java":
        return "INFO", f"[gc] young collection, {milliseconds // 4} ms, heap {40 + int(more * 30)} %"
    if says == "logfmt":
        return "INFO", f"block written samples={int(more * 90_000)} duration={milliseconds}ms"
    if says == "redis":
        return "INFO", f"{int(more * 200)} changes in 60 seconds. Saving... DB saved on disk"
    return "INFO", "alive"


def _dress(says: str, stamp: datetime, level: str, text: str) -> str:
    clock = f"{stamp:%Y-%m-%d %H:%M:%S}"
    if says == "access" and level == "INFO":
        return f'10.20.0.{1 + stamp.microsecond % 250} - - [{stamp:%d/%b/%Y:%H:%M:%S} +0000] "{text}"'
    if says == "json":
        return json.dumps({"ts": stamp.isoformat(timespec="milliseconds"), "level": level.lower(), "msg": text})
    if says == "logfmt":
        return f'ts={stamp:%Y-%m-%dT%H:%M:%SZ} level={level.lower()} msg="{text}"'
    if says == "java":
        return f"[{clock}][{level:<7}][o.e.n.Node] {text}"
    return f"{clock} {level:<7} {text}"


_TROUBLE: dict[str, tuple[tuple[str, str], ...]] = {
    "lock-chain": (
        ("ERROR", "PATCH /activities/1 504 30001 ms: canceling statement due to lock timeout"),
        ("ERROR", "GET /activities 504 30000 ms: upstream timed out"),
        ("WARNING", "connection pool: 7 of 8 connections busy, 12 requests wait"),
        ("WARNING", "health check /health took 5002 ms"),
    ),
    "disk-full": (
        ("ERROR", "write /var/lib/data/segment.tmp: no space left on device"),
        ("WARNING", "disk watermark exceeded: 97 % used"),
    ),
    "paused-vm": (
        ("WARNING", "standby db-02 has sent no heartbeat"),
        ("ERROR", "target db-02:9100 down: context deadline exceeded"),
    ),
}

#: What the crashing worker says from start to death, each with seconds after its start.
DEATH: tuple[tuple[float, int, str], ...] = (
    (0.1, 1, '{"level": "info", "msg": "worker 2.8.0 starting"}'),
    (0.4, 1, '{"level": "info", "msg": "reading /etc/shop/worker.json"}'),
    (1.2, 2, '{"level": "warn", "msg": "queue.prefetch is not a number, retrying with the environment"}'),
    (2.0, 2, '{"level": "error", "msg": "configuration rejected: QUEUE_PREFETCH must be between 1 and 512"}'),
    (2.2, 2, "Error: configuration rejected\n    at load (/app/config.js:41:11)\n    at main (/app/worker.js:9:3)"),
)
