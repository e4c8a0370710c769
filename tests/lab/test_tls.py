"""The TLS source against a real nginx with certificates of every kind: on a local host, and through a real sshd."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from debugtui.alerts.tls import findings
from debugtui.config.hosts import WebConfig
from debugtui.hosts.link import CommandResult, Link, LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.alerts import Severity
from debugtui.model.source import Kind, LinkState
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.sources.tls import handshake
from debugtui.sources.tls.source import TlsSource
from tests.lab.link_tools import becomes, make_link, nothing_left, started
from tests.services.nginx_server import NginxServer, Pair, make_certificate
from tests.services.raw_server import raw_server, says
from tests.services.ssh_server import HOST, SshServer, free_port

pytestmark = pytest.mark.lab


@pytest.fixture(params=["local", "ssh"])
async def link(request: pytest.FixtureRequest, ssh_server: SshServer) -> AsyncIterator[Link]:
    if request.param == "ssh":
        async with started(make_link(ssh_server)) as made:
            yield made
    else:
        yield LocalLink("here")


def serve(nginx: NginxServer, pair: Pair, names: str = "localhost", extra: str = "") -> None:
    nginx.site(
        "tls",
        f"""server {{
            listen {HOST}:{nginx.tls_port} ssl; server_name {names}; {extra}
            ssl_certificate {pair.certificate}; ssl_certificate_key {pair.key};
            location / {{ return 200 "hi"; }}
        }}""",
    )


def source(link: Link, nginx: NginxServer, host: str = "localhost", **changes: Any) -> TlsSource:
    config = changes.pop("config", nginx.config)
    values = {"name": "shop", "url": f"https://{host}:{nginx.tls_port}/", "nginx": str(config), **changes}
    return TlsSource(link, WebConfig(**values))


def alerts(reading: TlsReading) -> dict[str, tuple[Severity, str]]:
    return {one.rule: (one.severity, one.message) for one in findings(Target("h", "tls", "shop"), reading)}


async def test_a_sound_certificate(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    ca = make_certificate(tmp_path, "Own CA", ("ca.example",), ca=True)
    pair = make_certificate(tmp_path, "shop", ("localhost", "*.shop.example", HOST), issuer=ca)
    serve(nginx, pair)
    nginx.start()
    one = source(link, nginx, ca=str(ca.certificate))
    assert (one.kind, one.name, one.period_s) == (Kind.TLS, "shop", 60)
    reading = await one.read(full=True)
    assert (reading.fault, reading.gaps) == ("", ())
    assert reading.address == f"localhost:{nginx.tls_port}"
    assert reading.server_name == "localhost"
    assert reading.protocol.startswith("TLSv1.")
    assert reading.cipher
    assert (reading.trusted, reading.distrust, reading.name_matches) == (True, "", True)
    served = reading.served
    assert served is not None
    assert (served.subject, served.issuer, served.self_signed) == ("shop", "Own CA", False)
    assert served.names == ("localhost", "*.shop.example", HOST)
    assert served.days_left == pytest.approx(90, abs=0.1)
    assert served.key_type == "EC secp256r1"
    assert len(served.fingerprint) == 64
    assert [one.subject for one in reading.chain] == ["shop", "Own CA"]
    assert reading.chain[1].self_signed
    disk = reading.disk
    assert disk is not None
    assert (disk.path, disk.key_path) == (str(pair.certificate), str(pair.key))
    assert (disk.key_matches, reading.same_as_disk, reading.renewal) == (True, True, None)
    assert disk.certificate == served
    assert alerts(reading) == {}


async def test_by_address_instead_of_a_name(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "shop", ("localhost", HOST))
    serve(nginx, pair)
    nginx.start()
    reading = await source(link, nginx, HOST).read(full=True)
    assert (reading.name_matches, reading.same_as_disk) == (True, True)
    pair = make_certificate(tmp_path, "shop", ("localhost",))
    nginx.reload()
    assert (await source(link, nginx, HOST).read(full=True)).name_matches is False


async def test_self_signed(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(tmp_path, "shop"))
    nginx.start()
    reading = await source(link, nginx).read(full=True)
    assert (reading.trusted, reading.name_matches) == (False, True)
    assert "self-signed" in reading.distrust
    assert reading.served is not None
    assert reading.served.self_signed
    assert alerts(reading)["tls_untrusted"] == (
        Severity.HIGH,
        "the certificate of shop is self-signed: no browser trusts it",
    )


async def test_an_authority_that_is_not_known(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    ca = make_certificate(tmp_path, "Own CA", ca=True)
    serve(nginx, make_certificate(tmp_path, "shop", issuer=ca))
    nginx.start()
    reading = await source(link, nginx).read(full=True)
    assert (reading.trusted, reading.name_matches) == (False, True)
    assert alerts(reading)["tls_untrusted"][0] is Severity.HIGH
    missing = await source(link, nginx, ca=str(tmp_path / "none.pem")).read(full=True)
    assert missing.trusted is None
    assert [gap.feature for gap in missing.gaps] == ["trust"]
    assert "none.pem" in missing.gaps[0].problem.says


@pytest.mark.parametrize(
    ("days", "rule", "severity", "words"),
    [
        (-2, "tls_expired", Severity.CRITICAL, "expired 2 days ago"),
        (0.5, "tls_expires", Severity.HIGH, "expires in 12 hours"),
        (5.5, "tls_expires", Severity.HIGH, "expires in 5 days"),
        (13.5, "tls_expires", Severity.MEDIUM, "expires in 13 days"),
    ],
)
async def test_the_end_of_a_certificate(
    days: float, rule: str, severity: Severity, words: str, make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    nginx = make_nginx()
    ca = make_certificate(tmp_path, "Own CA", ca=True)
    serve(nginx, make_certificate(tmp_path, "shop", issuer=ca, days=days))
    nginx.start()
    reading = await source(LocalLink("here"), nginx, ca=str(ca.certificate)).read(full=True)
    found = alerts(reading)
    assert set(found) == {rule}
    assert found[rule][0] is severity
    assert words in found[rule][1]
    assert reading.served is not None
    assert reading.served.days_left == pytest.approx(days, abs=0.01)
    assert reading.trusted is (days > 0)
    assert reading.name_matches is True


async def test_another_name(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    ca = make_certificate(tmp_path, "Own CA", ca=True)
    pair = make_certificate(tmp_path, "shop", ("shop.example", "*.localhost"), issuer=ca)
    serve(nginx, pair)
    nginx.start()
    reading = await source(link, nginx, ca=str(ca.certificate)).read(full=True)
    assert (reading.trusted, reading.name_matches) == (True, False)
    assert alerts(reading) == {
        "tls_name": (Severity.HIGH, "the certificate is not for localhost but for shop.example, *.localhost")
    }
    ended = make_certificate(tmp_path, "shop", ("shop.example",), issuer=ca, days=-1)
    assert ended == pair
    nginx.reload()
    reading = await source(link, nginx, ca=str(ca.certificate)).read(full=True)
    assert reading.name_matches is False, "a wrong name is seen on an ended certificate too"
    assert set(alerts(reading)) == {"tls_name", "tls_expired"}


async def test_renewed_on_the_disk_without_a_reload(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    ca = make_certificate(tmp_path, "Own CA", ca=True)
    serve(nginx, make_certificate(tmp_path, "shop", issuer=ca, days=15))
    nginx.start()
    one = source(link, nginx, ca=str(ca.certificate))
    assert (await one.read(full=True)).same_as_disk is True
    await asyncio.sleep(1)  # certificates count in whole seconds
    make_certificate(tmp_path, "shop", issuer=ca, days=90)
    reading = await one.read(full=False)
    assert reading.same_as_disk is False
    assert reading.disk is not None
    assert reading.served is not None
    assert (round(reading.disk.certificate.days_left), round(reading.served.days_left)) == (90, 15)
    assert reading.disk.key_matches is True
    assert alerts(reading)["tls_stale"][0] is Severity.HIGH
    assert "renewed on the disk, the old one is served: reload" in alerts(reading)["tls_stale"][1]
    nginx.reload()
    after = await one.read(full=False)
    assert (after.same_as_disk, alerts(after)) == (True, {})


async def test_something_in_front_of_the_host_is_no_stale_certificate(
    make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(tmp_path, "shop"))
    nginx.start()
    make_certificate(tmp_path, "shop", ("localhost", "shop.example"))
    local = LocalLink("here")
    assert (await source(local, nginx, direct=True).read(full=True)).same_as_disk is None
    assert (await source(local, nginx).read(full=True)).same_as_disk is False
    make_certificate(tmp_path, "shop")
    assert (await source(local, nginx, direct=True).read(full=True)).same_as_disk is False


async def test_the_key_of_another_certificate(
    link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nginx does not start with such a pair: it comes when somebody copies one file of two, and the next start fails."""
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "shop")
    other = make_certificate(tmp_path, "other")
    serve(nginx, pair)
    nginx.start()
    shutil.copy(other.key, pair.key)
    private = other.key.read_bytes().splitlines()[1]
    came: list[CommandResult] = []
    run = link.run

    async def listen(argv: Any, **options: Any) -> CommandResult:
        came.append(await run(argv, **options))
        return came[-1]

    monkeypatch.setattr(link, "run", listen)
    reading = await source(link, nginx).read(full=True)
    assert reading.disk is not None
    assert reading.disk.key_matches is False
    assert alerts(reading)["tls_key"] == (Severity.HIGH, alerts(reading)["tls_key"][1])
    assert "shop.key is not the key of" in alerts(reading)["tls_key"][1]
    assert came
    assert not any(private in one.stdout + one.stderr or b"PRIVATE" in one.stdout for one in came), "a key left its host"


async def test_keys_that_cannot_be_compared(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "shop")
    serve(nginx, pair)
    nginx.start()
    locked = ["openssl", "pkey", "-in", str(pair.key), "-aes256", "-passout", "pass:geheim", "-out", f"{pair.key}.locked"]
    subprocess.run(locked, check=True, capture_output=True, timeout=30)
    os.replace(f"{pair.key}.locked", pair.key)
    for spoil in (lambda: None, lambda: pair.key.write_text("no key"), lambda: pair.key.unlink()):
        spoil()
        began = time.monotonic()
        reading = await source(link, nginx).read(full=True)
        assert time.monotonic() - began < 5, "openssl asks for a passphrase"
        assert reading.disk is not None
        assert reading.disk.key_matches is None
        assert [gap.feature for gap in reading.gaps] == ["key"]
        assert "tls_key" not in alerts(reading)


async def test_two_certificates_of_one_server(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    """One of RSA beside one of elliptic curves: what is served depends on the client."""
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "shop")
    rsa = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old", "-days", "30"]
    rsa += ["-keyout", str(tmp_path / "rsa.key"), "-out", str(tmp_path / "rsa.pem")]
    subprocess.run(rsa, check=True, capture_output=True, timeout=60)
    more = f"ssl_certificate {tmp_path}/rsa.pem; ssl_certificate_key {tmp_path}/rsa.key;"
    serve(nginx, pair, extra=more)
    nginx.start()
    reading = await source(link, nginx).read(full=True)
    assert reading.same_as_disk is True
    assert reading.disk is not None
    assert (reading.disk.path, reading.disk.key_matches) == (str(pair.certificate), True)


async def test_what_is_no_tls(link: Link, make_nginx: Callable[..., NginxServer], monkeypatch: pytest.MonkeyPatch) -> None:
    nginx = make_nginx()
    port = free_port()
    refused = await TlsSource(link, WebConfig(name="x", url=f"https://{HOST}:{port}/")).read(full=True)
    assert "refused" in refused.fault
    assert (refused.served, refused.trusted, refused.name_matches, refused.same_as_disk) == (None, None, None, None)
    assert alerts(refused)["tls_down"][0] is Severity.CRITICAL
    nginx.site("web", f"server {{ listen {HOST}:{nginx.tls_port}; }}")
    nginx.start()
    plain = await source(link, nginx).read(full=True)
    assert "does not speak TLS" in plain.fault
    assert "does not speak TLS" in alerts(plain)["tls_down"][1]
    assert [gap.feature for gap in plain.gaps] == ["certificate on the disk"]
    unknown = await TlsSource(link, WebConfig(name="x", url="https://no-such-host.invalid/")).read(full=True)
    assert "not known" in unknown.fault
    monkeypatch.setattr(handshake, "LIMIT_S", 0.5)
    async with raw_server(says(b"")) as hung:
        slow = await TlsSource(link, WebConfig(name="x", url=f"https://{HOST}:{hung}/")).read(full=True)
    assert "no TLS handshake within 0.5 s" in slow.fault


async def test_hung_up_and_stopped_meanwhile(
    ssh_server: SshServer, make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.close()

    async with started(make_link(ssh_server)) as link:
        async with await asyncio.start_server(hang_up, HOST, 0) as server:
            url = f"https://{HOST}:{server.sockets[0].getsockname()[1]}/"
            closed = await TlsSource(link, WebConfig(name="x", url=url)).read(full=True)
        assert "closed during the TLS handshake" in closed.fault
        nginx = make_nginx()
        serve(nginx, make_certificate(tmp_path, "shop"))
        nginx.start()
        one = source(link, nginx)
        assert (await one.read(full=True)).fault == ""
        nginx.stop()
        stopped = await one.read(full=True)
        assert "refused" in stopped.fault
        assert stopped.disk is not None, "the disk is looked at all the same"


async def test_an_old_server_is_looked_at_and_judged(
    link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "old")
    serve(nginx, pair, extra="ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;")
    nginx.start()
    reading = await source(link, nginx, ca=str(pair.certificate)).read(full=True)
    assert reading.fault == ""
    assert reading.protocol == "TLSv1.1"
    assert reading.trusted is False
    assert reading.distrust == "a client with today's settings fails: tlsv1 alert protocol version"
    assert reading.name_matches is True


async def test_the_configuration_is_found_as_nginx_finds_it(
    link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    """Several servers on one port, includes with patterns and relative names, a certificate of all servers."""
    nginx = make_nginx()
    first = make_certificate(nginx.folder, "first", (HOST,))
    second = make_certificate(nginx.folder, "second", ("localhost",))
    (nginx.folder / "snippets").mkdir()
    (nginx.folder / "snippets" / "a.inc").write_text("ssl_certificate second.pem; ssl_certificate_key second.key;")
    nginx.site(
        "many",
        f"""
        # a comment with a {{ and a "quote
        map $http_x $y {{ default "{{"; "~^a;b" c; }}
        ssl_certificate first.pem; ssl_certificate_key {first.key};
        server {{ listen {HOST}:{nginx.tls_port} ssl; server_name first.example; }}
        server {{ listen {HOST}:{nginx.tls_port}; server_name "~^local(?<rest>host)$"; include snippets/*.inc; }}
        """,
    )
    assert nginx.test().returncode == 0, nginx.test().stderr
    nginx.start()
    for host, pair in ((HOST, first), ("localhost", second)):
        reading = await source(link, nginx, host).read(full=True)
        assert reading.disk is not None, reading.gaps
        assert reading.disk.path == str(pair.certificate)
        assert (reading.same_as_disk, reading.disk.key_matches, reading.name_matches) == (True, True, True)


async def test_a_configuration_that_cannot_be_read(
    make_nginx: Callable[..., NginxServer], make_ssh_server: Callable[..., SshServer], tmp_path: Path
) -> None:
    nginx = make_nginx()
    pair = make_certificate(tmp_path, "shop")
    serve(nginx, pair)
    nginx.start()
    local = LocalLink("here")
    missing = await source(local, nginx, config=tmp_path / "none.conf").read(full=True)
    assert missing.served is not None
    assert missing.disk is None
    assert "no such file" in missing.gaps[0].problem.says
    (nginx.folder / "conf.d" / "bad.conf").write_text("server { listen 80;")
    bad = await source(local, nginx).read(full=True)
    assert "bad.conf" in bad.gaps[0].problem.says
    (nginx.folder / "conf.d" / "bad.conf").write_text(f"include {nginx.folder}/conf.d/bad.conf;")
    assert "includes within each other" in (await source(local, nginx).read(full=True)).gaps[0].problem.says
    (nginx.folder / "conf.d" / "bad.conf").unlink()
    async with started(make_link(make_ssh_server(drop=("dac_override", "dac_read_search")))) as link:
        pair.certificate.chmod(0)
        pair.certificate.parent.chmod(0o755)
        os.chown(pair.certificate, 65534, 65534)
        reading = await source(link, nginx).read(full=True)
        assert "denied" in reading.gaps[0].problem.says.lower()
        assert reading.disk is None
        (nginx.folder / "conf.d" / "tls.conf").chmod(0)
        os.chown(nginx.folder / "conf.d" / "tls.conf", 65534, 65534)
        reading = await source(link, nginx).read(full=True)
        assert "tls.conf cannot be read: permission denied" in reading.gaps[0].problem.says


def lineage(root: Path, pair: Pair, ca: Pair) -> Path:
    """Lay out a certificate as certbot does; return the path that nginx is given."""
    for folder in ("archive/shop", "live/shop", "renewal"):
        (root / folder).mkdir(parents=True)
    whole = pair.certificate.read_bytes()
    end = b"-----END CERTIFICATE-----\n"
    leaf = whole.split(end)[0] + end
    parts = {"cert": leaf, "chain": ca.certificate.read_bytes(), "fullchain": whole, "privkey": pair.key.read_bytes()}
    for name, data in parts.items():
        (root / f"archive/shop/{name}1.pem").write_bytes(data)
        (root / f"live/shop/{name}.pem").symlink_to(f"../../archive/shop/{name}1.pem")
    lines = [f"{name} = {root}/live/shop/{name}.pem" for name in parts]
    lines += ["version = 2.1.0", f"archive_dir = {root}/archive/shop", "[renewalparams]", "authenticator = webroot"]
    lines += [f"logs_dir = {root}/logs", f"account = {'0' * 32}", f"server = https://{HOST}:9/dir", "[[webroot_map]]"]
    (root / "renewal/shop.conf").write_text("\n".join([*lines, f"shop.example = {root}", ""]))
    return root / "live/shop"


async def test_a_renewal_that_fails(link: Link, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    """A real certbot whose authority does not answer, and the log that it writes of it."""
    nginx = make_nginx()
    root = tmp_path / "letsencrypt"
    ca = make_certificate(tmp_path, "Own CA", ca=True)
    live = lineage(root, make_certificate(tmp_path, "shop", issuer=ca, days=5.5), ca)
    serve(nginx, Pair(live / "fullchain.pem", live / "privkey.pem"))
    nginx.start()
    one = source(link, nginx, ca=str(ca.certificate))
    before = await one.read(full=True)
    assert before.renewal is not None, before.gaps
    assert (before.renewal.name, before.renewal.authenticator, before.renewal.last_failure) == ("shop", "webroot", "")
    assert before.renewal.last_success is not None
    assert abs(before.renewal.last_success.timestamp() - time.time()) < 60
    assert before.same_as_disk is True
    assert before.disk is not None
    assert before.disk.key_matches is True
    argv = ["certbot", "renew", "--non-interactive", "--no-random-sleep-on-renew", "--config-dir", str(root)]
    argv += ["--work-dir", str(root / "work"), "--logs-dir", str(root / "logs")]
    await asyncio.sleep(1)  # certbot's times are whole seconds
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    # Whatever is asked of certbot afterwards begins a new log.
    argv[1:2] = ["certificates"]
    await asyncio.to_thread(subprocess.run, argv, capture_output=True, timeout=60, check=False)
    after = await one.read(full=True)
    assert after.renewal is not None
    assert "does not exist" in after.renewal.last_failure
    assert after.renewal.last_failure_at is not None
    assert abs(after.renewal.last_failure_at.timestamp() - time.time()) < 60
    found = alerts(after)
    assert found["tls_renewal"][0] is Severity.HIGH
    assert found["tls_renewal"][1].startswith("the renewal of shop fails: Account at")
    assert set(found) == {"tls_renewal", "tls_expires"} | (set(found) & {"tls_no_renewal"})


async def test_without_a_link_nothing_is_known(
    make_ssh_server: Callable[..., SshServer], make_nginx: Callable[..., NginxServer], tmp_path: Path
) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(tmp_path, "shop"))
    nginx.start()
    server = make_ssh_server()
    async with started(make_link(server)) as link:
        one = source(link, nginx)
        assert (await one.read(full=True)).served is not None
        server.stop()
        await becomes(link, LinkState.LOST, 5)
        with pytest.raises(LinkError):
            await one.read(full=True)


async def test_nothing_is_left(ssh_server: SshServer, make_nginx: Callable[..., NginxServer], tmp_path: Path) -> None:
    nginx = make_nginx()
    serve(nginx, make_certificate(tmp_path, "shop"))
    nginx.start()
    async with nothing_left(), started(make_link(ssh_server)) as link:
        for _ in range(3):
            await source(link, nginx).read(full=True)
        looking = asyncio.create_task(source(link, nginx).read(full=True))
        await asyncio.sleep(0.03)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_only_https_has_a_certificate() -> None:
    with pytest.raises(ValueError, match="https"):
        TlsSource(LocalLink("here"), WebConfig(name="x", url="http://localhost/"))
