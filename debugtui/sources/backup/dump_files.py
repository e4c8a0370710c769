"""Looks at backup files on a host, with its own tools and argument lists; nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from debugtui.hosts.link import CommandResult
from debugtui.model.text import line
from debugtui.sources.backup.dump_header import HEAD_BYTES, TAIL_BYTES

_SPECIAL = re.compile(r"[*?\[\\]")
#: Most files that one pattern may match; more are most likely a pattern that is too wide.
MOST_FILES = 10_000
#: How much of a table of contents is read.
TOC_LIMIT = 32_000_000
#: Seconds for one look that reads no whole file; for finding the files below a folder.
LOOK_LIMIT, FIND_LIMIT = 10.0, 20.0


class Runner(Protocol):
    """What runs a command on the host: its link, or the eyes of a remediation."""

    async def run(self, argv: Sequence[str], *, timeout: float, limit: int = 4_000_000) -> CommandResult:
        """Run a command; see `Link.run`."""
        ...


class LookError(Exception):
    """The host could not be looked at, or not enough of it: nothing is known."""


class NotThereError(Exception):
    """Certainly not there."""


@dataclass(frozen=True, slots=True)
class DumpFile:
    """One file. `changed_at` in seconds since 1970, by the host's clock; `key` is device and inode."""

    path: str
    key: str
    size: int
    changed_at: float

    @property
    def identity(self) -> tuple[str, str, int, float]:
        """What changes when the file is another one or was written to."""
        return (self.path, self.key, self.size, self.changed_at)


def fixed_folder(pattern: str) -> str:
    """Return the folder of a pattern up to its first wildcard."""
    parts = pattern.split("/")[:-1]
    for number, part in enumerate(parts):
        if _SPECIAL.search(part):
            return "/".join(parts[:number]) or "/"
    return "/".join(parts) or "/"


def matches(path: str, pattern: str) -> bool:
    """Whether a path is one that a shell would find with that pattern: `*` never reaches over a slash or to a hidden file."""
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) == len(wanted) and all(
        fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for name, part in zip(names, wanted, strict=True)
    )


async def find_files(runner: Runner, pattern: str) -> tuple[DumpFile, ...]:
    """Return the files that a pattern names on the host, the newest first.

    Raises:
        NotThereError: the folder is not there.
        LookError: it cannot be looked at.
        LinkError: the link is not up.
    """
    pattern = re.sub(r"/+", "/", pattern)
    folder = fixed_folder(pattern)
    depth = str(pattern.rstrip("/").count("/") - folder.rstrip("/").count("/"))
    form = r"%D:%i\t%s\t%T@\t%p\0"
    argv = ["find", "-L", folder, "-mindepth", depth, "-maxdepth", depth, "-type", "f", "-printf", form]
    found = await runner.run(["env", "LC_ALL=C", *argv], timeout=FIND_LIMIT)
    if found.status and b"No such file or directory" in found.stderr and not found.stdout:
        raise NotThereError(f"there is no folder {line(folder, 200)}")
    if found.status:
        raise LookError(f"{line(folder, 200)} cannot be looked at: {said(found)}")
    if found.truncated:
        raise LookError(f"{line(folder, 200)} holds too many files")
    files = [file for file in _parse(found.stdout) if matches(file.path, pattern)]
    if len(files) > MOST_FILES:
        raise LookError(f"{line(pattern, 200)} matches {len(files)} files: too many")
    # The same file under two names (a link `latest.dump`) counts once.
    single = {file.key: file for file in sorted(files, key=lambda file: file.path, reverse=True)}
    return tuple(sorted(single.values(), key=lambda file: (-file.changed_at, file.path)))


def _parse(data: bytes) -> Iterable[DumpFile]:
    for record in data.split(b"\0"):
        parts = record.decode("utf-8", "surrogateescape").split("\t", 3)
        if len(parts) == 4:
            try:
                yield DumpFile(parts[3], parts[0], int(parts[1]), float(parts[2]))
            except ValueError:
                raise LookError("find answered in another form than asked") from None


def said(result: CommandResult) -> str:
    """What a command that failed said, in one line."""
    text = line(result.stderr.strip() or result.stdout.strip(), 300).removeprefix("pg_restore: ").removeprefix("error: ")
    return text or f"exit status {result.status}"


async def head_of(runner: Runner, path: str) -> bytes:
    """Return the first bytes of a file.

    Raises:
        LookError: it cannot be read.
    """
    return await _bytes(runner, ["head", "-c", str(HEAD_BYTES), "--", path])


async def tail_of(runner: Runner, path: str) -> bytes:
    """Return the last bytes of a file.

    Raises:
        LookError: it cannot be read.
    """
    return await _bytes(runner, ["tail", "-c", str(TAIL_BYTES), "--", path])


async def _bytes(runner: Runner, argv: list[str]) -> bytes:
    found = await runner.run(["env", "LC_ALL=C", *argv], timeout=LOOK_LIMIT)
    if found.status:
        raise LookError(f"the newest backup cannot be read: {said(found)}")
    return found.stdout


async def host_seconds(runner: Runner, text: str = "") -> float:
    """Return the host's own time, or that of a local date and time as the host reads it, in seconds since 1970.

    Raises:
        LookError: the host does not say.
    """
    found = await runner.run(["date", *(["-d", text] if text else []), "+%s"], timeout=LOOK_LIMIT)
    try:
        return float(found.stdout)
    except ValueError:
        raise LookError(f"the host does not tell the time: {said(found)}") from None


async def contents_of(runner: Runner, path: str) -> tuple[str, ...] | None:
    """Return the entries of an archive's table of contents (`TABLE DATA public activities app`); None: it does not read.

    Raises:
        LookError: no pg_restore there that can read it.
    """
    found = await runner.run(["env", "LC_ALL=C", "pg_restore", "-l", "--", path], timeout=60.0, limit=TOC_LIMIT)
    if unable(found):
        raise LookError(unable(found))
    if found.status:
        return None
    if found.truncated:
        raise LookError("its table of contents is too long")
    lines = found.stdout.decode("utf-8", "replace").splitlines()
    return tuple(entry.split(" ", 3)[3] for entry in lines if re.match(r"\d+; \d+ \d+ ", entry))


async def plain_contents_of(runner: Runner, path: str, timeout: float) -> tuple[str, ...]:
    """Return what a plain dump says of the data in it, in the words of `contents_of`; reads the whole file.

    Raises:
        LookError: it cannot be read.
    """
    argv = ["env", "LC_ALL=C", "nice", "-n", "19", "grep", "-a", "^-- Data for Name: ", "--", path]
    found = await runner.run(argv, timeout=timeout, limit=TOC_LIMIT)
    if found.status > 1 or found.status < 0 or found.truncated:
        raise LookError(f"it cannot be read to its end: {said(found)}")
    form = re.compile(r"-- Data for Name: (.*); Type: (TABLE DATA); Schema: (.*); Owner: (.*)")
    matches_ = (form.fullmatch(entry) for entry in found.stdout.decode("utf-8", "replace").splitlines())
    return tuple(f"{entry[2]} {entry[3]} {entry[1]} {entry[4]}" for entry in matches_ if entry)


def unable(found: CommandResult) -> str:
    """Why pg_restore of the host could not judge an archive; empty: it could."""
    if found.status in (126, 127):
        return "pg_restore is not installed on the host"
    if b"unsupported version" in found.stderr:
        return f"the host's pg_restore is older than the archive: {said(found)}"
    if found.status and any(text in found.stderr for text in (b"Permission denied", b"not built with", b"does not support")):
        return said(found)
    return ""
