"""What the Docker source makes of an engine's answers, without an engine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.sources.docker.containers import parse_details, parse_listed
from debugtui.sources.docker.events import parse_event
from debugtui.sources.docker.fields import moment, moment_of_seconds
from debugtui.sources.docker.inspecting import _document
from debugtui.sources.docker.roster import MOST_CONTAINERS, Roster
from debugtui.sources.docker.secrets import redact_arguments, redact_command
from debugtui.sources.docker.stats import parse_sample, rates_between
from debugtui.sources.docker.stored import parse_images, parse_info, parse_networks, parse_sizes, parse_volumes

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def listed(identity: str = "a" * 64, **changes: Any) -> dict[str, Any]:
    return {
        "Id": identity,
        "Names": ["/web/alias", "/shop-web-1"],
        "Image": "shop/web:7",
        "ImageID": "sha256:1",
        "Command": "serve --password hunter2secret",
        "Created": 1_773_480_000,
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"PrivatePort": 443, "Type": "tcp"},
        ],
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"},
        "State": "running",
        "Status": "Up 2 hours (unhealthy)",
        "NetworkSettings": {"Networks": {"shop_default": {}}},
        "Mounts": [
            {"Type": "volume", "Name": "shop_data", "Source": "/v/_data", "Destination": "/data", "RW": True},
            {"Type": "bind", "Source": "/etc/shop", "Destination": "/etc/shop", "RW": False},
        ],
        **changes,
    }


def sample(at: float, cpu_s: float, *, system_s: float, memory: Any = None, **changes: Any) -> dict[str, Any]:
    return {
        "read": (NOW + timedelta(seconds=at)).isoformat().replace("+00:00", "") + ".123456789Z",
        "cpu_stats": {
            "cpu_usage": {"total_usage": int(cpu_s * 1e9), "percpu_usage": [1, 2, 3, 4]},
            "system_cpu_usage": int(system_s * 1e9),
            "online_cpus": 4,
        },
        "memory_stats": memory or {"usage": 1000, "stats": {"inactive_file": 200}},
        "pids_stats": {"current": 3},
        "networks": {"eth0": {"rx_bytes": int(at * 100), "tx_bytes": int(at * 50)}, "eth1": {"rx_bytes": 7, "tx_bytes": 8}},
        "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": int(at * 10)}, {"op": "write", "value": 5}]},
        **changes,
    }


def test_an_entry_of_the_list() -> None:
    found = parse_listed(listed())
    assert found is not None
    assert (found.name, found.project, found.service, found.health) == ("shop-web-1", "shop", "web", "unhealthy")
    assert found.ports == ("0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp", "443/tcp")
    assert found.mounts == ("shop_data:/data", "/etc/shop:/etc/shop:ro")
    assert found.volumes == ("shop_data",)
    assert found.networks == ("shop_default",)
    assert "hunter2secret" not in found.command
    assert found.created_at == datetime.fromtimestamp(1_773_480_000, UTC)


@pytest.mark.parametrize(
    ("status", "health", "code"),
    [
        ("Up 4 seconds (healthy)", "healthy", None),
        ("Up 4 seconds (health: starting)", "starting", None),
        ("Exited (137) 2 days ago", "none", 137),
        ("Restarting (3) 1 second ago", "none", 3),
        ("Created", "none", None),
        ("Up 3 minutes (Paused)", "none", None),
    ],
)
def test_the_status_line(status: str, health: str, code: int | None) -> None:
    found = parse_listed(listed(Status=status))
    assert found is not None
    assert (found.health, found.exit_code) == (health, code)


def test_a_sample_pair_gives_docker_stats_percentages() -> None:
    before, after = parse_sample(sample(0, 1, system_s=100)), parse_sample(sample(2, 2, system_s=108))
    assert before is not None
    assert after is not None
    rates = rates_between(before, after)
    assert rates is not None
    assert rates.cpu_percent == pytest.approx(50.0)  # one second of processor in two, of four processors
    assert rates.rx_bytes_s == pytest.approx(100.0)
    assert rates.read_bytes_s == pytest.approx(10.0)
    assert rates.write_bytes_s == 0.0


def test_no_rates_over_a_restart_or_too_close_together() -> None:
    first, second = parse_sample(sample(0, 9, system_s=100)), parse_sample(sample(2, 1, system_s=108))
    close = parse_sample(sample(0.1, 9.1, system_s=100.4))
    assert first
    assert second
    assert close
    assert rates_between(first, second) is None
    assert rates_between(first, close) is None


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ({"usage": 1000, "stats": {"total_inactive_file": 300, "inactive_file": 1}}, 700),
        ({"usage": 1000, "stats": {"inactive_file": 400}}, 600),
        ({"usage": 1000, "stats": {"inactive_file": 4000}}, 1000),
        ({"usage": 1000}, 1000),
        ({}, None),
    ],
)
def test_memory_is_the_working_set(memory: dict[str, Any], expected: int | None) -> None:
    answer = sample(0, 1, system_s=100)
    answer["memory_stats"] = memory
    found = parse_sample(answer)
    assert found is not None
    assert found.memory_bytes == expected


def test_a_container_that_does_not_run_has_no_sample() -> None:
    empty = {"read": "0001-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 0}}}
    assert parse_sample(empty) is None


def test_a_container_without_network_or_disk_figures_has_none() -> None:
    found = parse_sample(sample(0, 1, system_s=100, networks=None, blkio_stats={"io_service_bytes_recursive": None}))
    assert found is not None
    assert (found.rx_bytes, found.tx_bytes, found.read_bytes, found.write_bytes) == (None, None, None, None)


@given(JSON)
def test_no_answer_of_an_engine_breaks_the_parsers(value: Any) -> None:
    parse_listed(value)
    parse_details(value)
    parse_sample(value)
    parse_images(value)
    parse_volumes(value)
    parse_networks(value)
    parse_sizes(value)
    parse_info(value)
    moment(value)
    moment_of_seconds(value)
    Roster().listed(value if isinstance(value, list) else [value])
    for shape in (
        {"State": value, "HostConfig": value, "RestartCount": value},
        {"HostConfig": {"RestartPolicy": value, "Memory": value}},
    ):
        parse_details(shape)
    for name in ("Names", "Ports", "Labels", "Mounts", "NetworkSettings", "Status", "Created", "Command"):
        parse_listed(listed(**{name: value}))
    for name in ("read", "cpu_stats", "memory_stats", "networks", "blkio_stats", "pids_stats"):
        parse_sample({**sample(0, 1, system_s=1), name: value})


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_event_breaks_the_parser(data: bytes) -> None:
    try:
        parse_event(data)
    except ValueError:
        return


def event(action: str, *, kind: str = "container", identity: str = "a" * 64, **attributes: str) -> bytes:
    actor = {"ID": identity, "Attributes": {"name": "web", "image": "shop/web:7", **attributes}}
    return json.dumps({"Type": kind, "Action": action, "Actor": actor, "timeNano": 1_773_480_413_123_456_789}).encode()


@pytest.mark.parametrize(
    ("data", "action", "detail"),
    [
        (event("die", exitCode="3"), "die", "exit code 3"),
        (event("kill", signal="15"), "kill", "signal 15"),
        (event("health_status: unhealthy"), "health_status", "unhealthy"),
        (event("start"), "start", "shop/web:7"),
        (event("rename", oldName="/old"), "rename", "was old"),
    ],
)
def test_events(data: bytes, action: str, detail: str) -> None:
    found = parse_event(data)
    assert (found.event.action, found.event.detail, found.event.name) == (action, detail, "web")
    assert found.event.at == datetime(2026, 3, 14, 9, 26, 53, 123456, tzinfo=UTC)


def test_more_containers_than_are_read_are_counted() -> None:
    roster = Roster()
    roster.listed([listed(f"{number:064x}") for number in range(MOST_CONTAINERS + 5)])
    assert roster.left_out == 5
    assert len(roster.containers(NOW)) == MOST_CONTAINERS


def test_only_what_changed_is_inspected_again() -> None:
    roster = Roster()
    roster.listed([listed("a" * 64), listed("b" * 64)])
    chosen = roster.to_inspect(1, 10, everyone=False, events_live=True)
    assert len(chosen) == 2
    for known in chosen:
        known.touched = False
        roster.inspected(known, parse_details({}), 1, NOW)
    assert roster.to_inspect(2, 10, everyone=False, events_live=True) == []
    assert len(roster.to_inspect(2, 10, everyone=True, events_live=True)) == 2
    roster.listed(
        [listed("a" * 64, Status="Up 3 hours (unhealthy)"), listed("b" * 64, State="exited", Status="Exited (1) now")]
    )
    assert [known.listed.id[0] for known in roster.to_inspect(3, 10, everyone=False, events_live=True)] == ["b"]
    # Without events a start can go unseen but for the time in the status line.
    assert [known.listed.id[0] for known in roster.to_inspect(3, 10, everyone=False, events_live=False)] == ["a", "b"]
    roster.happened(parse_event(event("update", identity="a" * 64)))
    assert {known.listed.id[0] for known in roster.to_inspect(3, 10, everyone=False, events_live=True)} == {"a", "b"}


def test_figures_take_turns() -> None:
    roster = Roster()
    roster.listed([listed(f"{number:064x}") for number in range(5)])
    seen = []
    for round_ in range(5):
        for turn, known in enumerate(roster.to_sample(float(round_), 2)):
            seen.append(known.listed.id[-1])
            roster.sampled(known, parse_sample(sample(round_ * 2, round_ + 1, system_s=100 + round_)), round_ + turn / 10)
    assert seen == ["0", "1", "2", "3", "4", "0", "1", "2", "3", "4"]


def test_disk_use_counts_what_nothing_uses() -> None:
    sizes = parse_sizes(
        {
            "LayersSize": 1000,
            "Images": [{"Size": 600, "SharedSize": 100, "Containers": 0}, {"Size": 500, "SharedSize": 100, "Containers": 2}],
            "Containers": [{"SizeRw": 50, "State": "running"}, {"SizeRw": 70, "State": "exited"}],
            "Volumes": [
                {"Name": "used", "UsageData": {"Size": 30, "RefCount": 1}},
                {"Name": "idle", "UsageData": {"Size": 20, "RefCount": 0}},
                {"Name": "unknown", "UsageData": {"Size": -1, "RefCount": -1}},
            ],
            "BuildCache": [{"Size": 5, "InUse": False, "Shared": False}, {"Size": 9, "InUse": True, "Shared": False}],
        }
    )
    assert (sizes.use.layers_bytes, sizes.use.containers_bytes, sizes.use.volumes_bytes, sizes.use.build_cache_bytes) == (
        1000,
        120,
        50,
        14,
    )
    assert sizes.use.reclaimable_bytes == 500 + 70 + 20 + 5
    assert sizes.volumes["unknown"] == (None, None)


def test_hostile_names_are_made_visible() -> None:
    found = parse_listed(listed(Names=["/\x1b]52;c;eA==\x07a\u202eb\n"], Image="[@click=app.quit]x[/]"))
    assert found is not None
    assert found.name == "a<202E>b"
    assert found.image == "[@click=app.quit]x[/]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--password", "hunter2secret"],
        ["serve", "--password=hunter2secret"],
        ["sh", "-c", "serve --api-key hunter2secret"],
        ["--requirepass", "hunter2secret"],
        ["--requirepass=hunter2secret"],
        ["-pw", "hunter2secret"],
    ],
)
def test_secrets_in_arguments_are_masked(arguments: list[str]) -> None:
    found = redact_arguments(arguments)
    assert "hunter2secret" not in " ".join(found)
    assert len(found) == len(arguments)


def test_secrets_in_a_command_are_masked() -> None:
    found = redact_command("docker-entrypoint.sh redis-server --requirepass hunter2secret --port 6379")
    assert "hunter2secret" not in found
    assert found.endswith("--port 6379")


def test_ordinary_arguments_stay() -> None:
    arguments = ["postgres", "-c", "max_connections=200", "--port", "5432"]
    assert redact_arguments(arguments) == arguments


def test_an_inspect_answer_is_redacted_everywhere() -> None:
    answer = {
        "Id": "0123456789abcdef" * 4,
        "Path": "serve",
        "Args": ["--token", "hunter2secret"],
        "Config": {
            "Env": ["DB_PASSWORD=hunter2secret", "DATABASE_URL=postgres://u:hunter2secret@db/x", "MODE=blue"],
            "Labels": {"traefik.auth.secret": "hunter2secret", "plain": "\x1b[31mred", "url": "redis://:hunter2secret@r"},
            "Healthcheck": {"Test": ["CMD-SHELL", "curl -H 'Authorization: Bearer hunter2secret' localhost"]},
        },
        "HostConfig": {
            "LogConfig": {"Type": "splunk", "Config": {"splunk-token": "hunter2secret"}},
            "Memory": 5,
            "Binds": None,
        },
        "State": {"Health": {"Log": [{"Output": "password: hunter2secret\nline two"}]}},
    }
    found = _document(json.dumps(answer).encode())
    text = json.dumps(found, ensure_ascii=False)
    assert "hunter2secret" not in text
    assert found["Id"] == answer["Id"]
    assert found["HostConfig"]["Memory"] == 5
    assert "MODE=blue" in found["Config"]["Env"]
    assert found["Config"]["Labels"]["plain"] == "red"
    assert "line two" in found["State"]["Health"]["Log"][0]["Output"]


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=5))
def test_no_inspect_answer_breaks_redaction(value: dict[str, Any]) -> None:
    assert set(_document(json.dumps({"Config": value}).encode())) == {"Config"}
