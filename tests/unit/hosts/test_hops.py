"""Addresses and ssh's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from debugtui.hosts.hops import Destination, Plan, parse_destination, resolve
from debugtui.hosts.link import LinkError


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("kvm-01", Destination("kvm-01")),
        ("ops@kvm-01", Destination("kvm-01", "ops")),
        ("kvm-01:2222", Destination("kvm-01", "", 2222)),
        ("ssh://ops@kvm-01.example.org:22", Destination("kvm-01.example.org", "ops", 22)),
        ("ssh://kvm-01/", Destination("kvm-01")),
        ("ssh://o%40d@kvm-01", None),
        ("ssh://a%2Eb@kvm-01", Destination("kvm-01", "a.b")),
        ("ssh://[2001:db8::1]:2222", Destination("2001:db8::1", "", 2222)),
        ("2001:db8::1", Destination("2001:db8::1")),
        ("[fe80::1%eth0]", Destination("fe80::1%eth0")),
        ("", None),
        ("ssh://", None),
        ("@host", None),
        ("host:0", None),
        ("host:65536", None),
        ("host:ssh", None),
        ("host:²", None),
        ("-oProxyCommand=reboot", None),
        ("-x@host", None),
        ("a b", None),
        ("a\nb", None),
        ("a,b", None),
        ("*", None),
        ("[::1", None),
        ("[::1]22", None),
    ],
)
def test_destination(text: str, wanted: Destination | None) -> None:
    if wanted is None:
        with pytest.raises(ValueError, match=r"host|IPv6"):
            parse_destination(text)
    else:
        assert parse_destination(text) == wanted


def config(tmp_path: Path, text: str) -> tuple[Path, ...]:
    path = tmp_path / "config"
    path.write_text(text)
    return (path,)


def test_everything_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    files = config(
        tmp_path,
        "Host prod\n HostName 10.0.0.5\n User ops\n Port 2222\n IdentityFile ~/.ssh/prod\n HostKeyAlias Prod-Key\n"
        " UserKnownHostsFile ~/.ssh/prod_hosts\n IdentitiesOnly yes\n IdentityAgent none\n ProxyJump b1,root@b2:2022\n"
        "Host b1\n ProxyJump b0\nHost b*\n User jumper\n",
    )
    *jumps, target = resolve(Plan("kvm-01", "prod", ssh_config=files))
    assert [(hop.name, hop.user, hop.host, hop.port) for hop in jumps] == [
        ("b0", "jumper", "b0", 22),
        ("b1", "jumper", "b1", 22),
        ("root@b2:2022", "root", "b2", 2022),
    ]
    assert (target.host, target.port, target.user) == ("10.0.0.5", 2222, "ops")
    assert (target.known_as, target.known_port) == ("prod-key", 22)
    assert target.identities == (Path("/home/ops/.ssh/prod"),)
    assert target.user_files == (Path("/home/ops/.ssh/prod_hosts"),)
    assert target.system_files == (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
    assert target.named
    assert target.only
    assert target.agent == ""
    assert str(target) == "kvm-01 (ops@10.0.0.5:2222)"
    assert str(jumps[0]) == "jump host b0 (jumper@b0:22) on the way to kvm-01"


def test_what_the_operator_says_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    files = config(tmp_path, "Host b\n IdentityFile /keys/b\nHost *\n Port 2222\n User nobody\n ProxyJump elsewhere\n")
    plan = Plan("kvm-01", "ssh://ops@h:22", Path("/keys/mine"), Path("/kh"), "b", files)
    # A jump host's own ProxyJump counts too.
    assert [hop.name for hop in resolve(Plan("x", "h", jump="none", ssh_config=files))] == ["x"]
    files = config(
        tmp_path, "Host b\n IdentityFile /keys/b\n ProxyJump none\nHost *\n Port 2222\n User nobody\n ProxyJump elsewhere\n"
    )
    jump, target = resolve(plan)
    assert (target.port, target.user, target.identities) == (22, "ops", (Path("/keys/mine"),))
    assert jump.identities == (Path("/keys/b"),)
    assert jump.user_files == target.user_files == (Path("/kh"),)
    assert jump.system_files == ()
    assert target.agent == "/run/agent"


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ops")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    [hop] = resolve(Plan("kvm-01", "h"))
    assert hop.identities[0] == Path("/home/ops/.ssh/id_ed25519")
    assert not hop.named
    assert hop.user_files[0] == Path("/home/ops/.ssh/known_hosts")
    assert hop.agent == ""


def test_no_known_hosts_file(tmp_path: Path) -> None:
    [hop] = resolve(Plan("k", "h", ssh_config=config(tmp_path, "UserKnownHostsFile /dev/null\nGlobalKnownHostsFile none\n")))
    assert (hop.user_files, hop.system_files) == ((), ())


@pytest.mark.parametrize("text", ["Port many\n", "Host 'x\n"])
def test_broken_configuration(tmp_path: Path, text: str) -> None:
    with pytest.raises(LinkError) as caught:
        resolve(Plan("k", "h", ssh_config=config(tmp_path, text)))
    assert caught.value.refused
    assert "line 1" in caught.value.problem.says


def test_circle(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="circle"):
        resolve(Plan("k", "a", ssh_config=config(tmp_path, "Host a\n ProxyJump b\nHost b\n ProxyJump a\n")))
