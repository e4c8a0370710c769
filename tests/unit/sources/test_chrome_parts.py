"""Addresses, programs, the gateway, and the bounds of the front-end check, without a browser."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import LinkError
from debugtui.model.source import LinkState, Problem
from debugtui.sources.base import SourceError
from debugtui.sources.chrome import install, pictures, server
from debugtui.sources.chrome.addresses import host_and_port, same_site, shown
from debugtui.sources.chrome.gateway import Gateway
from debugtui.sources.chrome.source import ChromeSource
from tests.unit.fakes import FakeLink
from tests.unit.sources.test_chrome_png import make


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("http://front/a?page=2&token=abcdef123&x=1", "http://front/a?page=2&token=•••&x=1"),
        ("http://ops:hunter22@front:8080/a", "http://front:8080/a"),
        ("http://front/cb#access_token=abcdef123&state=1", "http://front/cb#access_token=•••&state=1"),
        ("http://front/files/gsk_abcdefghijklmnop/x", "http://front/files/•••/x"),
        ("http://front/?q=a\u202eb", "http://front/?q=a<202E>b"),
        ("data:image/png;base64,AAAA", "data:image/png;base64"),
        ("http://[broken", "http://[broken"),
        ("app.js", "app.js"),
        ("http://front/a?page=2", "http://front/a?page=2"),
    ],
)
def test_addresses_are_shown_without_secrets(url: str, safe: str) -> None:
    assert shown(url) == safe
    assert len(shown(url + "x" * 5000)) < 600


@pytest.mark.parametrize(
    ("host", "page", "same"),
    [
        ("front.example.org", "front.example.org", True),
        ("API.example.org.", "www.example.org", True),
        ("example.org", "www.example.org", True),
        ("api.example.org", "example.org", True),
        ("a.b.example.org", "www.example.org", True),
        ("example.org", "evil-example.org", False),
        ("evil-example.org", "example.org", False),
        ("other.org", "example.org", False),
        ("org", "example.org", False),
        ("other.co.uk", "shop.co.uk", False),
        ("api.shop.co.uk", "shop.co.uk", True),
        ("localhost", "127.0.0.1", True),
        ("::1", "localhost", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("169.254.169.254", "front.example.org", False),
        ("127.0.0.1", "front.example.org", False),
        ("", "front.example.org", False),
        ("db", "web", False),
    ],
)
def test_only_the_pages_own_site_is_reached(host: str, page: str, same: bool) -> None:
    assert same_site(host, page) is same


def test_host_and_port() -> None:
    assert host_and_port("https://Front/") == ("front", 443)
    assert host_and_port("http://[::1]:81/") == ("::1", 81)
    assert host_and_port("http://front:x/") == ("", 0)


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("v20.19.0", True),
        ("v20.18.4", False),
        ("v21.7.0", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("", False),
    ],
)
def test_versions_of_node(version: str, good: bool) -> None:
    assert install.supported(version) is good


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_programs_are_found_or_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "_MAC_BROWSERS", ())
    monkeypatch.setattr(install, "_wheels_node", lambda: iter(()))
    env = {"PATH": str(tmp_path)}
    with pytest.raises(SourceError, match=r"no Node\.js"):
        install.find(env)
    old = program(tmp_path / "nodejs", "v18.20.4")
    with pytest.raises(SourceError, match=r"too old: .*nodejs is v18\.20\.4"):
        install.find(env)
    wheel = program(tmp_path / "wheel" / "node", "v24.19.0")
    monkeypatch.setattr(install, "_wheels_node", lambda: iter((str(wheel),)))
    assert install.find_node(env) == str(wheel)
    old.unlink()
    node = program(tmp_path / "node", "v22.12.0")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(install, "__file__", str(tmp_path / "a" / "b" / "c" / "install.py"))
    with pytest.raises(SourceError, match=r"chrome-devtools-mcp .* is not installed"):
        install.find(env)
    script = Path("build/src/bin/chrome-devtools-mcp.js")
    data = program(tmp_path / "data" / "debugtui" / f"chrome-devtools-mcp-{install.VERSION}" / script, "")
    assert install.find_server(env) == str(data)
    named = program(tmp_path / "named" / script, "")
    env["DEBUGTUI_CHROME_MCP"] = str(tmp_path / "named")
    with pytest.raises(SourceError, match="no Chromium") as raised:
        install.find(env)
    assert "apt install chromium" in raised.value.problem.hint
    browser = program(tmp_path / "chromium-browser", "")
    assert install.find(env) == install.Programs(str(node), str(named), str(browser))
    env["DEBUGTUI_CHROME"] = str(named.parent)
    with pytest.raises(SourceError, match="no browser at"):
        install.find(env)


def test_only_root_goes_without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    programs = install.Programs("/node", "/server.js", "/chromium")
    for user, wanted in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert ("--chromeArg=--no-sandbox" in server.arguments(programs, 1)) is wanted


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"\x05\x01\x00")
        assert await reader.readexactly(2) == b"\x05\x00"
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.read(10)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_the_gateway_reaches_what_is_allowed_and_nothing_else() -> None:
    asked: list[tuple[str, int]] = []

    async def dial(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        asked.append((host, port))
        raise LinkError(Problem("Connection refused"))

    gateway = Gateway(dial, lambda host: same_site(host, "127.0.0.1"))
    await gateway.start()
    try:
        name = b"\x05\x01\x00\x03"
        assert (await ask(gateway.port, name + b"\x0bexample.org\x00\x50"))[1] == 2
        assert (await ask(gateway.port, name + b"\x09LocalHost\x00\x50"))[1] == 5
        assert (await ask(gateway.port, b"\x05\x01\x00\x01\x7f\x00\x00\x01\x1f\x90"))[1] == 5
        assert (await ask(gateway.port, b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x51"))[1] == 5
        assert (await ask(gateway.port, b"\x05\x02\x00\x01\x7f\x00\x00\x01\x1f\x90"))[1] == 7  # BIND
        assert asked == [("localhost", 80), ("127.0.0.1", 8080), ("::1", 81)]
        assert set(gateway.failures) == set(asked)
        gateway.forget()
        assert gateway.failures == {}
    finally:
        await gateway.close()
        await gateway.close()


async def test_strangers_of_the_same_machine_are_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    async def dial(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise AssertionError

    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    gateway = Gateway(dial, lambda _: True)
    await gateway.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"\x05\x01\x00")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(2)
        writer.close()
    finally:
        await gateway.close()


async def test_a_link_that_is_down_is_said_before_a_browser_starts() -> None:
    link = FakeLink(state=LinkState.LOST)
    link.become(LinkState.LOST, Problem("kvm-01: connection refused"))
    source = ChromeSource(link, WebConfig(name="front", url="http://127.0.0.1:8080/", every=120.0))
    assert (source.period_s, source.limit_s, source.has_rates, source.name) == (120, 60, False, "front")
    with pytest.raises(LinkError, match="connection refused"):
        await source.read(full=True)
    await source.close()
    await source.close()


def test_screenshots_are_private_and_the_oldest_go(tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    at = datetime(2026, 11, 21, tzinfo=UTC)
    data = make([bytes([9] * 6)] * 2, 3, [0, 1])
    for minute in range(pictures.KEPT + 3):
        for name in ("front", "front-2"):
            taken = tmp_path / "page.png"
            taken.write_bytes(data)
            picture = pictures.keep(taken, folder, "kvm/01", name, at + timedelta(minutes=minute))
    assert not taken.exists()
    kept = sorted(path.name for path in folder.iterdir())
    assert len(kept) == 2 * pictures.KEPT
    assert kept[0] == "kvm_01-front-2-20261121T000300000000.png"
    assert kept[pictures.KEPT] == "kvm_01-front-20261121T000300000000.png"
    assert Path(picture.path).read_bytes() == data
    assert stat.S_IMODE(Path(picture.path).stat().st_mode) == 0o600
    assert picture.pixels == (0x090909,) * 4
    taken.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="PNG"):
        pictures.keep(taken, folder, "kvm/01", "front", at)
