"""What the tests of remote tools share: links to private sshds, hosts with other programs, other logins."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

from debugtui.hosts.link import CommandResult
from debugtui.hosts.local import LocalLink
from debugtui.hosts.ssh import SshLink
from debugtui.model.ids import new_id
from debugtui.remediation.remote.place import PLACE, key_of
from tests.lab.link_tools import make_link, started
from tests.services.ssh_server import SshServer
from tests.unit.fakes import START

#: Programs of busybox that the scripts need; Alpine has no others.
BUSYBOX = (
    *(
        "sh",
        "cat",
        "chmod",
        "cut",
        "date",
        "echo",
        "env",
        "find",
        "grep",
        "head",
        "id",
        "kill",
        "ls",
        "mkdir",
        "mkfifo",
    ),
    *("mktemp", "mv", "printf", "rm", "sed", "setsid", "sleep", "timeout", "touch", "tr", "true", "wc"),
)


def new_mark() -> str:
    """A mark that no other test uses."""
    return f"debugtui:test-{new_id('pln', START)[-10:].lower()}/1"


@contextlib.asynccontextmanager
async def linked(server: SshServer) -> AsyncIterator[SshLink]:
    """A link that is up."""
    async with started(make_link(server)) as link:
        yield link


def busybox_path(folder: Path) -> Path:
    """A folder of busybox programs: what a host of Alpine has. Debian builds busybox without flock, so that one is the host's.

    Raises:
        RuntimeError: busybox is missing.
    """
    program, flock = shutil.which("busybox"), shutil.which("flock")
    if program is None or flock is None:
        raise RuntimeError("busybox or flock is missing: apt install busybox util-linux")
    folder.mkdir()
    for name in BUSYBOX:
        (folder / name).symlink_to(program)
    (folder / "flock").symlink_to(flock)
    return folder


class AsLogin(LocalLink):
    """A link to this machine as another login, by number; `path` is where its programs are looked for."""

    def __init__(self, uid: int | None = None, path: Path | None = None) -> None:
        super().__init__("lab-host")
        self._before: list[str] = []
        if uid is not None:
            change = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
            self._before = change if os.geteuid() == 0 else ["sudo", "-n", *change]
        if path is not None:
            self._before += ["env", f"PATH={path}"]

    async def run(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"", limit: int = 4_000_000) -> CommandResult:
        return await super().run([*self._before, *argv], timeout=timeout, stdin=stdin, limit=limit)


def job_folder(mark: str) -> Path:
    """The folder of a mark on this machine."""
    said = subprocess.run(["sh", "-c", PLACE + 'echo "$dir"'], capture_output=True, text=True, timeout=10, check=True).stdout
    return Path(said.strip()) / key_of(mark)


@contextlib.contextmanager
def marks() -> Iterator[Callable[[], str]]:
    """Make marks; what they left on this machine is removed afterwards."""
    made: list[str] = []

    def make() -> str:
        made.append(new_mark())
        return made[-1]

    try:
        yield make
    finally:
        for mark in made:
            shutil.rmtree(job_folder(mark), ignore_errors=True)
