"""Real pages in a real browser: what it sees is named, what it must not reach it does not reach, and nothing of it stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from debugtui.alerts.chrome import findings
from debugtui.config import paths
from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import Link, LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.chrome import ChromeReading, PageRequest, Story
from debugtui.model.source import LinkState
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.chrome import folder, install
from debugtui.sources.chrome.source import ChromeSource
from debugtui.sources.chrome.story import compare
from tests.lab.chrome_pages import SECRET, Site, site, standing_in
from tests.lab.link_tools import make_link, started
from tests.services.nginx_server import NginxServer, make_certificate
from tests.services.ssh_server import SshServer, free_port

pytestmark = pytest.mark.lab


@pytest.fixture(autouse=True)
def private_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with tempfile.TemporaryDirectory(prefix="dt", dir="/tmp") as run:  # a short path, as sessions have
        monkeypatch.setenv("XDG_RUNTIME_DIR", run)
        yield


@asynccontextmanager
async def source(url: str, link: Link | None = None, **options: Any) -> AsyncIterator[ChromeSource]:
    settings = {name: options.pop(name) for name in ("direct", "every", "budgets") if name in options}
    made = ChromeSource(link or LocalLink("here"), WebConfig(name="front", url=url, **settings), **options)
    try:
        yield made
    finally:
        await made.close()
        assert of_ours() == []
        assert list(folder.parent().iterdir()) == []


def of_ours() -> list[str]:
    """Every process that belongs to a browser of this test."""
    return standing_in(folder.parent())


async def seen(url: str, link: Link | None = None, **options: Any) -> ChromeReading:
    async with source(url, link, **options) as made:
        return await made.read(full=True)


def messages(reading: ChromeReading) -> list[str]:
    return [f"{finding.severity.value} {finding.message}" for finding in findings(Target("here", "chrome", "front"), reading)]


def outcomes(reading: ChromeReading, served: Site) -> dict[str, int | str]:
    return {request.url.removeprefix(served.url): request.failure or request.status or 0 for request in reading.failed}


async def test_every_fault_of_a_page_is_named() -> None:
    async with site(free_port()) as served:
        reading = await seen(f"{served.url}/broken")
    assert reading.fault == ""
    assert reading.status == 200
    assert reading.title == "Broken"
    exception, rejection = reading.console[:2]
    assert (exception.kind, exception.source, exception.line) == ("exception", f"{served.url}/app.js", 3)
    assert "Cannot read properties of null" in exception.text
    assert "render (app.js:3:15)" in exception.stack
    assert (rejection.kind, rejection.text, rejection.line) == ("rejection", "Error: order 17 lost", 6)
    assert [(one.kind, one.text) for one in reading.console[2:]] == [
        ("error", "cart is broken"),
        ("error", "api_key=••• is wrong"),
        ("warning", "an old interface"),
    ]
    assert outcomes(reading, served) == {
        "/img/a.png": 404,
        "/api/boom": 500,
        "/api/gone?token=•••&page=2": 404,
        f"http://127.0.0.1:{served.refused}/api/refused": "net::ERR_CONNECTION_REFUSED",
        "/api/reset": "net::ERR_EMPTY_RESPONSE",
    }
    assert served.hits["/api/other"] == 1  # another port of the same site is reached
    assert [gap.feature for gap in reading.gaps] == ["other sites"]
    assert "cdn.invalid" in reading.gaps[0].problem.says
    slow = reading.slow[0]
    assert slow.url.endswith("/api/slow")
    assert 1300 <= (slow.ms or 0) < 2300
    assert 1200 <= (slow.waited_ms or 0) < 2300
    assert slow.at is not None
    assert abs((slow.at - reading.taken_at).total_seconds()) < 8
    said = messages(reading)
    assert any(
        text.startswith("high JavaScript exception: TypeError: Cannot read") and "(app.js:3:15)" in text for text in said
    )
    assert any(text.startswith("high unhandled promise rejection: Error: order 17 lost (app.js:6:") for text in said)
    assert "high POST /api/boom answers 500" in said
    assert "medium GET /img/a.png answers 404" in said
    assert any("failed: connection refused" in text for text in said)
    assert any(text.startswith("medium GET /api/slow took 1.") and text.endswith("(budget 1 s)") for text in said)
    assert all(len(text) < 108 for text in said)
    assert SECRET not in repr(reading)
    assert SECRET not in repr(said)


async def test_a_sound_page_has_times_a_tree_and_a_picture(tmp_path: Path) -> None:
    async with site(free_port()) as served, source(served.url, pictures=tmp_path / "shots") as made:
        cold = await made.read(full=True)
        warm = await made.read(full=False)
        assert made._browser.starts == 1
    for reading in (cold, warm):
        assert messages(reading) == []
        assert (reading.fault, reading.status, reading.gaps, reading.console, reading.failed) == ("", 200, (), (), ())
        assert reading.requests == 1
        assert 0 < (reading.ttfb_ms or 0) < 2000
        assert reading.lcp_ms is not None
        assert reading.tti_ms is not None
        assert reading.cls == 0
        assert {("heading", "Coach"), ("button", "Send")} <= {(node.role, node.name) for node in reading.tree}
        assert reading.picture is not None
        assert (reading.picture.width, reading.picture.height, len(reading.picture.pixels)) == (160, 90, 160 * 90)
        assert reading.picture.pixels[-1] == 0xFFFFFF
        assert any(pixel < 0x808080 for pixel in reading.picture.pixels)  # the letters
        file = Path(reading.picture.path)
        assert file.parent == tmp_path / "shots"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert warm.took_ms < cold.took_ms  # how fast they are is measured by the benchmark, on a calm machine


async def test_what_a_policy_forbids_is_blocked() -> None:
    async with site(free_port()) as served:
        reading = await seen(f"{served.url}/blocked")
    assert served.hits["/never.js"] == 0
    assert outcomes(reading, served) == {"/never.js": "blocked (script-src-elem)"}
    assert "high GET /never.js failed: blocked (script-src-elem)" in messages(reading)


async def test_a_stream_is_no_fault_and_a_request_that_never_ends_is() -> None:
    async with site(free_port()) as served, source(f"{served.url}/stream") as made:
        reading = await made.read(full=True)
        assert (reading.fault, reading.failed) == ("", ())
        made._config = WebConfig(name="front", url=f"{served.url}/waits")
        reading = await made.read(full=True)
        assert outcomes(reading, served) == {"/never": "timed out"}
        assert "high GET /never failed: timed out" in messages(reading)


async def test_a_page_whose_script_hangs_is_named_and_the_browser_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.sources.chrome.page._PAGE_S", 3.0)
    monkeypatch.setattr("debugtui.sources.chrome.page.LOAD_S", 3.0)
    async with site(free_port()) as served, source(f"{served.url}/hangs") as made:
        reading = await made.read(full=True)
        assert "does not respond" in reading.fault
        assert messages(reading)[0].startswith("critical the page cannot be opened: it does not respond")
        made._config = WebConfig(name="front", url=served.url)
        assert (await made.read(full=True)).fault == ""
        assert made._browser.starts == 2


async def test_a_page_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.sources.chrome.page.LOAD_S", 2.0)
    async with site(free_port()) as served:
        reading = await seen(f"{served.url}/silent")
    assert reading.fault == "no answer within 2 s"


async def test_nobody_listens_and_no_such_name_and_a_page_that_leads_away() -> None:
    async with site(free_port()) as served, source(f"http://127.0.0.1:{served.refused}/") as made:
        reading = await made.read(full=True)
        assert reading.fault == "net::ERR_CONNECTION_REFUSED"
        assert messages(reading) == [
            "critical the page cannot be opened: connection refused (net::ERR_CONNECTION_REFUSED)",
        ]
        for url, fault in (
            ("http://nowhere.invalid/", "net::ERR_NAME_NOT_RESOLVED"),
            (f"https://127.0.0.1:{served.port}/", "net::ERR_SSL_PROTOCOL_ERROR"),
            (f"{served.url}/moved", "it redirects to login.example.org, where this check does not go"),
        ):
            made._config = WebConfig(name="front", url=url)
            made._page = (url.split("/")[2].split(":")[0], int(url.split("/")[2].partition(":")[2] or 80))
            assert (await made.read(full=True)).fault == fault
        made._config = WebConfig(name="front", url=f"{served.url}/nothing")
        reading = await made.read(full=True)
        assert (reading.fault, reading.status) == ("", 404)
        assert "high the page answers 404" in messages(reading)


async def test_a_self_signed_certificate_is_left_to_the_tls_source(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "site", ("localhost",))
    async with site(free_port(), (pair.certificate, pair.key)) as served:
        reading = await seen(f"https://localhost:{served.port}/", direct=True)
    assert (reading.fault, reading.status, reading.title) == ("", 200, "Coach")


async def test_a_page_behind_ssh(make_ssh_server: Callable[..., SshServer]) -> None:
    """The far side's loopback is not ours: the name in the address means what it means there."""
    sshd = make_ssh_server()
    async with site(free_port()) as served, started(make_link(sshd)) as link:
        async with source(f"{served.url}/broken", link) as made:
            reading = await made.read(full=True)
            assert outcomes(reading, served)[f"http://127.0.0.1:{served.refused}/api/refused"] == "net::ERR_CONNECTION_REFUSED"
            assert outcomes(reading, served)["/api/boom"] == 500
            assert served.hits["/api/other"] == 1
            assert [gap.feature for gap in reading.gaps] == ["other sites"]
            made._config = WebConfig(name="front", url=f"http://127.0.0.1:{served.refused}/")
            made._page = ("127.0.0.1", served.refused)
            assert (await made.read(full=True)).fault == "net::ERR_CONNECTION_REFUSED"
        sshd.stop()
        async with asyncio.timeout(20):
            while link.status.state is LinkState.UP:
                await asyncio.sleep(0.05)
        async with source(served.url, link) as made:
            with pytest.raises(LinkError):
                await made.read(full=True)


async def test_a_server_that_forbids_forwarding_is_no_fault_of_the_page(make_ssh_server: Callable[..., SshServer]) -> None:
    async with (
        started(make_link(make_ssh_server("AllowTcpForwarding no"))) as link,
        source("http://127.0.0.1:8080", link) as made,
    ):
        with pytest.raises(LinkError, match="does not allow forwarding"):
            await made.read(full=True)


async def test_front_and_nginx_and_container_tell_one_story(make_nginx: Callable[..., NginxServer]) -> None:
    nginx = make_nginx()
    async with site(free_port()) as served:
        nginx.site(
            "front",
            f"""server {{ listen 127.0.0.1:{nginx.port};
                location / {{ proxy_pass {served.url}; }}
                location /api/slow {{ proxy_pass {served.url}; proxy_read_timeout 300ms; }}
                location /api/boom {{ proxy_pass {served.url}; }} }}""",
        )
        nginx.start()

        async def story(request: PageRequest) -> Story:
            path = request.url.partition("?")[0].removeprefix(nginx.url)
            logs = nginx.error_log.read_text().splitlines() + nginx.access_log.read_text().splitlines()
            line = next((one for one in reversed(logs) if f"{request.method} {path}" in one), "")
            return compare(request, line, f"POST {path} 200" if path == "/api/boom" else "")

        reading = await seen(f"{nginx.url}/broken", story=story)
    told = {one.request.url.removeprefix(nginx.url): (one.agrees, one.says) for one in reading.stories}
    assert told["/api/slow"] == (True, "the browser saw 504 for GET /api/slow, and nginx logged 504")
    assert told["/api/boom"][0] is False
    assert "but the container says 200" in told["/api/boom"][1]
    refused = told[f"http://127.0.0.1:{served.refused}/api/refused"]
    assert refused[0] is True
    assert "never reached nginx" in refused[1]
    assert any(text.startswith("medium the logs contradict: ") for text in messages(reading))


async def test_only_the_site_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser has wishes of its own (updates, sign-in); they end at the gateway."""
    asked: list[str] = []
    original = ChromeSource._dial

    async def dial(self: ChromeSource, host: str, port: int) -> Any:
        asked.append(host)
        return await original(self, host, port)

    monkeypatch.setattr(ChromeSource, "_dial", dial)
    async with site(free_port()) as served:
        await seen(f"{served.url}/broken")
    assert set(asked) == {"127.0.0.1", "localhost"}


async def test_a_long_path_of_the_session_does_not_break_the_browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = tmp_path / ("s" * 60)
    session.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    assert folder.parent() == Path("/tmp")
    async with site(free_port()) as served:
        made = ChromeSource(LocalLink("here"), WebConfig(name="front", url=served.url))
        try:
            assert (await made.read(full=True)).fault == ""
            private = made._browser.folder
            assert stat.S_IMODE(private.stat().st_mode) == 0o700
        finally:
            await made.close()
    assert not private.exists()


async def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, wanted in (
        ("DEBUGTUI_CHROME", "no browser at /nonexistent/chrome"),
        ("DEBUGTUI_CHROME_MCP", "no chrome-devtools-mcp at /nonexistent/chrome"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, "/nonexistent/chrome")
            with pytest.raises(SourceError, match=wanted) as raised:
                await seen("http://127.0.0.1:1/")
            assert raised.value.problem.hint
    broken = tmp_path / "chrome"
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("DEBUGTUI_CHROME", str(broken))
    with pytest.raises(SourceError, match="the browser does not start"):
        await seen("http://127.0.0.1:1/")
    server = tmp_path / "server.js"
    server.write_text("console.error('out of order'); process.exit(1)")
    monkeypatch.setenv("DEBUGTUI_CHROME_MCP", str(server))
    with pytest.raises(SourceError, match="does not start") as raised:
        await seen("http://127.0.0.1:1/")
    assert "out of order" in raised.value.problem.hint


async def test_an_idle_browser_is_stopped_and_a_killed_one_is_replaced() -> None:
    async with site(free_port()) as served, source(served.url, idle_s=1.0) as made:
        await made.read(full=True)
        assert made._browser.running
        async with asyncio.timeout(10):
            while made._browser.running:
                await asyncio.sleep(0.05)
        assert of_ours() == []
        assert (await made.read(full=True)).fault == ""
        os.kill(folder.server_pid(made._browser.folder), signal.SIGKILL)
        assert (await made.read(full=True)).fault == ""
        assert made._browser.starts == 3


async def test_at_most_two_browsers_run() -> None:
    async with site(free_port()) as served, source(served.url) as last:
        sources = [ChromeSource(LocalLink("here"), WebConfig(name=f"p{n}", url=served.url)) for n in range(3)]
        try:
            readings = await asyncio.gather(*(one.read(full=True) for one in sources))
            assert {reading.fault for reading in readings} == {""}
            assert sum(one._browser.running for one in sources) == 2
        finally:
            await asyncio.gather(*(one.close() for one in sources))
        assert (await last.read(full=True)).fault == ""


async def test_no_process_is_left_when_reads_are_cancelled_half_way() -> None:
    async with site(free_port()) as served:
        for delay in (0.3, 1.2, None, 2.4, None, None):
            async with source(f"{served.url}/broken") as made:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await made.read(full=True)
            assert of_ours() == []


READER = """
import asyncio, sys
from debugtui.config.hosts import WebConfig
from debugtui.hosts.local import LocalLink
from debugtui.sources.chrome.source import ChromeSource

async def main():
    made = ChromeSource(LocalLink("here"), WebConfig(name="front", url=sys.argv[1]))
    await made.read(full=True)
    print("read", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("after", [1.6, None], ids=["half-way", "idle"])
async def test_no_process_is_left_when_we_are_killed(after: float | None) -> None:
    async with site(free_port()) as served:
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", READER, served.url, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert program.stdout is not None
        try:
            if after is None:
                assert await asyncio.wait_for(program.stdout.readline(), 30) == b"read\n"
            else:
                await asyncio.sleep(after)
        finally:
            program.kill()
            await program.wait()
    async with asyncio.timeout(10):
        while of_ours():
            await asyncio.sleep(0.05)
    await asyncio.to_thread(folder.sweep, folder.parent())
    assert list(folder.parent().iterdir()) == []


async def test_what_a_killed_run_left_is_swept_processes_included() -> None:
    ended = await asyncio.create_subprocess_exec("true")
    await ended.wait()
    left = paths.private_dir(folder.parent() / f"dbgtui-chrome-{ended.pid}-x")
    stuck = await asyncio.create_subprocess_exec("sleep", "60", cwd=left)
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)", str(left))
    try:
        await asyncio.to_thread(folder.sweep, folder.parent())
        assert await asyncio.wait_for(holder.wait(), 5) == -signal.SIGKILL
        assert stuck.returncode is None  # it only stood there: its command line names nothing of ours
        assert not left.exists()
    finally:
        stuck.kill()
        await stuck.wait()


def test_the_pinned_version_is_installed() -> None:
    found = install.find()
    package = Path(found.server).parents[3] / "package.json"
    assert f'"version": "{install.VERSION}"' in package.read_text()
