"""Real journal files: systemd's own program writes them from its export format, journalctl reads them. No systemd runs."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = Path("/usr/lib/systemd/systemd-journal-remote")
BOOT = "0123456789abcdef0123456789abcdef"
CONTAINER = "5f" * 32


class MissingJournalError(RuntimeError):
    """systemd-journal-remote is not installed. A test that needs it fails; it is never skipped."""


@dataclass
class JournalFiles:
    """The journal of one host that booted a day ago; `write` adds what was said since the last one as one more file."""

    folder: Path
    _entries: list[tuple[float, bytes]] = field(default_factory=list)
    _files: int = 0

    def say(self, ago: float, message: str | bytes, **fields: str | int) -> JournalFiles:
        """Add a line that was written `ago` seconds before now; fields by their names in the journal."""
        at = time.time() - ago
        rows: list[tuple[str, str | bytes | int]] = [
            ("__REALTIME_TIMESTAMP", round(at * 1e6)),
            ("__MONOTONIC_TIMESTAMP", round((86_400 - ago) * 1e6)),
            ("_BOOT_ID", BOOT),
            ("MESSAGE", message),
            *fields.items(),
        ]
        self._entries.append((at, b"".join(_field(name, value) for name, value in rows) + b"\n"))
        return self

    def error(self, ago: float, unit: str, message: str | bytes = "failed to do it") -> JournalFiles:
        return self.say(ago, message, PRIORITY=3, _SYSTEMD_UNIT=unit, _PID=4711, _TRANSPORT="journal")

    def kernel(self, ago: float, message: str, priority: int = 3) -> JournalFiles:
        return self.say(ago, message, PRIORITY=priority, _TRANSPORT="kernel", SYSLOG_IDENTIFIER="kernel")

    def change(self, ago: float, unit: str, message_id: str, message: str) -> JournalFiles:
        return self.say(ago, message, PRIORITY=6, _PID=1, MESSAGE_ID=message_id, UNIT=unit, _SYSTEMD_UNIT="init.scope")

    def oom_kill(self, ago: float, process: str, pid: int, cgroup: str, *, limit: bool = True) -> JournalFiles:
        """Add the two lines that the kernel writes when it kills."""
        why = "CONSTRAINT_MEMCG" if limit else "CONSTRAINT_NONE"
        self.kernel(
            ago,
            f"oom-kill:constraint={why},nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg={cgroup},task_memcg={cgroup},"
            f"task={process},pid={pid},uid=0",
            6,
        )
        words = "Memory cgroup out of memory" if limit else "Out of memory"
        tail = "file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0"
        return self.kernel(ago, f"{words}: Killed process {pid} ({process}) total-vm:900000kB, anon-rss:524288kB, {tail}")

    def write(self) -> Path:
        """Write the file; return the directory."""
        if not PROGRAM.exists():
            raise MissingJournalError("systemd-journal-remote is not installed: scripts/packages test installs it")
        self._files += 1
        target = self.folder / f"part{self._files}.journal"
        # A journal is written in the order of time, and searched as such.
        data, self._entries = b"".join(entry for _, entry in sorted(self._entries, key=lambda pair: pair[0])), []
        subprocess.run([str(PROGRAM), "-o", str(target), "-"], input=data, check=True, capture_output=True, timeout=60)
        return self.folder


def _field(name: str, value: str | bytes | int) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    if b"\n" in data or not data.isascii():
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return f"{name}=".encode() + data + b"\n"


@pytest.fixture
def journal_files(tmp_path: Path) -> JournalFiles:
    folder = tmp_path / "journal"
    folder.mkdir()
    return JournalFiles(folder)
