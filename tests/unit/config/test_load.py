import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.config.load import SIZE_LIMIT, ConfigError, load, load_or_none, read, read_text, render_key
from debugtui.config.models import THEMES, Config, HostConfig, PostgresConfig, UiConfig, secrets_of

DESIGN = Path(__file__).with_name("design.toml").read_text()
HIDDEN = "hunter2secret"


def issues(text):
    with pytest.raises(ConfigError) as caught:
        read_text(text, Path("config.toml"))
    return caught.value.issues


def one(text):
    found = issues(text)
    assert len(found) == 1, found
    return found[0]


def host(**keys):
    rows = "".join(f"{key} = {value}\n" for key, value in ({"name": '"a"', "address": '"local"'} | keys).items())
    return f"[[hosts]]\n{rows}"


def test_the_documented_configuration_is_accepted():
    config = read_text(DESIGN, Path("/etc/debugtui/config.toml")).config
    kvm = config.hosts[0]
    assert (kvm.name, kvm.libvirt, kvm.docker) == ("kvm-01", "qemu:///system", "unix:///var/run/docker.sock")
    assert kvm.identity == Path("~/.ssh/id_ed25519").expanduser()
    assert kvm.postgres[0].password is not None
    assert kvm.postgres[0].password.env == "COACH_MONITOR_PASSWORD"
    assert kvm.web[0].expect.body == "Coach"
    assert (config.backups.rpo, config.backups.rto) == (3600, 14400)
    assert config.prometheus[0].via == "kvm-01"
    assert [level.within for level in config.escalation.levels] == [300, 900, 1800, 3600]
    assert len(list(secrets_of(config))) == 4


def test_an_empty_configuration_has_defaults():
    config = read_text("", Path("c")).config
    assert config == Config()
    assert config.ui == UiConfig(theme="rampart-dark", language="en", refresh=2.0, keys={}, mouse=True)


def test_an_unknown_key_is_named_with_its_line_and_the_nearest():
    issue = one('# first\n[[hosts]]\nname = "a"\nadress = "local"\n')
    assert str(issue) == 'config.toml:4: hosts[0].adress: unknown key; did you mean "address"?'


def test_every_error_is_said_at_once():
    text = (
        "them = 1\n[ui]\nrefresh = 100\nmouse = 1\n[[hosts]]\nname = 'a'\naddress = 'local'\n[[hosts]]\nname = 'a'\n"
        "address = 5\n[[loki]]\nname = 'l'\nurl = 'http://x'\nvia = 'kvm'\n"
    )
    assert [(issue.line, issue.key) for issue in issues(text)] == [
        (1, "them"),
        (3, "ui.refresh"),
        (4, "ui.mouse"),
        (9, "hosts[1].name"),
        (10, "hosts[1].address"),
        (14, "loki[0].via"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "says", "nearest"),
    [
        ("[[hosts]]\nname = 'a'\n", 1, "hosts[0].address", "missing", None),
        ("[hosts]\nname = 'a'\n", 1, "hosts", "write [[hosts]]", None),
        ("[[ui]]\n", 1, "ui", "write [ui]", None),
        ("[ui]\ntheme = 'rampart-drak'\n", 2, "ui.theme", "unknown theme", "rampart-dark"),
        ("[ui]\nlanguage = 'english'\n", 2, "ui.language", "must be en or fr", None),
        ("[[groq]]\nname = 'g'\nprobe = 'model'\n", 3, "groq[0].probe", "models or completion", "models"),
        ("[[groq]]\nname = 'g'\nprobe = 'completion'\n", 3, "groq[0].probe", "needs a model", None),
        ("theme = 'x'\n", 1, "theme", "belongs in [ui]", None),
        ("[ui]\nrefresh = '2 sec'\n", 2, "ui.refresh", "must be a duration", None),
        ("[ui]\nrefresh = nan\n", 2, "ui.refresh", "duration", None),
        ("[ui]\nrefresh = true\n", 2, "ui.refresh", "duration", None),
        ("[ui]\nrefresh = '100ms'\n", 2, "ui.refresh", "at least 0.5", None),
        (host(name='"a/b"'), 2, "hosts[0].name", "slash", None),
        (host(name='""'), 2, "hosts[0].name", "empty", None),
        (host(libvirt="true"), 4, "hosts[0].libvirt", "true names nothing", None),
        (host(libvirt='"qemu+ssh://x/system"'), 4, "hosts[0].libvirt", "own link", None),
        (host(libvirt='"qemu+unix:///session"'), 4, "hosts[0].libvirt", "must be qemu", None),
        (host(docker='"tcp://1.2.3.4:2375"'), 4, "hosts[0].docker", "own link", None),
        (host(docker='"docker.sock"'), 4, "hosts[0].docker", "unix:///path", None),
        (host(address='"http://x"'), 3, "hosts[0].address", "only ssh", None),
        (host(address='"ssh://x:99999"'), 3, "hosts[0].address", "port", None),
        (host(address='"-oProxyCommand=x"'), 3, "hosts[0].address", "alias", None),
        (host(address='"ssh://-oProxyCommand"'), 3, "hosts[0].address", "host cannot be read", None),
        (host(address='"ops@kvm"'), 3, "hosts[0].address", "write ssh://USER@HOST", None),
        (host(jump='"local"'), 4, "hosts[0].jump", "a jump is", None),
        ("[[services]]\nname = 's'\nresources = ['a/docker/b', 'x']\n", 3, "services[0].resources[1]", "HOST/KIND/NAME", None),
        (
            "[escalation]\nlevels = [{name='1', within='15m'},\n {name='2', within='5m'}]\n",
            3,
            "escalation.levels[1].within",
            "longer",
            None,
        ),
        (
            host(web='[{name="w", url="http://x", expect={status=99}}]'),
            4,
            "hosts[0].web[0].expect.status",
            "at least 100",
            None,
        ),
        (host(web='[{name="w", url="ftp://x"}]'), 4, "hosts[0].web[0].url", "must be a URL", None),
        (host(web='[{name="w", url="http://x", nginx="etc"}]'), 4, "hosts[0].web[0].nginx", "absolute path", None),
    ],
)
def test_one_error(text, line, key, says, nearest):
    issue = one(text)
    assert (issue.line, issue.key, issue.nearest) == (line, key, nearest)
    assert says in issue.says


@pytest.mark.parametrize(
    "line",
    [
        f'dsn = "postgresql://u:{HIDDEN}@h/d"',
        f'dsn = "postgresql://u:a/{HIDDEN}@h/d"',
        f'dsn = "postgresql://u@h/d?password={HIDDEN}"',
        f'dsn = "postgresql://u@h/d?p%61ssword={HIDDEN}"',
        f'dsn = "host=h password={HIDDEN}"',
        f'dsn = "postgresql://u:{HIDDEN}?x@h/d"',
        f'dsn = "mysql://{HIDDEN}"',
        f'dsn = "postgresql:///d"\npassword = "{HIDDEN}"',
        f'dsn = "postgresql:///d"\npassword = {{env = "{HIDDEN} 1"}}',
        f'dsn = "postgresql:///d"\npassword = {{value = "{HIDDEN}"}}',
        f'dsn = "postgresql:///d"\npassword = {{keyring = "{HIDDEN}"}}',
        f'dsn = "postgresql:///d"\npassword = {{command = "pass \'{HIDDEN}"}}',
        f'dsn = "postgresql:///d"\npassword = {{ask = "{HIDDEN}"}}',
    ],
)
def test_a_password_in_the_wrong_place_is_an_error_that_does_not_repeat_it(line):
    found = issues(f'{host()}[[hosts.postgres]]\nname = "d"\n{line}\n')
    assert len(found) == 1
    assert HIDDEN not in str(found[0])
    assert found[0].line in (6, 7)


@pytest.mark.parametrize("address", [f"ssh://ops:{HIDDEN}@h", f"ops:{HIDDEN}@h", f"ssh://ops:a/{HIDDEN}@h:22"])
def test_a_password_inside_an_address_points_to_where_secrets_belong(address):
    issue = one(host(address=f'"{address}"'))
    assert 'password = {env = "NAME"}' in issue.says
    assert HIDDEN not in str(issue)


def test_no_exception_on_the_way_holds_a_password():
    with pytest.raises(ConfigError) as caught:
        read_text(host(address=f'"ssh://ops:{HIDDEN}@h"'), Path("c"))
    import traceback

    assert HIDDEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("local", True),
        ("kvm-01", True),
        ("ssh://h", True),
        ("ssh://o@[::1]:22", True),
        ("ssh://a@b@h", True),
        ("ssh://", False),
        ("", False),
        ("ssh://h/x", False),
        ("ssh://h:0", False),
        ("a b", False),
    ],
)
def test_addresses(address, good):
    try:
        assert HostConfig(name="a", address=address).address == address
    except ValueError:
        assert not good
    else:
        assert good


def test_switches_and_places_of_sources():
    config = read_text(host(libvirt="false", docker='"/run/x.sock"'), Path("c")).config
    assert (config.hosts[0].libvirt, config.hosts[0].docker) == (False, "unix:///run/x.sock")
    plain = read_text(host(), Path("c")).config.hosts[0]
    assert (plain.libvirt, plain.docker, plain.system) == (None, None, True)
    for uri in ("qemu:///session", "qemu+unix:///session?socket=/tmp/s", "test:///default", "test:///path/x.xml"):
        assert HostConfig(name="a", address="local", libvirt=uri).libvirt == uri


@pytest.mark.parametrize(
    "dsn",
    ["postgresql:///d", "postgres://u@h:5433/d", "postgresql://u@/d?host=/var/run&port=5433", "postgresql://u@h1:1,h2:2/d"],
)
def test_sound_dsns(dsn):
    assert PostgresConfig(name="d", dsn=dsn).dsn == dsn


def test_paths_are_relative_to_the_file(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text(host(identity='"keys/id"', known_hosts='"~/k"'))
    found = load(file).hosts[0]
    assert found.identity == tmp_path / "keys/id"
    assert found.known_hosts == Path.home() / "k"


def test_models_made_by_hand_are_checked_too():
    one_host = HostConfig(name="a", address="local")
    with pytest.raises(ValueError, match="has this name already"):
        Config(hosts=(one_host, one_host))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = \n", 2),
        ("a = 1\na = 2\n", 2),
        ("[a\n", 1),
        ("x = 1\ny = [1,\n", 2),
        ("a = " + "[" * 5000, 1),
        ("a = " + "9" * 5000, 1),
    ],
)
def test_a_syntax_error_has_its_line(text, line):
    issue = one(text)
    assert issue.line in (line, None)
    assert "TOML" in issue.says or "nested" in issue.says


def test_files_that_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_or_none() is None
    with pytest.raises(ConfigError, match="config init"):
        load()
    with pytest.raises(ConfigError, match="no such file"):
        load_or_none(tmp_path / "named.toml")
    with pytest.raises(ConfigError, match="regular file"):
        load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="regular file"):
        load(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="impossible name"):
        load(Path("a\0b"))
    large = tmp_path / "large"
    large.write_text("#" * (SIZE_LIMIT + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load(large)
    binary = tmp_path / "binary"
    binary.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError, match=":2: is not UTF-8"):
        load(binary)
    (tmp_path / "debugtui").mkdir()
    (tmp_path / "debugtui/config.toml").write_bytes(b"\xef\xbb\xbf" + host().encode())
    assert load_or_none() == load()


def test_a_file_that_others_may_write_is_warned_of(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("")
    file.chmod(0o644)
    assert read(file).warnings == ()
    file.chmod(0o664)
    assert "others may write" in str(read(file).warnings[0])


def test_hostile_keys_are_made_visible():
    (issue,) = issues('"\\u001b]52;c;x\\u0007" = 1\n')
    assert "\x1b" not in str(issue)
    assert render_key(("hosts", 0, "a b", "c")) == 'hosts[0]."a b".c'


def test_the_number_of_issues_is_bounded():
    found = issues("\n".join(f"k{number} = 1" for number in range(500)))
    assert len(found) == 101
    assert "400 more" in found[-1].says


def test_the_themes_are_those_that_exist():
    from debugtui.themes import palettes

    names = set(re.findall(r'"(rampart-[a-z]+)"', Path(palettes.__file__).read_text()))
    assert names == set(THEMES)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ui", "hosts", "name", "address", "postgres", "dsn", "password", "env", "via", "loki", "keys"]),
            inner,
            max_size=4,
        )
    ),
)


@given(st.dictionaries(st.sampled_from([*Config.model_fields, "x"]), json_like, max_size=5))
def test_any_data_is_either_a_configuration_or_refused_in_words(data):
    from unittest import mock

    with mock.patch("debugtui.config.load.tomllib.loads", return_value=data):
        try:
            read_text("", Path("c"))
        except ConfigError as error:
            found = error.issues
        else:
            return
    assert found
    assert all(issue.says and issue.key and issue.says != "is not valid" for issue in found)
