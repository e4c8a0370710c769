"""Which host keys are trusted: known_hosts files, read at every connect so that an edit counts at once.

The lines are understood by asyncssh (hashed names, patterns, `[host]:port`, `@revoked`, `@cert-authority`); here each line is
given to it by itself, so that a message can name the file and the line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

#: A known_hosts file larger than this is refused rather than read, in bytes.
FILE_LIMIT = 20_000_000


class Verdict(StrEnum):
    """What is known of an offered key. changed: other keys are known for that host, and this is none of them."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key that a file holds for a host, and where."""

    file: Path
    number: int
    key: asyncssh.SSHKey

    @property
    def where(self) -> str:
        """`FILE line N`."""
        return f"{self.file} line {self.number}"


@dataclass(frozen=True, slots=True)
class Known:
    """Everything the files hold for one host.

    Attributes:
        keys: its own keys.
        elsewhere: keys of the same name without a port; they are trusted, but another key is then unknown, not changed.
        authorities: keys that may sign its key.
        revoked: keys that must never be accepted.
    """

    keys: list[Entry] = field(default_factory=list)
    elsewhere: list[Entry] = field(default_factory=list)
    authorities: list[Entry] = field(default_factory=list)
    revoked: list[Entry] = field(default_factory=list)

    def judge(self, key: asyncssh.SSHKey) -> Verdict:
        """Return what is known of `key`."""
        if any(entry.key == key for entry in self.revoked):
            return Verdict.REVOKED
        if any(entry.key == key for entry in (*self.keys, *self.elsewhere)):
            return Verdict.KNOWN
        return Verdict.CHANGED if self.keys else Verdict.UNKNOWN

    def algorithms(self, *, certificates: bool = True) -> list[str]:
        """Return the host key algorithms to offer: those of known keys first, so that a host with several shows a known one."""
        usual = get_default_public_key_algs()
        wanted = [name for entry in (*self.keys, *self.elsewhere) for name in entry.key.sig_algorithms if name in usual]
        signed = get_default_certificate_algs() if certificates and self.authorities else []
        return [name.decode() for name in dict.fromkeys([*signed, *wanted, *usual])]


class KnownHostsError(Exception):
    """A known_hosts file cannot be used; the text says which, where and why."""


def find(files: Sequence[Path], host: str, port: int) -> Known:
    """Return what `files` hold for a host; files that do not exist hold nothing. Blocks: call it in a thread.

    Raises:
        KnownHostsError: a file is there but cannot be read, or a marked line is broken (it may revoke a key).
    """
    known = Known()
    name = _name(host, port)
    for path in files:
        for number, text in _lines(path):
            _take(known, path, number, text, name, host.lower() if port != 22 else "")
    return known


def _name(host: str, port: int) -> str:
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        size = path.stat().st_size
        if size > FILE_LIMIT:
            raise KnownHostsError(f"{path} has {size} bytes, more than a known_hosts file should")
        data = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    except OSError as error:
        raise KnownHostsError(f"{path} cannot be read: {error.strerror or error}") from error
    for number, text in enumerate(data.split("\n"), 1):
        text = text.strip()
        if text and not text.startswith("#"):
            yield number, text


def _take(known: Known, path: Path, number: int, text: str, name: str, bare: str) -> None:
    marker, names, rest = "", *(*text.split(None, 1), "")[:2]
    if names.startswith("@"):
        marker, names, rest = names, *(*rest.split(None, 1), "")[:2]
    # Most lines are about other hosts, by plain names: they need not be parsed.
    if not any(sign in names for sign in "*?!|/") and not {name, bare} & set(names.lower().split(",")):
        return
    try:
        if marker and rest.split(None, 1)[:1] and rest.split(None, 1)[0].encode() in get_default_public_key_algs():
            asyncssh.import_public_key(rest)  # below, a key that is not understood would be passed over
        parsed = asyncssh.import_known_hosts(f"{marker} {names if '|' in names else names.lower()} {rest}".strip())
        keys, authorities, revoked, *_ = asyncssh.match_known_hosts(parsed, name, "", None)
        if not bare:
            elsewhere: Sequence[asyncssh.SSHKey] = ()
        else:
            elsewhere, more_authorities, more_revoked, *_ = asyncssh.match_known_hosts(parsed, bare, "", None)
            authorities = [*authorities, *(key for key in more_authorities if key not in authorities)]
            revoked = [*revoked, *(key for key in more_revoked if key not in revoked)]
    except (ValueError, UnicodeError) as error:
        if marker:
            raise KnownHostsError(f"{path} line {number} cannot be understood: {error}") from error
        return
    known.keys.extend(Entry(path, number, key) for key in keys)
    known.elsewhere.extend(Entry(path, number, key) for key in elsewhere if key not in keys)
    known.authorities.extend(Entry(path, number, key) for key in authorities)
    known.revoked.extend(Entry(path, number, key) for key in revoked)


def remember(path: Path, host: str, port: int, key: asyncssh.SSHKey) -> None:
    """Append a key to a known_hosts file; a new file is made 0600, its folder 0700. Blocks.

    Raises:
        KnownHostsError: it cannot be written.
    """
    blob = key.export_public_key("openssh").decode().split()
    entry = f"{_name(host, port)} {blob[0]} {blob[1]}\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                entry = f"\n{entry}"
            file.write(entry.encode())
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise KnownHostsError(f"{path} cannot be written: {error.strerror or error}") from error
