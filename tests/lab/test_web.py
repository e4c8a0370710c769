"""Web probes against a real nginx, through a real sshd and directly, and against everything that is no web server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import Link, LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.web import WebFault, WebReading
from debugtui.sources.web import source as source_module
from debugtui.sources.web.source import WebSource
from tests.lab.repair.remote_tools import linked
from tests.services.nginx_server import NginxServer, make_certificate
from tests.services.ssh_server import HOST, SshServer, free_port

MakeNginx = Callable[..., NginxServer]


@contextlib.asynccontextmanager
async def local() -> AsyncIterator[Link]:
    link = LocalLink("kvm-01")
    await link.start()
    try:
        yield link
    finally:
        await link.close()


@pytest.fixture(params=["local", "ssh"])
async def link(request: pytest.FixtureRequest, make_ssh_server: Callable[..., SshServer]) -> AsyncIterator[Link]:
    async with local() if request.param == "local" else linked(make_ssh_server()) as made:
        yield made


async def probe(link: Link, url: str, **changes: object) -> WebReading:
    config = WebConfig.model_validate({"name": "front", "url": url, **changes})
    return await WebSource(link, config).read(full=True)


@pytest.fixture
def site(make_nginx: MakeNginx) -> NginxServer:
    nginx = make_nginx()
    pair = make_certificate(nginx.folder, "site", [HOST])
    nginx.site(
        "site",
        f"""
        limit_req_zone $server_name zone=slow:1m rate=1r/s;
        server {{
            listen {HOST}:{nginx.port};
            listen {HOST}:{nginx.tls_port} ssl;
            ssl_certificate {pair.certificate};
            ssl_certificate_key {pair.key};
            default_type text/plain;
            location = / {{ return 200 "Coach says hello"; }}
            location = /json {{ return 200 '{{"checks": {{"db": "ok"}}, "items": [{{"id": 7}}]}}'; }}
            location = /gone {{ return 404; }}
            location = /broken {{ return 500; }}
            location = /moved {{ return 301 /; }}
            location = /round {{ return 302 /round; }}
            location = /away {{ return 302 ftp://{HOST}/; }}
        }}
        """,
    )
    nginx.start()
    return nginx


async def test_a_sound_answer_has_its_status_its_times_and_its_matches(link: Link, site: NginxServer) -> None:
    reading = await probe(link, site.url, expect={"body": "hello"})
    assert (reading.status, reading.reason, reading.fault, reading.sound) == (200, "OK", None, True)
    assert reading.http_version == "HTTP/1.1"
    assert reading.server.startswith("nginx")
    assert reading.size_bytes == len("Coach says hello")
    timing = reading.timing
    assert timing.connect_ms is not None
    assert timing.first_byte_ms is not None
    assert timing.total_ms is not None
    assert timing.tls_ms is None
    assert timing.total_ms >= timing.first_byte_ms


async def test_a_self_signed_page_is_looked_at_all_the_same(link: Link, site: NginxServer) -> None:
    reading = await probe(link, site.tls_url)
    assert (reading.status, reading.fault) == (200, None)
    assert reading.timing.tls_ms is not None


async def test_redirects_are_followed_and_told(link: Link, site: NginxServer) -> None:
    reading = await probe(link, f"{site.url}/moved")
    assert (reading.status, [(one.status, one.url) for one in reading.redirects]) == (200, [(301, f"{site.url}/")])
    assert reading.final_url == f"{site.url}/"
    asked = await probe(link, f"{site.url}/moved", expect={"status": 301})
    assert (asked.status, asked.sound) == (301, True)


@pytest.mark.parametrize(("path", "says"), [("/round", "more than 5 redirects"), ("/away", "which is no web address")])
async def test_redirects_that_lead_nowhere_are_a_fault(link: Link, site: NginxServer, path: str, says: str) -> None:
    reading = await probe(link, f"{site.url}{path}")
    assert reading.fault is WebFault.REDIRECTS
    assert says in reading.fault_says


@pytest.mark.parametrize(("path", "status"), [("/gone", 404), ("/broken", 500)])
async def test_another_status_is_no_match(link: Link, site: NginxServer, path: str, status: int) -> None:
    reading = await probe(link, f"{site.url}{path}")
    assert (reading.status, reading.fault, reading.sound) == (status, None, False)
    assert [(match.what, match.found) for match in reading.matches if not match.ok] == [("status", str(status))]


async def test_what_a_json_answer_holds_is_compared(link: Link, site: NginxServer) -> None:
    wanted = {"checks.db": "ok", "items[0].id": "7", "items[1].id": "8"}
    reading = await probe(link, f"{site.url}/json", expect={"json_path": wanted})
    assert [(match.what, match.found, match.ok) for match in reading.matches[1:]] == [
        ("json checks.db", "ok", True),
        ("json items[0].id", "7", True),
        ("json items[1].id", "nothing at items[1]", False),
    ]


async def test_a_body_that_is_another_one_is_shown_in_part(link: Link, site: NginxServer) -> None:
    reading = await probe(link, site.url, expect={"body": "goodbye"})
    assert not reading.sound
    assert reading.matches[1].found == "Coach says hello"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"SSH-2.0-OpenSSH\r\nnonsense\r\n\r\n")
    await writer.drain()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbeginning")
    await writer.drain()


async def close_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(64):
        writer.write(b"x" * 65_536)
        await writer.drain()


@pytest.mark.parametrize(
    ("handler", "fault"),
    [(hang, WebFault.TIMEOUT), (garbage, WebFault.PROTOCOL), (cut, WebFault.RESET), (close_at_once, WebFault.RESET)],
    ids=["hangs", "garbage", "cut", "closes"],
)
async def test_what_is_no_whole_answer_has_its_class(
    link: Link, handler: Handler, fault: WebFault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "LIMIT_S", 1.0)
    async with answering(handler) as url:
        reading = await probe(link, url)
    assert (reading.fault, reading.status) == (fault, None), reading.fault_says
    assert reading.fault_says


async def test_a_body_without_an_end_is_read_in_part(link: Link) -> None:
    async with answering(huge) as url:
        reading = await probe(link, url)
    assert (reading.status, reading.size_bytes) == (200, 1_000_000)


async def test_nobody_listening_is_refused(link: Link) -> None:
    reading = await probe(link, f"http://{HOST}:{free_port()}/")
    assert reading.fault is WebFault.REFUSED, reading.fault_says


async def test_a_name_that_nobody_knows_is_dns(link: Link) -> None:
    reading = await probe(link, "http://no-such-name.invalid/")
    assert reading.fault is WebFault.DNS, reading.fault_says


async def test_a_port_that_speaks_no_tls_is_tls(link: Link, site: NginxServer) -> None:
    reading = await probe(link, f"https://{HOST}:{site.port}/")
    assert reading.fault is WebFault.TLS, reading.fault_says


async def test_without_a_link_there_is_no_reading(site: NginxServer) -> None:
    link = LocalLink("kvm-01")
    await link.close()
    with pytest.raises(LinkError):
        await probe(link, site.url)
    reading = await probe(link, site.url, direct=True)
    assert reading.status == 200


async def test_five_probes_have_percentiles(link: Link, site: NginxServer) -> None:
    source = WebSource(link, WebConfig(name="front", url=site.url))
    readings = [await source.read(full=False) for _ in range(5)]
    assert readings[3].p95_ms is None
    assert readings[4].p95_ms is not None
    assert readings[4].failed_share == 0.0
