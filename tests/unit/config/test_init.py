import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.config import paths
from debugtui.config.discover import Found, FoundPostgres, discover_local
from debugtui.config.init import add_host, append_host, render_host, render_initial, toml_text, write_config
from debugtui.config.load import ConfigError, load, read_text
from debugtui.config.models import HostConfig
from debugtui.config.ssh_hosts import SshAlias, ssh_aliases

FOUND = Found(
    "qemu:///system", "unix:///var/run/docker.sock", (FoundPostgres("/var/run/postgresql", 5432), FoundPostgres("/tmp", 5433))
)
FULL = HostConfig.model_validate(
    {
        "name": "kvm-01", "address": "ssh://o@h:22", "identity": "/k/id", "jump": "gate", "libvirt": False,
        "docker": "/run/d.sock", "system": False,
        "postgres": [{"name": 'a "b"', "dsn": "postgresql:///d", "password": {"command": "pass 'x y'"},
                      "backups": [{"kind": "dump", "path": "/b/*"}]}],
        "web": [{"name": "w", "url": "http://x/", "expect": {"status": 204, "body": "é\n"}, "chrome": True}],
    }
)  # fmt: skip


def test_a_first_configuration_loads_with_what_was_found():
    aliases = [
        SshAlias("web-01", "10.0.0.1", "ops"),
        SshAlias("gh", "github.com", "git"),
        SshAlias("local", "x"),
        SshAlias("a b", "c"),
    ]
    config = read_text(render_initial(aliases, FOUND), Path("c")).config
    assert [host.name for host in config.hosts] == ["local", "web-01"]
    assert config.hosts[0].libvirt == "qemu:///system"
    assert [(row.name, row.dsn) for row in config.hosts[0].postgres] == [
        ("postgres-5432", "postgresql:///postgres?host=/var/run/postgresql&port=5432"),
        ("postgres-5433", "postgresql:///postgres?host=/tmp&port=5433"),
    ]
    nothing = read_text(render_initial([], Found()), Path("c")).config
    assert [host.address for host in nothing.hosts] == ["local"]


def test_its_commented_example_loads_too():
    text = render_initial([], Found())
    example = text[text.index("# [[hosts]]") :].replace("\n# ", "\n").removeprefix("# ")
    assert read_text(example, Path("c")).config.hosts[0].postgres[0].name == "coach"
    keys = text.replace("# [ui.keys]", "[ui.keys]").replace('# "app.pause"', '"app.pause"')
    assert "app.pause" in read_text(keys, Path("c")).config.ui.keys


hostile = st.text(max_size=20) | st.sampled_from(
    ['a"\nb = 1', "a\n[ui]\n", "\x1b]52;c;x\x07", "\u2028x", "-oProxy", "a/b", "'''"]
)


@given(
    st.lists(
        st.builds(SshAlias, hostile, hostile, hostile, st.integers(0, 65535)), max_size=4, unique_by=lambda alias: alias.name
    )
)
def test_hostile_names_stay_comments_or_text(aliases):
    text = render_initial(aliases, FOUND)
    config = read_text(text, Path("c")).config
    assert {host.name for host in config.hosts} <= {alias.name for alias in aliases} | {"local"}
    assert "\x1b" not in text


@given(st.text(st.characters(blacklist_categories=("Cs",))))
def test_any_text_is_written_as_toml(text):
    import tomllib

    assert tomllib.loads(f"x = {toml_text(text)}") == {"x": text}


def test_a_host_is_written_as_it_is_read():
    assert read_text(render_host(FULL), Path("/c")).config.hosts == (FULL,)


def test_appending_keeps_what_stands_there(tmp_path):
    file = tmp_path / "new" / "config.toml"
    append_host(file, HostConfig(name="a", address="local"))
    file.write_text(file.read_text() + "# mine, without a newline")
    append_host(file, FULL)
    assert "# mine, without a newline\n" in file.read_text()
    assert [host.name for host in load(file).hosts] == ["a", "kvm-01"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == ["config.toml"]


@pytest.mark.parametrize("text", ["[[hosts]]\nname = 'kvm-01'\naddress = 'local'\n", "hosts = []\n", "x = [", "oops = 1\n"])
def test_nothing_is_written_that_would_not_load(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        append_host(file, FULL)
    assert file.read_text() == text
    assert os.listdir(tmp_path) == ["config.toml"]


def test_a_symbolic_link_stays_one(tmp_path):
    real = tmp_path / "dotfiles.toml"
    real.write_text("")
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    add_host(link, "web-01")
    assert link.is_symlink()
    assert load(real).hosts[0].address == "web-01"


def test_a_host_is_added_by_its_address_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    add_host(None, "local")
    add_host(None, "ssh://ops@kvm-01:22")
    add_host(None, "kvm-01")
    assert [(host.name, host.address) for host in load().hosts] == [
        ("local", "local"), ("kvm-01", "ssh://ops@kvm-01:22"), ("kvm-01-2", "kvm-01"),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="there already"):
        add_host(None, "local")
    with pytest.raises(ConfigError, match="password = ") as caught:
        add_host(None, "ssh://ops:hunter2@x")
    assert "hunter2" not in str(caught.value)


def test_writing_without_replacing(tmp_path):
    file = tmp_path / "c.toml"
    write_config(file, "a", replace=False)
    with pytest.raises(FileExistsError):
        write_config(file, "b", replace=False)
    assert file.read_text() == "a"
    assert os.listdir(tmp_path) == ["c.toml"]


def listen(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    return server


def test_sockets_of_this_machine_are_found(tmp_path):
    assert discover_local(tmp_path, tmp_path / "run") == Found()
    made = [
        listen(tmp_path / "var/run/libvirt/libvirt-sock"),
        listen(tmp_path / "var/run/postgresql/.s.PGSQL.5433"),
        listen(tmp_path / "tmp/.s.PGSQL.5432"),
        listen(tmp_path / "run/docker.sock"),
    ]
    (tmp_path / "tmp/.s.PGSQL.1234").touch()
    for server in made:
        server.close()
    found = discover_local(tmp_path, tmp_path / "run")
    assert found.libvirt == "qemu:///system"
    assert found.docker == f"unix://{tmp_path}/run/docker.sock"
    assert found.postgres == (FoundPostgres("/tmp", 5432), FoundPostgres("/var/run/postgresql", 5433))


def test_directories_are_private(tmp_path, monkeypatch):
    for name in ("STATE", "CACHE", "CONFIG", "RUNTIME"):
        monkeypatch.setenv(f"XDG_{name}_HOME" if name != "RUNTIME" else "XDG_RUNTIME_DIR", str(tmp_path / name))
    (tmp_path / "RUNTIME").mkdir(mode=0o700)
    assert paths.config_file() == tmp_path / "CONFIG/debugtui/config.toml"
    for make in (paths.state_dir, paths.log_dir, paths.copy_dir, paths.cache_dir, paths.runtime_dir):
        assert stat.S_IMODE(make().stat().st_mode) == 0o700
        assert make().is_relative_to(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        paths.private_dir(tmp_path / "file")
    assert paths.runtime_dir() == tmp_path / "RUNTIME/debugtui"
    (tmp_path / "RUNTIME").chmod(0o755)  # others may look in: not for sockets
    assert paths.runtime_dir() == tmp_path / "CACHE/debugtui/run"


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "config"


def test_hosts_of_ssh(tmp_path):
    file = write(
        tmp_path,
        config="Include conf.d/*\nHost *\n  User deploy\nHost web-01 *.lab !x.lab\n HostName=10.0.0.1 # there\n User late\n"
        'Host "db one" x.lab\n hostname %h.example.org\n Port 2222\nMatch exec "true"\n Port 1\nHost bad\'\n',
        conf__d="",
    )
    (tmp_path / "conf__d").unlink(missing_ok=True)
    write(tmp_path, **{"conf.d__a": "Host early\n  User root\n  Port 99999\n"})
    assert ssh_aliases(file) == [
        SshAlias("early", "early", "root"),
        SshAlias("web-01", "10.0.0.1", "deploy"),
        SshAlias("db one", "db one.example.org", "deploy", 2222),
        SshAlias("x.lab", "x.lab.example.org", "deploy", 2222),
    ]
    assert ssh_aliases(tmp_path / "absent") == []


def test_an_include_without_end_ends(tmp_path):
    file = write(tmp_path, config="Host a\nInclude config config\nHost b\n")
    assert [alias.name for alias in ssh_aliases(file)] == ["a", "b"]


def test_many_names_are_bounded(tmp_path):
    file = write(tmp_path, config="\n".join(f"Host h{number}" for number in range(2000)))
    assert len(ssh_aliases(file)) == 500


@given(st.text(st.sampled_from("Hostname Include*?!'\"\\#=\n\t 12\x00\x1b/~")) | st.binary())
def test_any_ssh_configuration_is_read_or_passed_over(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("ssh") / "config"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for alias in ssh_aliases(file):
        assert alias.name.isprintable() or not alias.name.isascii()
