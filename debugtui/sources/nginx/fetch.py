"""The configuration's files, fetched from the host: the main one and everything that it includes."""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from debugtui.hosts.link import Link
from debugtui.model.source import Problem
from debugtui.model.text import clean, line
from debugtui.sources.base import SourceError
from debugtui.sources.nginx.tree import Tree, build, includes_of

#: Seconds for one round; most files, bytes and levels of includes. A configuration beyond that is no longer read whole.
LIMIT_S, FILES, MOST, LEVELS = 15.0, 200, 2_000_000, 10

# Arguments: patterns. For each file that one matches: a line with size, time of its last change (seconds since 1970) and path,
# then that many bytes. An empty IFS keeps the shell from splitting a pattern at its spaces; it is only expanded.
SCRIPT = r"""
IFS=
for pattern in "$@"; do
  for file in $pattern; do
    [ -e "$file" ] || { printf 'missing 0 %s\n' "$file"; continue; }
    [ -f "$file" ] && [ -r "$file" ] || { printf 'unreadable 0 %s\n' "$file"; continue; }
    about=$(stat -L -c '%s %Y' -- "$file") || continue
    printf '%s %s\n' "$about" "$file"
    head -c "${about%% *}" -- "$file"
    echo
  done
done
"""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a configuration. `changed_at`: UTC; `digest`: SHA-256 of its bytes, in hex."""

    path: str
    text: str
    changed_at: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class Files:
    """A configuration as it lies on the disk.

    Attributes:
        main: path of the main file.
        by_path: every file.
        matched: for each include as written (made absolute): the files that it meant, in order.
        problems: what is missing or cannot be read, one line each.
    """

    main: str
    by_path: dict[str, File]
    matched: dict[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()

    @property
    def changed_at(self) -> datetime | None:
        """When the newest of them was changed (UTC)."""
        return max((file.changed_at for file in self.by_path.values()), default=None)


async def fetch(link: Link, main: str) -> Files:
    """Return the configuration.

    Raises:
        SourceError: the main file cannot be read.
        LinkError: the link is not up.
    """
    by_path: dict[str, File] = {}
    matched: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    wanted: list[str] = [main]
    for _ in range(LEVELS):
        if not wanted or len(by_path) >= FILES:
            break
        found, bad = await _round(link, wanted)
        problems += bad
        for pattern, files in found.items():
            matched[pattern] = tuple(file.path for file in files)
            by_path.update({file.path: file for file in files if file.path not in by_path})
        if main not in by_path:
            raise SourceError(Problem(problems[0] if problems else f"{main} cannot be read", "the login needs to read it"))
        wanted = [
            pattern
            for files in found.values()
            for file in files
            for pattern in await asyncio.to_thread(_patterns, file, main)
            if pattern not in matched
        ]
        wanted = list(dict.fromkeys(wanted))
    return Files(main, by_path, matched, tuple(problems[:20]))


def _patterns(file: File, main: str) -> list[str]:
    folder = posixpath.dirname(main)
    return [posixpath.normpath(posixpath.join(folder, pattern)) for pattern in includes_of(file.text)]


async def _round(link: Link, patterns: Sequence[str]) -> tuple[dict[str, list[File]], list[str]]:
    """Fetch what some patterns mean, each in a command of its own argument."""
    found: dict[str, list[File]] = {}
    problems: list[str] = []
    for pattern in patterns[:FILES]:
        done = await link.run(["sh", "-c", SCRIPT, "debugtui", pattern], timeout=LIMIT_S, limit=MOST)
        files, bad = await asyncio.to_thread(_read, done.stdout)
        if done.truncated:
            problems.append(f"{pattern}: longer than {MOST} bytes")
        found[pattern] = files
        # A pattern that matches nothing is no fault for nginx; a plain name is.
        problems += [one for one in bad if not (one.startswith("missing ") and any(sign in pattern for sign in "*?["))]
    return found, [line(one, 300) for one in problems]


def _read(data: bytes) -> tuple[list[File], list[str]]:
    files: list[File] = []
    problems: list[str] = []
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            break
        size, _, rest = data[at:end].decode("utf-8", "replace").partition(" ")
        changed, _, path = rest.partition(" ")
        at = end + 1
        if not size.isascii() or not size.isdigit():
            problems.append(f"{line(size, 20)} {line(clean(path), 200)}")
            continue
        content = data[at : at + int(size)]
        at += int(size) + 1
        when = datetime.fromtimestamp(int(changed) if changed.isdigit() else 0, UTC)
        files.append(File(path, content.decode("utf-8", "replace"), when, hashlib.sha256(content).hexdigest()))
    return files, problems


def tree_of(files: Files) -> Tree:
    """Return the tree of a fetched configuration; takes milliseconds for each file."""
    texts = {path: file.text for path, file in files.by_path.items()}
    folder = posixpath.dirname(files.main)
    return build(files.main, texts, files.matched, lambda pattern: posixpath.normpath(posixpath.join(folder, pattern)))
