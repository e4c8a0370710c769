"""The demo as the screen holds it: starts the lab's process, knows its configuration, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debugtui.demo import cast, leftovers
from debugtui.demo.layout import Layout
from debugtui.demo.scenarios import SCENARIOS, Timeline

if TYPE_CHECKING:
    from debugtui.config.models import Config
    from debugtui.demo.libvirt_source import DemoLibvirtSource
    from debugtui.hosts.link import Link
    from debugtui.remediation.libvirt_calls import LibvirtCalls
    from debugtui.sources.base import Source

READY_LIMIT, STOP_LIMIT = 30.0, 12.0


class DemoError(Exception):
    """The demo could not start; the text says why."""


class DemoHandle:
    """A running demo. Made by `start`; `close` ends it and leaves nothing behind.

    Attributes:
        folder: the private folder that holds all of it.
        progress: what happened so far, one line each.
    """

    def __init__(self, folder: Path, scenario: str, process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
        self.folder, self.scenario = folder, scenario
        self.progress: list[str] = []
        self._layout = Layout(folder)
        self._process, self._say = process, say
        self._settled = threading.Event()
        self._ready: dict[str, Any] | None = None
        self._config: Config | None = None
        self._libvirt: dict[str, DemoLibvirtSource] = {}
        self._reader = threading.Thread(target=self._listen, name="demo", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, scenario: str, say: Callable[[str], None] = lambda _: None) -> DemoHandle:
        """Start the lab in a process of its own; returns at once.

        Args:
            scenario: a name of `SCENARIOS`.
            say: takes what happens, in one line; called from another thread.

        Raises:
            DemoError: no such scenario, or no process could be started.
        """
        if scenario not in SCENARIOS:
            raise DemoError(f"no such scenario: {scenario} (there are: {', '.join(SCENARIOS)})")
        folder = leftovers.make_folder()
        try:
            with Layout(folder).log.open("wb") as log:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "debugtui.demo.serve", str(folder), scenario],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=_environment(folder),
                    start_new_session=True,  # a Ctrl-C in the terminal is for the screen alone
                )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise DemoError(f"the demo's process did not start: {error}") from error
        return cls(folder, scenario, process, say)

    def _listen(self) -> None:
        output = self._process.stdout
        if output is None:
            return
        for text in output:
            message = json.loads(text)
            if "progress" in message:
                self.progress.append(message["progress"])
                if self._ready is None:  # afterwards the terminal belongs to the screen
                    self._say(message["progress"])
            elif "failed" in message:
                self.progress.append(message["failed"])
            elif "ready" in message:
                self._ready = message["ready"]
                self._settled.set()
        self._settled.set()

    def wait_ready(self) -> None:
        """Wait until every host can be reached (PostgreSQL follows about a second later).

        Raises:
            DemoError: it ended, or took too long.
        """
        if not self._settled.wait(READY_LIMIT):
            raise DemoError(f"the demo was not ready within {READY_LIMIT:.0f} s")
        if self._ready is None:
            raise DemoError(f"the demo could not start: {self._last_words()}")

    def _last_words(self) -> str:
        try:
            lines = self._layout.log.read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        said = [line for line in (*self.progress[-1:], *lines) if line.strip()]
        return said[-1] if said else f"exit code {self._process.poll()}"

    @property
    def timeline(self) -> Timeline:
        """The scenario and when it began; waits until the lab is ready."""
        self.wait_ready()
        ready = self._ready or {}
        return Timeline(SCENARIOS[self.scenario], float(ready["started"]))

    @property
    def config(self) -> Config:
        """The configuration with which everything is reached; waits until the lab is ready.

        Raises:
            DemoError: it could not start.
        """
        if self._config is None:
            from debugtui.demo.configure import configuration

            self.wait_ready()
            self._config = configuration(self._layout, dict((self._ready or {})["ports"]))
        return self._config

    def libvirt_factory(self, link: Link, uri: str) -> Source:
        """Return the libvirt source of a demo host: the real library and driver, with figures laid over them."""
        from debugtui.demo.libvirt_source import DemoLibvirtSource

        source = DemoLibvirtSource(link, uri, cast.BY_NAME[link.host], self.timeline)
        self._libvirt[link.host] = source
        return source

    def libvirt_opener(self, host: str) -> Callable[[bool], LibvirtCalls]:
        """Return how the repair desk calls libvirt on a demo host."""
        from debugtui.demo.libvirt_source import SharedCalls

        return lambda _write: SharedCalls(self._libvirt[host])

    @property
    def state(self) -> Path:
        """Where the demo's own journal, audit log and records lie; gone with the demo."""
        return self.folder / "state"

    def close(self) -> None:
        """End the lab and remove its folder. Safe to call twice."""
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for end in (None, process.terminate, process.kill):
            if end is not None:
                end()
            try:
                process.wait(STOP_LIMIT)
                break
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(1.0)
        if process.stdout is not None:
            process.stdout.close()
        leftovers.remove(self._layout)  # it was killed: clean up in its place


def _environment(folder: Path) -> dict[str, str]:
    package_parent = str(Path(__file__).resolve().parents[2])
    paths = [package_parent, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "HOME": str(folder), "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
