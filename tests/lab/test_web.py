"""The web probe against a real nginx and servers that misbehave: directly, on a local host, and through a real sshd."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from debugtui.config.hosts import BudgetConfig, ExpectConfig, WebConfig
from debugtui.hosts.link import Link, LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.source import Kind
from debugtui.model.web import Redirect, WebFault, WebReading
from debugtui.sources.web import probe as probing
from debugtui.sources.web.source import WebSource
from tests.lab.link_tools import becomes, make_link, nothing_left, started
from tests.services.nginx_server import NginxServer, make_certificate
from tests.services.raw_server import answer, raw_server, says
from tests.services.ssh_server import HOST, SshServer, free_port

pytestmark = pytest.mark.lab

WAYS = ("direct", "local", "ssh")


@pytest.fixture(params=WAYS)
async def way(request: pytest.FixtureRequest, ssh_server: SshServer) -> AsyncIterator[tuple[Link, bool]]:
    """A link and whether it is passed by."""
    if request.param == "ssh":
        async with started(make_link(ssh_server)) as link:
            yield link, False
    else:
        yield LocalLink("here"), request.param == "direct"


def source(way: tuple[Link, bool], url: str, **changes: Any) -> WebSource:
    return WebSource(way[0], WebConfig(name="shop", url=url, direct=way[1], **changes))


async def read(way: tuple[Link, bool], url: str, **changes: Any) -> WebReading:
    return await source(way, url, **changes).read(full=True)


def site(nginx: NginxServer, extra: str = "") -> None:
    nginx.site(
        "web",
        f"""server {{
            listen {HOST}:{nginx.port} default_server;
            default_type text/plain;
            location = /health {{
                default_type application/json;
                return 200 '{{"checks":{{"db":"ok"}},"items":[{{"id":7}}]}}';
            }}
            location = /host {{
                return 200 "host=$http_host server=$host agent=$http_user_agent coding=$http_accept_encoding";
            }}
            location = /boom {{ return 500 "oh no"; }}
            location = /old {{ return 302 /older?ticket=secret; }}
            location = /older {{ return 301 $scheme://$http_host/health; }}
            location = /circle {{ return 302 /circle; }}
            location = /ftp {{ return 302 ftp://{HOST}/x; }}
            location = /nowhere {{ return 302 http://{HOST}:99999/; }}
            location = /broken {{ return 302 "http://a:b:c/"; }}
            location /long {{ return 302 /long$request_uri; }}
            {extra}
        }}""",
    )


async def test_a_sound_page(way: tuple[Link, bool], make_nginx: Callable[..., NginxServer]) -> None:
    nginx = make_nginx()
    site(nginx)
    nginx.start()
    expect = ExpectConfig(body='"db":"ok"', json_path={"checks.db": "ok", "items[0].id": "7"})
    probe = source(way, f"{nginx.url}/health", expect=expect, budgets=BudgetConfig(first_byte=0.5), every=3)
    assert (probe.kind, probe.name, probe.period_s, probe.has_rates) == (Kind.WEB, "shop", 3, False)
    reading = await probe.read(full=False)
    assert reading.sound
    assert (reading.status, reading.reason, reading.http_version) == (200, "OK", "HTTP/1.1")
    assert reading.server.startswith("nginx/")
    assert reading.url == reading.final_url == f"{nginx.url}/health"
    assert reading.size_bytes == 41
    assert [match.what for match in reading.matches] == ["status", "body", "json checks.db", "json items[0].id"]
    timing = reading.timing
    assert timing.tls_ms is None
    assert timing.connect_ms is not None
    assert timing.first_byte_ms is not None
    assert timing.total_ms is not None
    assert 0 < timing.first_byte_ms < timing.total_ms < 1000
    assert timing.connect_ms + timing.first_byte_ms <= timing.total_ms
    assert reading.first_byte_budget_ms == 500
    for _ in range(4):
        assert reading.p50_ms is reading.failed_share is None
        reading = await probe.read(full=False)
    assert reading.p50_ms is not None
    assert reading.p95_ms is not None
    assert reading.p50_ms <= reading.p95_ms
    assert reading.failed_share == 0


async def test_the_name_in_the_request_stays(way: tuple[Link, bool], make_nginx: Callable[..., NginxServer]) -> None:
    nginx = make_nginx()
    site(nginx)
    nginx.start()
    wanted = f"host=localhost:{nginx.port} server=localhost agent=debugtui/"
    reading = await read(way, f"http://localhost:{nginx.port}/host", expect=ExpectConfig(body=wanted))
    assert reading.sound, reading
    assert (await read(way, f"{nginx.url}/host", expect=ExpectConfig(body="coding=identity"))).sound


async def test_wrong_answers(way: tuple[Link, bool], make_nginx: Callable[..., NginxServer]) -> None:
    nginx = make_nginx()
    site(nginx)
    nginx.start()
    boom = await read(way, f"{nginx.url}/boom")
    assert (boom.fault, boom.status, boom.reason, boom.sound) == (None, 500, "Internal Server Error", False)
    lost = await read(way, f"{nginx.url}/lost")
    assert (lost.status, lost.matches[0].found, lost.matches[0].ok) == (404, "404", False)
    assert (await read(way, f"{nginx.url}/lost", expect=ExpectConfig(status=404))).sound
    other = await read(way, f"{nginx.url}/health", expect=ExpectConfig(body="welcome", json_path={"checks.cache": "ok"}))
    assert [match.ok for match in other.matches] == [True, False, False]
    assert other.matches[2].found == "checks has no cache"


async def test_redirects(way: tuple[Link, bool], make_nginx: Callable[..., NginxServer]) -> None:
    nginx = make_nginx()
    site(nginx)
    nginx.start()
    reading = await read(way, f"{nginx.url}/old")
    assert reading.sound
    assert reading.redirects == (Redirect(302, f"{nginx.url}/older?…"), Redirect(301, f"{nginx.url}/health"))
    assert reading.final_url == f"{nginx.url}/health"
    wanted = await read(way, f"{nginx.url}/old", expect=ExpectConfig(status=302))
    assert (wanted.sound, wanted.redirects) == (True, ())
    for path, words in (
        ("circle", "goes round in circles"),
        ("long", "leads on and on"),
        ("ftp", "no web address"),
        ("nowhere", "no web address"),
        ("broken", "no address"),
    ):
        lost = await read(way, f"{nginx.url}/{path}")
        assert lost.fault is WebFault.REDIRECTS
        assert words in lost.fault_says
        assert lost.status == 302
        assert len(lost.redirects) <= probing.REDIRECTS + 1


async def test_a_redirect_to_a_dead_port(way: tuple[Link, bool], make_nginx: Callable[..., NginxServer]) -> None:
    nginx, dead = make_nginx(), free_port()
    site(nginx, f"location = /away {{ return 302 http://{HOST}:{dead}/; }}")
    nginx.start()
    reading = await read(way, f"{nginx.url}/away")
    assert reading.fault is WebFault.REFUSED
    assert str(dead) in reading.fault_says
    assert reading.redirects == (Redirect(302, f"http://{HOST}:{dead}/"),)


async def test_tls_is_timed_and_not_judged(
    way: tuple[Link, bool], make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "other.example", ("other.example",), days=-1)  # wrong name, ended, self-signed
    nginx.site(
        "tls",
        f"""server {{
            listen {HOST}:{nginx.tls_port} ssl; server_name localhost;
            ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};
            location / {{ default_type text/plain; return 200 "sni=$ssl_server_name $ssl_protocol"; }}
        }}""",
    )
    nginx.start()
    reading = await read(way, f"https://localhost:{nginx.tls_port}/", expect=ExpectConfig(body="sni=localhost TLSv1."))
    assert reading.sound, reading
    assert reading.timing.tls_ms is not None
    assert reading.timing.tls_ms > 0
    # Plain HTTP to a port that speaks TLS is an answer of nginx; TLS to a plain port is none.
    plain = await read(way, f"http://localhost:{nginx.tls_port}/")
    assert (plain.status, plain.fault) == (400, None)


async def test_tls_to_a_plain_port(way: tuple[Link, bool], make_nginx: Callable[..., NginxServer]) -> None:
    nginx = make_nginx()
    site(nginx)
    nginx.start()
    reading = await read(way, f"https://localhost:{nginx.port}/")
    assert reading.fault is WebFault.TLS
    assert "does not speak TLS" in reading.fault_says
    assert reading.timing.connect_ms is not None
    assert reading.timing.first_byte_ms is None


async def test_refused_and_unknown(way: tuple[Link, bool]) -> None:
    port = free_port()
    reading = await read(way, f"http://{HOST}:{port}/x?ticket=secret")
    assert reading.fault is WebFault.REFUSED
    assert str(port) in reading.fault_says
    assert "secret" not in reading.fault_says
    assert (reading.status, reading.size_bytes, reading.final_url) == (None, None, "")
    unknown = await read(way, "http://no-such-host.invalid/")
    assert unknown.fault is WebFault.DNS


async def test_a_service_that_stops_between_two_probes_is_refused(ssh_server: SshServer) -> None:
    """The link counts a trial for some seconds: within them a dead port looks as if somebody hung up."""
    async with started(make_link(ssh_server)) as link:
        async with raw_server(says(answer(b"hi"))) as port:
            probe = source((link, False), f"http://{HOST}:{port}/")
            assert (await probe.read(full=False)).sound
        began = time.monotonic()
        reading = await probe.read(full=False)
        assert reading.fault is WebFault.REFUSED, reading.fault_says
        assert time.monotonic() - began < 8
        again = time.monotonic()
        assert (await probe.read(full=False)).fault is WebFault.REFUSED
        assert time.monotonic() - again < 1
        async with raw_server(says(answer(b"hi")), port=port):
            assert (await probe.read(full=False)).sound


async def test_a_secret_in_the_configured_address_is_sent_and_not_shown() -> None:
    heads: list[bytes] = []

    async def act(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(answer(b"hi"))

    async with raw_server(act) as port:
        reading = await read((LocalLink("here"), True), f"http://{HOST}:{port}/x?api_key=abcdef123")
    assert reading.sound
    assert heads[0].startswith(b"GET /x?api_key=abcdef123 HTTP/1.1\r\n")
    assert "abcdef123" not in repr(reading)
    assert not any(name in heads[0].lower() for name in (b"cookie", b"authorization", b"referer"))


async def test_connections_that_end_too_early(way: tuple[Link, bool]) -> None:
    for sent, words in (
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "closed in the middle of the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "closed in the middle of the answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "closed in the middle of the answer"),
    ):
        async with raw_server(says(sent)) as port:
            reading = await read(way, f"http://{HOST}:{port}/")
        assert reading.fault is WebFault.RESET, sent
        assert words in reading.fault_says, sent
        assert not reading.sound


async def test_a_connection_that_is_reset(way: tuple[Link, bool]) -> None:
    async def act(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    async with raw_server(act) as port:
        reading = await read(way, f"http://{HOST}:{port}/")
    assert (reading.fault, reading.status) == (WebFault.RESET, 200)


async def test_tls_that_is_cut_off(way: tuple[Link, bool]) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    server = await asyncio.start_server(hang_up, HOST, 0)
    async with server:
        reading = await read(way, f"https://{HOST}:{server.sockets[0].getsockname()[1]}/")
    assert reading.fault is WebFault.RESET
    assert "during the TLS handshake" in reading.fault_says


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"\0\1\2\3\r\n\r\n",
        b"HTTP/1.1 9999 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_no_http(sent: bytes) -> None:
    async with raw_server(says(sent)) as port:
        reading = await read((LocalLink("here"), True), f"http://{HOST}:{port}/")
    assert reading.fault is WebFault.PROTOCOL, reading
    assert len(reading.fault_says) < 300
    assert "\0" not in reading.fault_says


async def test_hung_and_slow(way: tuple[Link, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LIMIT_S", 0.8)

    async def hang(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def drip(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def late(head: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(answer(b"late"))

    for act, words in ((hang, "no answer within 0.8 s"), (drip, "the answer did not end within 0.8 s")):
        async with raw_server(act) as port:
            began = time.monotonic()
            reading = await read(way, f"http://{HOST}:{port}/")
            assert time.monotonic() - began < 2
        assert reading.fault is WebFault.TIMEOUT
        assert reading.fault_says.endswith(words)
    async with raw_server(late) as port:
        slow = await read(way, f"http://{HOST}:{port}/")
    assert slow.sound
    assert slow.timing.first_byte_ms is not None
    assert 290 < slow.timing.first_byte_ms < 700


async def test_a_handshake_that_hangs(way: tuple[Link, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LIMIT_S", 0.5)
    async with raw_server(says(b"")) as port:  # it waits for the end of a head, which a handshake does not have
        reading = await read(way, f"https://{HOST}:{port}/")
    assert reading.fault is WebFault.TIMEOUT
    assert reading.fault_says.endswith("no TLS handshake within 0.5 s")


async def test_a_huge_body_is_cut(way: tuple[Link, bool]) -> None:
    sent = 0

    async def pour(head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nbegin")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with raw_server(pour) as port:
        reading = await read(way, f"http://{HOST}:{port}/", expect=ExpectConfig(body="begin"))
        missing = await read(way, f"http://{HOST}:{port}/", expect=ExpectConfig(body="end", json_path={"a": "b"}))
        await asyncio.sleep(0.1)
        before = sent
        await asyncio.sleep(0.2)
        assert sent == before, "the connection is still read"
    assert reading.sound
    assert reading.size_bytes == probing.BODY_LIMIT
    assert missing.matches[1].found == "not in its 1000000 characters (more came)"
    assert missing.matches[2].found == "its JSON is longer than what is read"


async def test_nothing_is_left_of_any_probe(ssh_server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "LIMIT_S", 0.4)

    async def hang(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nx")
        await asyncio.sleep(60)

    good_one = says(answer(b"x" * 70_000))
    async with nothing_left(), started(make_link(ssh_server)) as link, raw_server(good_one) as good, raw_server(hang) as hung:
        for _ in range(3):
            assert (await read((link, False), f"http://{HOST}:{good}/")).sound
            assert (await read((link, False), f"http://{HOST}:{hung}/")).fault is WebFault.TIMEOUT
        cancelled = asyncio.create_task(read((link, False), f"http://{HOST}:{hung}/"))
        await asyncio.sleep(0.1)
        cancelled.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await cancelled


async def test_without_a_link_nothing_is_known(make_ssh_server: Callable[..., SshServer]) -> None:
    server = make_ssh_server()
    async with started(make_link(server)) as link, raw_server(says(answer(b"hi"))) as port:
        probe = source((link, False), f"http://{HOST}:{port}/")
        assert (await probe.read(full=False)).sound
        server.stop()
        await becomes(link, type(link.status.state).LOST, 5)
        with pytest.raises(LinkError):
            await probe.read(full=False)


async def test_a_server_that_forbids_forwarding_says_nothing_of_the_page(make_ssh_server: Callable[..., SshServer]) -> None:
    server = make_ssh_server("AllowTcpForwarding no")
    async with started(make_link(server)) as link, raw_server(says(answer(b"hi"))) as port:
        with pytest.raises(LinkError, match="does not allow forwarding"):
            await read((link, False), f"http://{HOST}:{port}/")
