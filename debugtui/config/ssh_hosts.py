"""Lists the hosts that the operator's `~/.ssh/config` names."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from debugtui.model.text import clean

#: Bounds: files read, bytes of each, depth of Include (OpenSSH's own is 16), names listed.
_FILES = 64
_SIZE = 1_000_000
_DEPTH = 16
_NAMES = 500

_LINE = re.compile(r"\s*([A-Za-z]\w*)(?:\s*=\s*|\s+)(.*)")
_NEVER = ("!*",)


@dataclass(frozen=True, slots=True)
class SshAlias:
    """One concrete name of ssh's configuration.

    Attributes:
        name: what `ssh NAME` takes.
        hostname: what it stands for; the name itself where nothing else is said.
        user: empty where nothing is said.
        port: 0 where nothing is said.
    """

    name: str
    hostname: str
    user: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class _Setting:
    blocks: tuple[tuple[str, ...], ...]  # the patterns of every Host line it stands below, through Includes
    key: str
    value: str


class _Reader:
    """Reads one configuration and what it includes, in order."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.names: dict[str, None] = {}
        self.settings: list[_Setting] = []
        self._files = 0

    def read(self, file: Path, outer: tuple[tuple[str, ...], ...] = (), depth: int = 0) -> None:
        self._files += 1
        if depth > _DEPTH or self._files > _FILES:
            return
        block: tuple[tuple[str, ...], ...] = outer
        for key, words in _lines(file):
            if key == "host":
                block = (*outer, tuple(words))
                self._add_names(words)
            elif key == "match":
                # Most conditions need a connection, or run a command; only `all` is certain.
                block = (*outer, ("*",) if [word.lower() for word in words] == ["all"] else _NEVER)
            elif key == "include":
                for included in self._included(words):
                    self.read(included, block, depth + 1)
            elif key in ("hostname", "user", "port"):
                self.settings.append(_Setting(block, key, words[0]))

    def _add_names(self, words: list[str]) -> None:
        for word in words:
            if len(self.names) < _NAMES and not any(sign in word for sign in "*?!") and word == clean(word):
                self.names.setdefault(word)

    def _included(self, words: list[str]) -> Iterator[Path]:
        for word in words:
            pattern = os.path.join(self.base, os.path.expanduser(word))  # noqa: PTH111, PTH118 # a glob pattern, not a path
            yield from (Path(found) for found in sorted(glob.glob(pattern))[:_FILES])  # noqa: PTH207 # absolute patterns

    def first(self, name: str, key: str) -> str:
        """Return the first value that applies to a name, as ssh takes it; empty: none."""
        for setting in self.settings:
            if setting.key == key and all(_matches(name, block) for block in setting.blocks):
                return setting.value
        return ""


def _lines(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (keyword in lower case, arguments) of each line with both; of an unreadable file nothing."""
    try:
        if not file.is_file():
            return
        with file.open("rb") as opened:
            text = opened.read(_SIZE).decode("utf-8", errors="replace")
    except OSError:
        return
    for raw in text.splitlines():
        found = _LINE.match(raw)
        if found is None:
            continue
        try:
            words = shlex.split(found[2], comments=True)
        except ValueError:
            continue
        if words:
            yield found[1].lower(), words


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Return whether a Host line applies: one pattern fits, and no negated one does."""
    fits = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        body = re.escape(pattern.removeprefix("!")).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(body, name):
            if negated:
                return False
            fits = True
    return fits


def ssh_aliases(path: Path | None = None) -> list[SshAlias]:
    """Return the concrete hosts of an ssh configuration, in its order; patterns are skipped, Include is followed.

    Args:
        path: the file; None: `~/.ssh/config`. Where it cannot be read there are none.
    """
    file = path if path is not None else Path.home() / ".ssh" / "config"
    reader = _Reader(file.parent)
    reader.read(file)
    return [_alias(reader, name) for name in reader.names]


def _alias(reader: _Reader, name: str) -> SshAlias:
    hostname = re.sub("%[%h]", lambda found: "%" if found[0] == "%%" else name, reader.first(name, "hostname"))
    port = reader.first(name, "port")
    return SshAlias(
        name,
        clean(hostname) or name,
        clean(reader.first(name, "user")),
        int(port) if port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536 else 0,
    )
