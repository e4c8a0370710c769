"""What a demo host answers to the scripts of the repair engine: leases, detached commands, reverts. Nothing is executed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from debugtui.demo.shell import Answer
from debugtui.remediation.remote import dead_man, detached, lease


@dataclass
class _Held:
    """One lease."""

    token: str
    holder: str
    began: float
    until: float


class RepairScripts:
    """One host's answers; they live as long as the demo."""

    def __init__(self, run: Callable[[Sequence[str]], Answer], clock: Callable[[], float] = time.time) -> None:
        """Prepare.

        Args:
            run: answers a command.
            clock: seconds since the epoch.
        """
        self._run, self._clock = run, clock
        self._leases: dict[str, _Held] = {}
        self._jobs: dict[str, Answer] = {}
        self._waiting: dict[str, float | None] = {}

    def __call__(self, script: str, arguments: Sequence[str]) -> Answer | None:
        """Answer a script; None where it is another one."""
        answers: dict[str, Callable[..., str | bytes]] = {
            lease.SCRIPT: self._lease,
            detached.START: self._start,
            detached.LOOK: self._look,
            detached.READ: self._read,
            detached.FORGET: self._forget,
            dead_man.ARM: self._arm,
            dead_man.DISARM: self._disarm,
            dead_man.LOOK: self._armed,
        }
        if script not in answers:
            return None
        said = answers[script](*arguments)
        return Answer(said if isinstance(said, bytes) else f"{said}\n".encode())

    def _lease(self, what: str, key: str, token: str, holder: str, seconds: str) -> str:
        now = self._clock()
        held = self._leases.get(key)
        if held is not None and held.until <= now:
            del self._leases[key]
            held = None
        if what == "take":
            if held is not None and held.token != token:
                return f"held {held.began:.0f} {held.holder}"
            self._leases[key] = _Held(token, holder, now, now + float(seconds))
            return "taken"
        ours = held is not None and held.token == token
        if what == "renew":
            if held is None or not ours:
                return "lost"
            held.until = now + float(seconds)
            return "renewed"
        if ours:
            del self._leases[key]
        return "given"

    def _start(self, key: str, _seconds: str, _size: str, _most: str, *argv: str) -> str:
        if key in self._jobs:
            return "exists"
        self._jobs[key] = self._run(argv)
        return "started"

    def _look(self, key: str, _wait: str) -> str:
        return f"ended {self._jobs[key].status}" if key in self._jobs else "none"

    def _read(self, key: str, name: str, most: str) -> bytes:
        job = self._jobs.get(key, Answer())
        return (job.stdout if name == "out" else job.stderr)[: int(most)]

    def _forget(self, key: str) -> str:
        self._jobs.pop(key, None)
        return ""

    def _arm(self, key: str, seconds: str, *_revert: str) -> str:
        self._waiting[key] = self._clock() + float(seconds)
        return "armed"

    def _disarm(self, key: str) -> str:
        state = self._armed(key).partition(" ")[0]
        if state == "armed":
            self._waiting[key] = None
            return "disarmed"
        return state

    def _armed(self, key: str) -> str:
        if key not in self._waiting:
            return "none"
        until = self._waiting[key]
        if until is None:
            return "disarmed"
        return "armed" if self._clock() < until else "fired 0"
