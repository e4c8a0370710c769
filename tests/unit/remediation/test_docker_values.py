"""Containers in numbers and words, without an engine: sizes, policies, likeness, secrets, figures, rendered compose files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from debugtui.config.redaction import forget_all
from debugtui.remediation.base import PlanError
from debugtui.remediation.catalogue.docker.cgroup import parse_cpu_max, parse_used
from debugtui.remediation.catalogue.docker.common import Box, policy_text, size_text
from debugtui.remediation.catalogue.docker.compose_project import parse_rendered
from debugtui.remediation.catalogue.docker.environment import is_secret, merged, resolve, shown, wanted
from debugtui.remediation.catalogue.docker.likeness import likeness
from debugtui.remediation.catalogue.docker.limit_values import change_of, parse_cpus, parse_size, text_of
from debugtui.remediation.catalogue.docker.policy import parse_policy
from debugtui.remediation.catalogue.docker.requests import shown as request
from debugtui.remediation.catalogue.docker.revert import revert
from debugtui.remediation.catalogue.docker.seal import key_of, seal_of, sealed

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
MIB = 1 << 20
ID = "40d4eb3ad61c15c6fde832ecb5b2242ae91a159bd067009f3d0d1c9beef5897d"


def box(**changes: Any) -> Box:
    """A container that runs; `changes` by part of the inspect answer."""
    document: dict[str, Any] = {
        "Id": ID,
        "Name": "/api",
        "Created": "2026-03-01T09:00:00.123456789Z",
        "Image": "sha256:aa",
        "RestartCount": 0,
        "State": {"Status": "running", "Running": True, "StartedAt": "2026-03-14T08:59:00Z"},
        "Config": {"Image": "shop/api:1", "Env": [], "Labels": {}},
        "HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}, "NetworkMode": "shop"},
        "Mounts": [],
        "NetworkSettings": {"Networks": {}},
    }
    for name, value in changes.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) else value
    return Box(document, NOW)


@pytest.mark.parametrize(("text", "size"), [("512m", 512 * MIB), ("2g", 2 << 30), ("64MiB", 64 * MIB), ("7", 7), ("1kb", 1024)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse_size(text_of(size)) == size


@pytest.mark.parametrize("text", ["", "m", "1.5g", "-1", "lots", "1t", "0x10", "٣m"])
def test_texts_that_are_no_size(text: str) -> None:
    if text == "٣m":
        assert parse_size(text) == 3 * MIB
        return
    with pytest.raises(PlanError):
        parse_size(text)


def test_processors() -> None:
    assert parse_cpus("1.5") == 1_500_000_000
    for text in ("", "0", "-2", "inf", "nan", "two", "99999"):
        with pytest.raises(PlanError):
            parse_cpus(text)


@pytest.mark.parametrize(
    ("memory", "swap", "wanted_swap"),
    [(64, 128, 256 + 64), (64, 64, 256), (64, -1, -1), (0, 0, 512)],
)
def test_swap_keeps_its_amount(memory: int, swap: int, wanted_swap: int) -> None:
    both = swap if swap == -1 else swap * MIB
    one = box(HostConfig={"Memory": memory * MIB, "MemorySwap": both})
    change = change_of(one, {"memory": "256m"}, {"NCPU": 2})
    assert change.after == {"Memory": 256 * MIB, "MemorySwap": wanted_swap if wanted_swap == -1 else wanted_swap * MIB}
    assert change.first == (memory == 0)
    assert change.back == ({} if memory == 0 else {"Memory": memory * MIB, "MemorySwap": both})


def test_lower_is_told_from_higher_and_from_first() -> None:
    one = box(HostConfig={"Memory": 512 * MIB, "MemorySwap": -1, "NanoCpus": 2_000_000_000})
    lower = change_of(one, {"memory": "256m", "cpus": "1"}, {"NCPU": 4})
    assert (lower.lower_memory, lower.lower_cpus, lower.first) == (True, True, False)
    first = change_of(box(), {"cpus": "1"}, {"NCPU": 4})
    assert (first.lower_cpus, first.first, first.back) == (False, True, {})


def test_policies() -> None:
    assert parse_policy("on-failure:3") == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert policy_text(parse_policy("on-failure")) == "on-failure"
    assert policy_text({"Name": "", "MaximumRetryCount": 0}) == "no"
    for text in ("", "always:3", "on-failure:-1", "on-failure:x", "No"):
        with pytest.raises(PlanError):
            parse_policy(text)


def test_looping_and_failing() -> None:
    assert not box().looping
    assert box(RestartCount=1).looping
    assert not box(RestartCount=1, HostConfig={"RestartPolicy": {"Name": "no"}}).looping
    early = (NOW - timedelta(minutes=11)).isoformat()
    assert not box(RestartCount=9, State={"StartedAt": early}).looping  # it has held for long
    assert box(State={"Status": "restarting", "Restarting": True}).failing
    assert box(State={"Status": "exited", "Running": False}).failing == "it does not run (exited)"
    assert "health" in box(State={"Health": {"Status": "unhealthy"}}).failing
    assert box(RestartCount=1).identity() == box(RestartCount=7, State={"StartedAt": "2026-03-14T08:59:59Z"}).identity()
    assert box().identity() != box(State={"StartedAt": "2026-03-14T08:59:00.000001Z"}).identity()


def test_how_long_it_is_watched() -> None:
    check = {"Test": ["CMD", "true"], "Interval": 40_000_000_000, "StartPeriod": 30_000_000_000}
    assert box().watch_s == 60
    assert box(Config={"Healthcheck": check}).watch_s == 150
    assert box(Config={"Healthcheck": {"Test": ["NONE"]}}).watch_s == 60


def test_a_container_shows_no_secret_of_itself() -> None:
    one = box(Config={"Env": ["DB_PASSWORD=hunter2secret"]})
    assert "hunter2secret" not in repr(one)
    assert "hunter2secret" not in repr(likeness(one, {}, "shop/api:2", {}, {}))


def like(one: Box, image: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return likeness(
        one, image or {}, "shop/api:2", more.get("env", {}), {"debugtui.plan": "pln"}, more.get("api", (1, 41))
    ).body


@pytest.mark.parametrize(
    ("ours", "image", "said"),
    [
        ((None, ["run"]), (None, ["run"]), {}),
        ((["e"], ["run"]), (["e"], ["run"]), {}),
        ((["e"], ["other"]), (["e"], ["run"]), {"Cmd": ["other"]}),
        ((["mine"], None), (["e"], ["run"]), {"Entrypoint": ["mine"], "Cmd": None}),
        ((["mine"], ["run"]), (["e"], ["run"]), {"Entrypoint": ["mine"], "Cmd": ["run"]}),
    ],
)
def test_commands_are_said_only_where_they_are_not_the_images(ours: Any, image: Any, said: dict[str, Any]) -> None:
    body = like(box(Config={"Entrypoint": ours[0], "Cmd": ours[1]}), {"Entrypoint": image[0], "Cmd": image[1]})
    assert {key: body[key] for key in ("Entrypoint", "Cmd") if key in body} == said


def test_what_the_image_gave_is_left_to_the_new_image() -> None:
    config = {
        "User": "app", "WorkingDir": "/app", "Env": ["PATH=/bin", "MODE=blue", "OWN=1"], "Labels": {"a": "1", "own": "2"},
        "ExposedPorts": {"80/tcp": {}, "81/tcp": {}}, "Hostname": ID[:12], "StopTimeout": 3, "MacAddress": "02:00:00:00:00:07",
    }  # fmt: skip
    image = {
        "User": "app",
        "WorkingDir": "/srv",
        "Env": ["PATH=/bin", "MODE=green"],
        "Labels": {"a": "1"},
        "ExposedPorts": {"80/tcp": {}},
    }
    body = like(box(Config=config), image, env={"OWN": "2", "NEW": ""})
    assert "User" not in body
    assert body["WorkingDir"] == "/app"
    assert body["Env"] == ["MODE=blue", "OWN=2", "NEW="]
    assert body["Labels"] == {"own": "2", "debugtui.plan": "pln"}
    assert body["ExposedPorts"] == {"81/tcp": {}}
    assert "Hostname" not in body
    assert (body["StopTimeout"], body["MacAddress"]) == (3, "02:00:00:00:00:07")


def test_volumes_links_and_networks_are_said_as_the_engine_takes_them() -> None:
    mounts = [
        {"Type": "volume", "Name": "f" * 64, "Destination": "/data", "RW": True, "Mode": ""},
        {"Type": "volume", "Name": "e" * 64, "Destination": "/keep", "RW": False, "Mode": "z"},
        {"Type": "volume", "Name": "named", "Destination": "/named", "RW": True},
        {"Type": "bind", "Source": "/etc", "Destination": "/etc", "RW": False},
    ]
    networks = {
        "shop": {
            "IPAMConfig": {"IPv4Address": "10.0.0.7"},
            "Aliases": ["api", ID[:12]],
            "IPAddress": "10.0.0.7",
            "MacAddress": "02:01",
        },
        "back": {"IPAMConfig": None, "Aliases": ["store"], "Links": None},
    }
    host = {"Binds": ["named:/named", "/etc:/etc:ro"], "Links": ["/db:/api/store"]}
    one = box(HostConfig=host, Mounts=mounts, NetworkSettings={"Networks": networks})
    made = likeness(one, {}, "shop/api:2", {}, {})
    assert made.body["HostConfig"]["Binds"] == ["named:/named", "/etc:/etc:ro", f"{'f' * 64}:/data", f"{'e' * 64}:/keep:z,ro"]
    assert made.body["HostConfig"]["Links"] == ["db:store"]
    first = {"shop": {"IPAMConfig": {"IPv4Address": "10.0.0.7"}, "Aliases": ["api"]}}
    assert made.body["NetworkingConfig"] == {"EndpointsConfig": first}
    assert made.networks == {"back": {"Aliases": ["store"]}}
    newer = likeness(one, {}, "shop/api:2", {}, {}, (1, 44))
    assert newer.body["NetworkingConfig"]["EndpointsConfig"]["shop"]["MacAddress"] == "02:01"
    shared = likeness(box(HostConfig={"NetworkMode": "container:abc"}, Config={"Hostname": "x"}), {}, "i", {}, {})
    assert "Hostname" not in shared.body
    assert shared.body["NetworkingConfig"] == {"EndpointsConfig": {}}


def test_secrets_are_known_by_name_and_by_form() -> None:
    for name, value in (
        ("DB_PASSWORD", "x1"),
        ("API_TOKEN", "abc"),
        ("URL", "postgres://u:pw@db/x"),
        ("KEY_ID_X", "gsk_" + "a" * 20),
    ):
        assert is_secret(name, value), name
    for name, value in (("MODE", "blue"), ("DB_PASSWORD", ""), ("PASSWORD_FILE", "/run/secret"), ("GOOD", "1")):
        assert not is_secret(name, value), name


def test_what_is_asked_for_in_the_environment() -> None:
    assert wanted({"env.B": "2", "env.A": "", "image": "x"}) == {"A": "", "B": "2"}
    assert wanted({"env.DB_PASSWORD": "@env:NEW"}) == {"DB_PASSWORD": "@env:NEW"}
    for params in ({"env.DB_PASSWORD": "hunter2secret"}, {"env.1X": "x"}, {"env.A=B": "x"}, {"env.A": "x\0y"}):
        with pytest.raises(PlanError) as caught:
            wanted(params)
        assert "hunter2secret" not in str(caught.value)
    assert merged(["A=1", "B=2"], {"B": "3", "C": ""}) == ["A=1", "B=3", "C="]


async def test_values_that_are_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "correct-horse")
    file = tmp_path / "secret"
    file.write_text("battery-staple\n")
    try:
        assert await resolve("@env:SOME_TOKEN") == "correct-horse"
        assert await resolve(f"@file:{file}") == "battery-staple"
        assert await resolve("plain") == "plain"
        file.write_bytes(b"\xff\xfe")
        for text in ("@env:NOT_SET_AT_ALL", f"@file:{file}", f"@file:{tmp_path}", "@file:/no/such"):
            with pytest.raises(PlanError):
                await resolve(text)
    finally:
        forget_all()


async def test_the_keyed_hash_tells_equal_from_different_and_nothing_else() -> None:
    one = box(Config={"Env": ["DB_PASSWORD=hunter2secret"]})
    key = await key_of(one)
    assert key == await key_of(box(Config={"Env": ["DB_PASSWORD=hunter2secret"]}, State={"StartedAt": "later"}))
    assert key != await key_of(box(Config={"Env": ["DB_PASSWORD=hunter3secret"]}))
    assert key != await key_of(box(Config={"Env": ["DB_PASSWORD=hunter2secret"]}, Created="2026-03-01T09:00:00.123456780Z"))
    assert sealed(key, "a") != sealed(key, "b")
    assert await seal_of(one) != await seal_of(box(Config={"Env": ["DB_PASSWORD=hunter2secret"]}, HostConfig={"Memory": 1}))
    lines = shown(["DB_PASSWORD=hunter2secret", "MODE=blue", "BAD=\x1b[31mred"], key)
    assert "hunter2secret" not in "".join(lines)
    assert "\x1b" not in "".join(lines)
    assert "MODE=blue" in lines
    assert shown(["DB_PASSWORD=other"], key) != shown(["DB_PASSWORD=hunter2secret"], key)


def test_the_revert_is_a_constant_script_with_arguments() -> None:
    hostile = "x; rm -rf /"
    for program in ("docker", "curl"):
        argv = revert(
            program, "/run/docker.sock", "pln_1", ID, hostile, {"Name": "on-failure", "MaximumRetryCount": 3}, up=True
        )
        assert hostile not in argv[2]
        assert argv[4:] == (
            "/run/docker.sock", "debugtui.plan=pln_1", ID, hostile, "on-failure:3",
            '{"RestartPolicy": {"MaximumRetryCount": 3, "Name": "on-failure"}}', "1",
        )  # fmt: skip


def test_figures_of_both_cgroup_versions() -> None:
    assert parse_cpu_max("150000 100000\n") == 1.5
    assert parse_cpu_max("max 100000") == 0.0
    assert parse_cpu_max("") is parse_cpu_max(None) is parse_cpu_max("1 0") is parse_cpu_max("x 1") is None
    old = parse_used({"memory_stats": {"usage": 100, "limit": 500, "stats": {"total_inactive_file": 30}}})
    new = parse_used({"memory_stats": {"usage": 100, "limit": 500, "stats": {"inactive_file": 40}}})
    assert (old.working_set, new.working_set, new.limit) == (70, 60, 500)
    assert parse_used({}).working_set is None


def test_a_rendered_file_is_taken_apart() -> None:
    services = "services:\n  db:\n    image: postgres:15\n  web-1:\n    image: 'lab/x:1'\n    command:\n    - a\n"
    text = f"name: shop\n{services}volumes:\n  x: {{}}\n"
    found = parse_rendered(text)
    assert sorted(found.services) == ["db", "web-1"]
    assert (found.image("db"), found.image("web-1"), found.image("nobody")) == ("postgres:15", "lab/x:1", "")
    assert "volumes" in found.rest
    assert "postgres" not in found.rest
    assert "postgres" not in repr(found)


def test_requests_and_sizes_in_words() -> None:
    assert request("POST", "containers/x/stop", {"t": "3"}) == "POST /containers/x/stop?t=3"
    assert request("POST", "x", None, {"b": 1, "a": 2}) == 'POST /x {"a": 2, "b": 1}'
    assert [size_text(size) for size in (0, 512 * MIB, 1.5 * 2**30, 1000)] == ["0 B", "512 MiB", "1.5 GiB", "1000 B"]
