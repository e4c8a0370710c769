"""known_hosts files: what they say of a key, and how a key is added."""

from __future__ import annotations

import stat
import subprocess
from functools import cache
from pathlib import Path

import asyncssh
import pytest

from debugtui.hosts import hostkeys
from debugtui.hosts.hostkeys import KnownHostsError, Verdict, find


def key(name: str, kind: str = "ssh-ed25519") -> asyncssh.SSHKey:
    return _key(name, kind)


@cache
def _key(name: str, kind: str) -> asyncssh.SSHKey:
    return asyncssh.generate_private_key(kind, comment=name).convert_to_public()


def text(name: str, kind: str = "ssh-ed25519") -> str:
    return " ".join(key(name, kind).export_public_key().decode().split()[:2])


def judge(path: Path, name: str, host: str = "web", port: int = 22, kind: str = "ssh-ed25519") -> Verdict:
    return find([path], host, port).judge(key(name, kind))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def test_missing_file_knows_nothing(file: Path) -> None:
    assert judge(file, "a") is Verdict.UNKNOWN


@pytest.mark.parametrize("names", ["web", "WEB", "db,web", "w*", "*,!db", "other,w?b"])
def test_names(file: Path, names: str) -> None:
    file.write_text(f"\n# comment\n{names} {text('a')} a comment\n")
    assert judge(file, "a") is Verdict.KNOWN
    assert judge(file, "b") is Verdict.CHANGED
    assert judge(file, "a", host="db2") is (Verdict.KNOWN if names == "*,!db" else Verdict.UNKNOWN)
    [entry] = find([file], "web", 22).keys
    assert entry.where == f"{file} line 3"


def test_ports(file: Path) -> None:
    file.write_text(f"[web]:2222 {text('a')}\nweb {text('b')}\n")
    assert judge(file, "a", port=2222) is Verdict.KNOWN
    assert judge(file, "a", port=22) is Verdict.CHANGED
    # As ssh does: the key of the name without a port is trusted for other ports; another key is unknown there, not changed.
    assert judge(file, "b", port=2022) is Verdict.KNOWN
    assert judge(file, "a", port=2022) is Verdict.UNKNOWN


def test_networks(file: Path) -> None:
    file.write_text(f"10.0.0.0/24 {text('a')}\n")
    assert judge(file, "a", host="10.0.0.7") is Verdict.KNOWN
    assert judge(file, "a", host="10.0.1.7") is Verdict.UNKNOWN


def test_revoked_wins(file: Path) -> None:
    file.write_text(f"web {text('a')}\n@revoked * {text('a')}\n")
    assert judge(file, "a") is Verdict.REVOKED
    assert judge(file, "a", port=2222) is Verdict.REVOKED


def test_known_kinds_are_asked_for_first(file: Path) -> None:
    file.write_text(f"web {text('a', 'ecdsa-sha2-nistp256')}\n")
    known = find([file], "web", 22)
    assert known.algorithms()[0] == "ecdsa-sha2-nistp256"
    assert "ssh-ed25519" in known.algorithms()
    assert not any("cert" in name for name in known.algorithms())
    file.write_text(f"@cert-authority web {text('a')}\n")
    assert "cert" in find([file], "web", 22).algorithms()[0]
    assert not any("cert" in name for name in find([file], "web", 22).algorithms(certificates=False))


def test_broken_lines(file: Path) -> None:
    file.write_bytes(b"web\nweb ssh-ed25519\n|1|x web\n\xff\xfe x\n" + f"web {text('a')}\n".encode())
    assert judge(file, "a") is Verdict.KNOWN
    # A broken line that may revoke the key is another matter.
    for broken in ("@revoked |1|broken", "@revoked *", "@revoked web"):
        file.write_text(f"{broken} ssh-ed25519 AAAA\n")
        with pytest.raises(KnownHostsError, match="line 1"):
            judge(file, "a")
    file.write_text("@revoked * of-the-future AAAA\n")
    assert judge(file, "a") is Verdict.UNKNOWN


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(KnownHostsError, match="cannot be read"):
        judge(tmp_path, "a")


def test_remember(tmp_path: Path) -> None:
    file = tmp_path / "new" / "known_hosts"
    hostkeys.remember(file, "Web", 22, key("a"))
    hostkeys.remember(file, "web", 2222, key("b"))
    assert file.read_text() == f"web {text('a')}\n[web]:2222 {text('b')}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert judge(file, "b", port=2222) is Verdict.KNOWN
    # A last line without its end is not glued to the new one, and an existing file keeps its mode.
    file.write_text(f"web {text('a')}")
    file.chmod(0o644)
    hostkeys.remember(file, "db", 22, key("c"))
    assert file.read_text() == f"web {text('a')}\ndb {text('c')}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert subprocess.run(["ssh-keygen", "-F", "db", "-f", file], capture_output=True).returncode == 0


def test_remember_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KnownHostsError, match="cannot be written"):
        hostkeys.remember(tmp_path / "file" / "known_hosts", "web", 22, key("a"))


def test_a_large_file_is_quick(file: Path) -> None:
    import time

    rest = text("a")
    file.write_text("".join(f"host{number},10.1.{number // 250}.{number % 250} {rest}\n" for number in range(20_000)))
    begun = time.monotonic()
    assert judge(file, "a", host="host19999") is Verdict.KNOWN
    assert time.monotonic() - begun < 2
