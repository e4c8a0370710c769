"""Logs of a real nginx, rotated while they are followed, over a local link and over SSH."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from debugtui.hosts.link import Link
from debugtui.hosts.local import LocalLink
from debugtui.model.logs import Level, OriginState
from debugtui.model.target import Target
from debugtui.sources.logs.clock import host_clock
from debugtui.sources.logs.files import RemoteFiles
from debugtui.sources.logs.nginx import NginxOrigin
from debugtui.sources.logs.session import LogSession, Wanted
from debugtui.sources.nginx.source import NginxSource
from tests.lab.link_tools import make_link, nothing_left, started
from tests.lab.log_tools import followed
from tests.services.nginx_server import NginxServer
from tests.services.ssh_server import SshServer

TARGET = Target("kvm-01", "nginx", "main")
SITE = (
    'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "ok"; }} location /bad {{ proxy_pass http://127.0.0.1:1; }} }}'
)


async def origins_of(server: NginxServer, link: Link, files: RemoteFiles) -> list[NginxOrigin]:
    """The origins of every log that the reading names."""
    source = NginxSource(link, "main", str(server.config))
    reading = await source.read(full=True)
    await source.close()
    assert [log.path for log in reading.logs] == [str(server.error_log), str(server.access_log)]
    return [
        NginxOrigin(files, TARGET, log, lambda: host_clock(link), "main access" if log.access else "main error")
        for log in reading.logs
    ]


async def get(server: NginxServer, path: str) -> None:
    def ask() -> None:
        try:
            urllib.request.urlopen(f"{server.url}{path}", timeout=5).read()
        except urllib.error.HTTPError as error:
            error.close()

    await asyncio.to_thread(ask)


def rotate(server: NginxServer) -> None:
    """As logrotate does: rename, then have nginx open its logs anew."""
    for log in (server.access_log, server.error_log):
        log.rename(f"{log}.1")
    os.kill(server.pid, signal.SIGUSR1)


def serving(make_nginx: Callable[..., NginxServer]) -> NginxServer:
    server = make_nginx()
    server.site("front", SITE.format(port=server.port))
    server.start()
    return server


async def test_no_request_is_lost_or_doubled_by_a_rotation(make_nginx: Callable[..., NginxServer]) -> None:
    server = serving(make_nginx)
    link = LocalLink("kvm-01")
    files = RemoteFiles(link)
    async with nothing_left():
        error, access = await origins_of(server, link, files)
        async with followed(access) as follower, followed(error) as errors:
            for number in range(60):
                await get(server, f"/r/{number:03d}")
                if number in (20, 40):
                    rotate(server)  # right behind a request that nobody has seen yet
                if number in (30, 50):
                    await follower.until(f"/r/{number:03d}")
            await get(server, "/bad?password=hunter2hunter2")
            bad = await follower.until("/bad")
            broken = await errors.until("Connection refused")
        asked = [text.split("/r/")[1][:3] for text in follower.texts if "/r/" in text]
        await files.close()
    # Each of nginx's workers opens its log anew at a moment of its own: two lines may lie in two files, the other way round.
    assert sorted(asked) == [f"{number:03d}" for number in range(60)]
    assert (bad.level, broken.level) == (Level.ERROR, Level.ERROR)
    assert "hunter2" not in bad.text + broken.text
    assert broken.at is not None
    assert abs(broken.at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_both_logs_come_merged_over_ssh(make_nginx: Callable[..., NginxServer], ssh_server: SshServer) -> None:
    server = serving(make_nginx)
    link = make_link(ssh_server)
    async with started(link):
        files = RemoteFiles(link)
        session = LogSession(await origins_of(server, link, files), Wanted(tail=50), window=0.3)
        seen: list[tuple[int, str]] = []
        asked = False
        async with asyncio.timeout(30):
            async for part in session.batches():
                seen += zip(part.origins, (line.text for line in part.lines), strict=True)
                if not asked and all(status.state is OriginState.LIVE for status in session.statuses):
                    asked = True
                    await get(server, "/bad")
                if any("/bad" in text and origin == 1 for origin, text in seen):
                    break
        await session.close()
        await files.close()
    assert any(origin == 0 and "Connection refused" in text for origin, text in seen)
