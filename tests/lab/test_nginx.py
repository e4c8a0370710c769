"""A real nginx, read through a real sshd and directly: what runs, what is configured, what its logs say."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from debugtui.alerts.nginx import findings
from debugtui.hosts.link import Link
from debugtui.model.nginx import NginxReading
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.nginx.source import NginxSource
from tests.lab.outer_tools import answering, hang, local
from tests.lab.repair.remote_tools import linked
from tests.services.nginx_server import NginxServer, occupied
from tests.services.ssh_server import HOST, SshServer, free_port

MakeNginx = Callable[..., NginxServer]


@pytest.fixture(params=["local", "ssh"])
async def link(request: pytest.FixtureRequest, make_ssh_server: Callable[..., SshServer]) -> AsyncIterator[Link]:
    async with local() if request.param == "local" else linked(make_ssh_server()) as made:
        yield made


@pytest.fixture
def nginx(make_nginx: MakeNginx) -> NginxServer:
    server = make_nginx()
    text = server.config.read_text().replace(
        "access_log",
        "log_format timed '$remote_addr [$time_iso8601] \"$request\" $status $request_time';\n    access_log",
    )
    server.config.write_text(text.replace("access.log combined", "access.log timed"))
    return server


def source(link: Link, nginx: NginxServer, ports: dict[int, str] | None = None) -> NginxSource:
    return NginxSource(link, "main", str(nginx.config), docker_ports=lambda: ports or {})


async def read(link: Link, nginx: NginxServer) -> NginxReading:
    return await source(link, nginx).read(full=True)


def get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code


def rules(reading: NginxReading) -> list[str]:
    return [finding.rule for finding in findings(Target("kvm-01", "nginx", "main"), reading)]


async def test_a_sound_one_is_described_whole(link: Link, nginx: NginxServer) -> None:
    dead = free_port()
    async with answering(hang) as url:
        backend = url.removeprefix("http://").rstrip("/")
        nginx.site(
            "site",
            f"""
            upstream api {{ server {backend} weight=3; server {HOST}:{dead} backup; server {HOST}:9 down; }}
            server {{
                listen {HOST}:{nginx.port} default_server;
                server_name coach.example.org *.coach.example.org;
                root /srv/coach;
                location = /hello {{ return 200 hello; }}
                location /api/ {{ proxy_pass http://api; }}
                location = /status {{ stub_status; }}
            }}
            """,
        )
        nginx.start()
        assert await asyncio.to_thread(get, f"{nginx.url}/hello") == 200
        one = source(link, nginx, {int(backend.rpartition(":")[2]): "coach-api-1"})
        first = await one.read(full=True)
        for _ in range(3):
            await asyncio.to_thread(get, f"{nginx.url}/hello")
        await asyncio.sleep(0.2)
        reading = await one.read(full=False)
    assert (reading.config_ok, reading.config_says) == (True, "")
    assert reading.version.count(".") == 2
    assert (reading.master_pid, reading.workers) == (nginx.pid, 2)
    assert reading.started_at is not None
    assert abs((reading.started_at - datetime.now(UTC)).total_seconds()) < 60
    (server,) = reading.servers
    assert server.names == ("coach.example.org", "*.coach.example.org")
    assert [(one.path, one.to, one.containers) for one in server.locations] == [
        ("= /hello", "answers 200 hello", ()),
        ("/api/", "http://api", ("coach-api-1",)),
        ("= /status", "", ()),
    ]
    assert server.listens[0].ours is True
    assert server.file.endswith("conf.d/site.conf")
    (upstream,) = reading.upstreams
    assert [(one.weight, one.backup, one.down, one.answers, one.container) for one in upstream.servers] == [
        (3, False, False, True, "coach-api-1"),
        (1, True, False, False, ""),
        (1, False, True, None, ""),
    ]
    assert first.status is not None
    assert first.status.requests_s is None
    assert reading.status is not None
    assert reading.status.requests_s is not None
    assert reading.access is not None
    assert reading.access.requests >= 4
    assert reading.access.p95_ms is not None
    assert not [gap for gap in reading.gaps if gap.feature != "nginx -t"]
    assert rules(reading) == ["nginx_upstream"]


async def test_none_running_is_named_and_a_stale_pid_file_is_no_master(link: Link, nginx: NginxServer) -> None:
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; return 200 hello; }}")
    nginx.start()
    nginx.stop()
    (nginx.folder / "nginx.pid").write_text("1\n")
    reading = await read(link, nginx)
    (nginx.folder / "nginx.pid").unlink()
    assert reading.master_pid is None
    assert "nginx_down" in rules(reading)


async def test_a_configuration_that_was_broken_on_the_disk_is_named_while_the_old_one_runs(
    link: Link, nginx: NginxServer
) -> None:
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; return 200 hello; }}")
    nginx.start()
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; retrun 200 hello; }}")
    reading = await read(link, nginx)
    assert reading.config_ok is False
    assert 'unknown directive "retrun"' in reading.config_says
    assert "nginx_config" in rules(reading)
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; return 200 hello;")
    assert "site.conf" in (await read(link, nginx)).config_says


async def test_a_port_that_somebody_else_owns_is_named_with_the_owner(link: Link, nginx: NginxServer) -> None:
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; return 200 hello; }}")
    nginx.start()
    other = free_port()
    with occupied(other):
        nginx.site("other", f"server {{ listen {HOST}:{other}; return 200 hello; }}")
        reading = await read(link, nginx)
    (finding,) = [one for one in findings(Target("kvm-01", "nginx", "main"), reading) if one.rule == "nginx_port"]
    assert f"{HOST}:{other}" in finding.message
    assert "python" in finding.message or "pytest" in finding.message


async def test_a_dead_upstream_is_seen_in_both_logs_and_found_again(link: Link, nginx: NginxServer) -> None:
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; location /api/ {{ proxy_pass http://{HOST}:{free_port()}; }} }}")
    nginx.start()
    at = datetime.now(UTC)
    for _ in range(25):
        assert await asyncio.to_thread(get, f"{nginx.url}/api/plan?key=secret") == 502
    one = source(link, nginx)
    reading = await one.read(full=True)
    assert reading.access is not None
    assert (reading.access.share_5xx, reading.access.newest_5xx) == (1.0, "GET /api/plan 502")
    assert [group.level for group in reading.errors] == ["error"]
    assert "connect() failed" in reading.errors[0].newest
    assert "nginx_5xx" in rules(reading)
    told = await one.lines_at(f"{nginx.url}/api/plan", at, 3.0)
    assert " 502 " in told
    assert "connect() failed" in told
    assert await one.lines_at(f"{nginx.url}/other", at, 3.0) == ""


async def test_hostile_lines_are_made_harmless(link: Link, nginx: NginxServer) -> None:
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; return 200 hello; }}")
    nginx.start()
    now = datetime.now().strftime("%Y/%m/%d %H:%M:%S")
    with nginx.error_log.open("a") as log:
        log.write(f"{now} [crit] 1#1: \x1b[2Jgone [bold]x[/] password=hunter2hunter2\n{now} [crit] no number\nnonsense\n")
    reading = await read(link, nginx)
    (group,) = reading.errors
    assert group.count == 1
    assert "\x1b" not in group.newest
    assert "hunter2" not in group.newest


async def test_what_cannot_be_read_is_a_gap_or_a_failure(link: Link, nginx: NginxServer) -> None:
    nginx.site("site", f"server {{ listen {HOST}:{nginx.port}; access_log {nginx.folder}/none/a.log; return 200 x; }}")
    reading = await read(link, nginx)
    assert [gap.feature for gap in reading.gaps if gap.feature.startswith("log ")]
    nginx.config.unlink()
    with pytest.raises(SourceError, match="missing"):
        await read(link, nginx)
