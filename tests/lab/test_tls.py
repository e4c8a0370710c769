"""Certificates that a real nginx serves, through a real sshd and directly: what is wrong with each is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from debugtui.alerts.tls import findings
from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import Link
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.sources.tls.source import TlsSource
from tests.lab.repair.remote_tools import linked
from tests.lab.test_web import local
from tests.services.nginx_server import NginxServer, Pair, make_certificate
from tests.services.ssh_server import HOST, SshServer, free_port

MakeNginx = Callable[..., NginxServer]


@pytest.fixture(params=["local", "ssh"])
async def link(request: pytest.FixtureRequest, make_ssh_server: Callable[..., SshServer]) -> AsyncIterator[Link]:
    async with local() if request.param == "local" else linked(make_ssh_server()) as made:
        yield made


@pytest.fixture
def ca(tmp_path: Path) -> Pair:
    return make_certificate(tmp_path, "authority", ca=True)


def serve(nginx: NginxServer, pair: Pair, name: str = "_") -> None:
    nginx.site(
        "site",
        f"server {{ listen {HOST}:{nginx.tls_port} ssl default_server; server_name {name};"
        f" ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key}; return 200 hello; }}",
    )


async def look(link: Link, server: NginxServer, ca: Pair | None = None, **changes: object) -> TlsReading:
    values: dict[str, object] = {"name": "front", "url": f"{server.tls_url}/", **changes}
    if ca is not None:
        values["ca"] = str(ca.certificate)
    return await TlsSource(link, WebConfig.model_validate(values)).read(full=True)


def rules(reading: TlsReading) -> list[str]:
    return [finding.rule for finding in findings(Target("kvm-01", "tls", "front"), reading)]


async def test_a_sound_certificate_has_no_finding(link: Link, make_nginx: MakeNginx, ca: Pair) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(nginx.folder, "leaf", [HOST, "localhost"], issuer=ca))
    nginx.start()
    reading = await look(link, nginx, ca, nginx=str(nginx.config))
    assert (reading.trusted, reading.name_matches, reading.same_as_disk) == (True, True, True), reading.distrust
    assert reading.served is not None
    assert reading.served.names == ("localhost", HOST)
    assert 89 < reading.served.days_left < 91
    assert reading.served.key_type == "EC 256"
    assert [one.subject for one in reading.chain] == ["leaf", "authority"]
    assert reading.protocol.startswith("TLSv1.")
    assert reading.disk is not None
    assert (reading.disk.key_matches, reading.gaps) == (True, ())
    assert rules(reading) == []


@pytest.mark.parametrize(
    ("names", "days", "rule"),
    [
        ([HOST], 15, "tls_expires"),
        ([HOST], 3, "tls_expires"),
        ([HOST], -2, "tls_expired"),
        (["other.example.org"], 90, "tls_name"),
    ],
    ids=["soon", "now", "over", "name"],
)
async def test_what_is_wrong_is_named(
    link: Link, make_nginx: MakeNginx, ca: Pair, names: list[str], days: float, rule: str
) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(nginx.folder, "leaf", names, issuer=ca, days=days))
    nginx.start()
    assert rules(await look(link, nginx, ca)) == [rule]


async def test_a_self_signed_one_is_called_so(link: Link, make_nginx: MakeNginx) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(nginx.folder, "leaf", [HOST]))
    nginx.start()
    reading = await look(link, nginx)
    (finding,) = findings(Target("kvm-01", "tls", "front"), reading)
    assert "self-signed" in finding.message


async def test_one_that_was_renewed_and_not_reloaded_is_named(link: Link, make_nginx: MakeNginx, ca: Pair) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(nginx.folder, "leaf", [HOST], issuer=ca, days=30))
    nginx.start()
    make_certificate(nginx.folder, "leaf", [HOST], issuer=ca, days=90)
    reading = await look(link, nginx, ca, nginx=str(nginx.config))
    assert reading.same_as_disk is False
    assert rules(reading) == ["tls_not_reloaded"]
    nginx.reload()
    assert rules(await look(link, nginx, ca, nginx=str(nginx.config))) == []


async def test_the_key_of_another_certificate_is_named(link: Link, make_nginx: MakeNginx, ca: Pair) -> None:
    nginx = make_nginx()
    pair = make_certificate(nginx.folder, "leaf", [HOST], issuer=ca)
    serve(nginx, pair)
    nginx.start()
    other = make_certificate(nginx.folder, "other", [HOST], issuer=ca)
    pair.key.write_bytes(other.key.read_bytes())
    assert rules(await look(link, nginx, ca, nginx=str(nginx.config))) == ["tls_key"]


async def test_the_certificate_of_the_server_that_answers_is_compared(link: Link, make_nginx: MakeNginx, ca: Pair) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(nginx.folder, "first", [HOST], issuer=ca))
    pair = make_certificate(nginx.folder, "second", ["localhost"], issuer=ca)
    nginx.site(
        "second",
        f"server {{ listen {HOST}:{nginx.tls_port} ssl; server_name localhost;"
        f" ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key}; return 200 hello; }}",
    )
    nginx.start()
    reading = await look(link, nginx, ca, nginx=str(nginx.config), url=f"https://localhost:{nginx.tls_port}/")
    assert reading.disk is not None
    assert (reading.disk.path, reading.same_as_disk) == (str(pair.certificate), True)


async def test_nobody_there_and_no_tls_are_faults(link: Link, make_nginx: MakeNginx) -> None:
    nginx = make_nginx()
    nginx.site("plain", f"server {{ listen {HOST}:{nginx.port}; return 200 hello; }}")
    nginx.start()
    for port in (nginx.port, free_port()):
        reading = await look(link, nginx, url=f"https://{HOST}:{port}/")
        assert reading.fault
        assert rules(reading) == ["tls_down"]
