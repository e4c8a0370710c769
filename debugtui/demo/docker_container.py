"""One simulated container: a state machine that behaves like the engine's, with figures that move and logs that tell why."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable

from debugtui.demo import docker_story
from debugtui.demo.cast import MIB, ContainerPart
from debugtui.demo.docker_story import Line
from debugtui.demo.waves import Wave, share

#: How long a crashing container lives, in seconds.
LIFE = 2.4
#: The engine's restart delay: 100 ms, doubled at each restart, at most a minute; forgotten after 10 s of running.
FIRST_DELAY, LONGEST_DELAY, GOOD_RUN = 0.1, 60.0, 10.0
#: Health checks: one every 5 s, three failures in a row for `unhealthy`.
HEALTH_EVERY, HEALTH_FAILURES = 5.0, 3
KEPT_LINES = 5_000
DAY = 86_400.0

#: Takes an action (`die`, `start`...) and more attributes of its event.
Tell = Callable[["SimContainer", str, dict[str, str]], None]


class SimContainer:
    """One container. Times in seconds since the epoch; `advance` moves it on, the other methods are what an operator does."""

    def __init__(self, host: str, part: ContainerPart, now: float, tell: Tell, *, new: str = "") -> None:
        """Make a container that has run for days; `new`: one of that name, created now and not started."""
        self.part, self._tell = part, tell
        seed = f"{host}/{new}/{now}" if new else f"{host}/{part.name}"
        self.id = hashlib.sha256(seed.encode()).hexdigest()
        self.image_id = "sha256:" + hashlib.sha256(part.image.encode()).hexdigest()
        self.name = new or part.name
        self.more_labels: dict[str, str] = {}
        self.mended = False  # made anew with another image or environment: the scenario's fault is not in it
        self.created = now - DAY * (2 + 40 * share(seed))
        self.started = self.created + 0.4
        self.finished = 0.0
        self.state = "running"
        self.exit_code = 0
        self.oom_killed = False
        self.restarts = 0
        self.restart_policy, self.restart_limit = part.restart, 0
        self.memory_limit = (part.limit or 0) * MIB
        self.nano_cpus = 0
        self.pid = 2_000 + int(30_000 * share(seed, "pid"))
        self.failing = 0
        self.health_log: deque[tuple[float, int, str]] = deque(maxlen=5)
        self.log: deque[Line] = deque(maxlen=KEPT_LINES)
        self.logged = 0
        self.sick = False  # set by the scenario: dies soon after each start
        self.trouble = ""  # set by the scenario: what its log complains about
        self._cpu = Wave(part.cpu / 100, 0.6, seed + "cpu")
        self._memory = Wave(part.memory * MIB, 0.08, seed + "memory")
        self._net = Wave(2_000 + part.cpu * 9_000, 0.7, seed + "net")
        self._disk = Wave(500 + part.cpu * 1_500, 0.9, seed + "disk")
        running = max(0.0, now - self.started)
        self.cpu_s = self._cpu.base * running
        self.rx = self._net.base * running
        self.tx = self.rx * 1.7
        self.read = self._disk.base * running * 0.2
        self.written = self._disk.base * running
        self._at = now
        self._next_health = now
        self._restart_at: float | None = None
        self._delay = FIRST_DELAY
        self._stopped_by_hand = False
        if part.exited:
            self.state, self.finished, self.pid = "exited", self.started + 6.2, 0
        if new:
            self.state, self.created, self.started, self.pid = "created", now, 0.0, 0
            self.cpu_s = self.rx = self.tx = self.read = self.written = 0.0
        else:
            self._backfill(now)

    def _backfill(self, now: float) -> None:
        until = self.finished or now
        rate = docker_story.RATES[self.part.says]
        self._write(docker_story.lines(self.name, self.part.says, until - 400 / rate, until, ""))

    @property
    def running(self) -> bool:
        """True while its process exists."""
        return self.state in ("running", "paused")

    @property
    def health(self) -> str:
        """The engine's word; `none` without a health check."""
        if not self.part.health:
            return "none"
        if self.failing >= HEALTH_FAILURES:
            return "unhealthy"
        return "healthy" if self.health_log else "starting"

    def memory(self, now: float) -> int:
        """Return the working set in bytes."""
        grown = min(1.0, max(0.15, (now - self.started) / 20))
        used = self._memory.at(now) * grown * (1.25 if self.trouble == "lock-chain" else 1)
        return int(min(used, self.memory_limit * 0.98) if self.memory_limit else used)

    def pids(self) -> int:
        """Return how many processes it has."""
        return 1 + int(self.part.cpu / 6)

    # Time

    def advance(self, now: float) -> None:
        """Live until `now`."""
        before, self._at = self._at, now
        if self.state == "running":
            self._count(max(before, self.started), now)
            self._check_health(now)
            if self.sick:
                self._dying(before, now)
            else:
                self._write(docker_story.lines(self.name, self.part.says, before, now, self.trouble))
            if self.state == "running" and now - self.started > GOOD_RUN:
                self._delay = FIRST_DELAY
        elif self.state == "restarting" and self._restart_at is not None and now >= self._restart_at:
            self.restarts += 1
            self._begin(now)

    def _count(self, start: float, end: float) -> None:
        if end <= start:
            return
        load = 0.35 if self.trouble == "lock-chain" else 1.0
        self.cpu_s += self._cpu.between(start, end) * load
        received = self._net.between(start, end) * load
        self.rx += received
        self.tx += received * 1.7
        written = self._disk.between(start, end)
        self.written += written
        self.read += written * 0.2

    def _check_health(self, now: float) -> None:
        if not self.part.health or now < self._next_health:
            return
        self._next_health = now + HEALTH_EVERY
        before = self.health
        fails = self.trouble == "lock-chain"
        self.failing = self.failing + 1 if fails else 0
        self.health_log.append((now, int(fails), "timed out after 5s" if fails else "200 OK"))
        if self.health != before:
            self._tell(self, f"health_status: {self.health}", {})

    def _dying(self, before: float, now: float) -> None:
        for after, stream, text in docker_story.DEATH:
            if before < self.started + after <= now:
                self._write(Line(self.started + after, stream, part) for part in text.splitlines())
        if now - self.started >= LIFE:
            self._die(now, 3)

    def _write(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self.log.append(line)
            self.logged += 1

    def _die(self, now: float, code: int) -> None:
        self.exit_code, self.finished, self.pid, self.failing = code, now, 0, 0
        self.state = "exited"
        self.health_log.clear()
        self._tell(self, "die", {"exitCode": str(code), "execDuration": str(int(now - self.started))})
        again = self.restart_policy in ("always", "unless-stopped") or (self.restart_policy == "on-failure" and code != 0)
        if again and not self._stopped_by_hand and not (self.restart_limit and self.restarts >= self.restart_limit):
            self.state = "restarting"
            self._restart_at = now + self._delay
            self._delay = min(LONGEST_DELAY, self._delay * 2)

    def _begin(self, now: float) -> None:
        self.state, self.started, self._restart_at, self._stopped_by_hand = "running", now, None, False
        self.pid = 2_000 + int(30_000 * share(self.id, now))
        self.exit_code, self._next_health = 0, now + HEALTH_EVERY
        self.cpu_s = self.rx = self.tx = self.read = self.written = 0.0
        self._tell(self, "start", {})

    # What an operator does; each returns whether anything changed

    def heal(self, now: float) -> None:
        """End a crash loop at once, as a corrected configuration would."""
        self.sick = False
        if self.state == "restarting":
            self._restart_at = now

    def start(self, now: float) -> bool:
        """Start it."""
        if self.running:
            return False
        self._delay = FIRST_DELAY
        self._begin(now)
        return True

    def stop(self, now: float, *, signal: int = 15) -> bool:
        """End it by a signal; no restart policy brings it back."""
        if self.state not in ("running", "paused", "restarting"):
            return False
        was_running = self.running
        self._stopped_by_hand = True
        self._restart_at = None
        if was_running:
            self._tell(self, "kill", {"signal": str(signal)})
            self._die(now, 0 if signal == 15 and self.part.health else 128 + signal)
        self.state = "exited"
        self._tell(self, "stop", {})
        return True

    def restart(self, now: float) -> bool:
        """Stop and start it."""
        self.stop(now)
        self.start(now)
        self._tell(self, "restart", {})
        return True

    def pause(self, paused: bool) -> bool:
        """Freeze or thaw it."""
        if self.state != ("running" if paused else "paused"):
            return False
        self.state = "paused" if paused else "running"
        self._tell(self, "pause" if paused else "unpause", {})
        return True
