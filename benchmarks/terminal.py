"""A pseudo-terminal that starts a program, types to it, and counts what it writes. Used by the benchmarks."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Terminal:
    """One program in a pseudo-terminal of its own."""

    def __init__(
        self, arguments: Sequence[str], *, columns: int = 120, lines: int = 40, env: dict[str, str] | None = None
    ) -> None:
        """Start `arguments`; `env` is added to a small environment of its own."""
        self.started = time.perf_counter()
        self.output = bytearray()
        self._status: int | None = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            base = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
            extra = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none", **(env or {})}
            os.chdir(ROOT)
            os.execvpe(arguments[0], list(arguments), {**base, **extra})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds: float, *, until: bytes = b"") -> bytes:
        """Read for `seconds`, or until `until` was seen in all output so far; return what came meanwhile."""
        end = time.perf_counter() + seconds
        came = bytearray()
        while (left := end - time.perf_counter()) > 0:
            ready, _, _ = select.select([self.fd], [], [], min(left, 0.05))
            if ready:
                try:
                    data = os.read(self.fd, 65_536)
                except OSError:
                    break
                if not data:
                    break
                came += data
                self.output += data
                if until and until in self.output:
                    break
        return bytes(came)

    def key(self, data: bytes, seconds: float = 1.0) -> float:
        """Type `data`; return the seconds until the program's first answer, or `seconds` where there is none."""
        began = time.perf_counter()
        os.write(self.fd, data)
        ready, _, _ = select.select([self.fd], [], [], seconds)
        answered = time.perf_counter() - began
        if ready:
            self.output += os.read(self.fd, 65_536)
        return answered

    def cpu(self) -> float:
        """Return the seconds of processor time that the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Return the program's resident memory, in megabytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def ended(self, seconds: float = 5.0) -> int | None:
        """Return the exit status once the program ended by itself; None where it still runs after `seconds`."""
        end = time.perf_counter() + seconds
        while self._status is None and time.perf_counter() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def close(self) -> int:
        """End the program (SIGTERM, then SIGKILL after five seconds); return its exit status."""
        if self._status is None:
            os.kill(self.pid, signal.SIGTERM)
            if self.ended() is None:
                os.kill(self.pid, signal.SIGKILL)
                _, status = os.waitpid(self.pid, 0)
                self._status = os.waitstatus_to_exitcode(status)
        os.close(self.fd)
        assert self._status is not None
        return self._status


def python(*arguments: str) -> list[str]:
    """Return the command line of this Python with warm bytecode."""
    return [sys.executable, *arguments]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]
