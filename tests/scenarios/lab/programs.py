"""Programs that the lab starts and ends by their own process, each in a session of its own, so that ctrl+c ends none early."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class LabError(Exception):
    """The lab is not as it should be: a part did not start, a fault did not take, a healing did not."""


def until(true: Callable[[], object], timeout: float, what: str | Callable[[], str]) -> None:
    """Wait until something is true; where it does not become so, say what did not, as it then is."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise LabError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.05)


def lasting_port() -> int:
    """A TCP port of loopback that nobody listens on, and that no outgoing connection gets: a server comes back to it later."""
    for _ in range(1000):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError("no port of loopback is free")


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise LabError(f"{name} is missing: apt install {package}")
    return found


def as_root(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    prefix = [] if os.geteuid() == 0 else [program("sudo", "sudo"), "-n"]
    done = subprocess.run([*prefix, *argv], capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done


def status_of(url: str, timeout: float = 2.0) -> int:
    """The HTTP status that an address answers with; 0: no answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@dataclass
class Program:
    """One program that runs until it is stopped; `ready` tells whether it serves."""

    argv: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    env: dict[str, str] | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 20) -> None:
        with self.log.open("ab") as log:
            env = {**os.environ, **(self.env or {})}
            self._process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
            )
        end = time.monotonic() + timeout
        while not self.ready():
            if not self.running or time.monotonic() > end:
                said = self.log.read_text(errors="replace")[-800:]
                self.stop()
                raise LabError(f"{self.argv[0]} did not start: {said}")
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it. Safe to call twice."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        self._process = None
