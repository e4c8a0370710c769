"""A real certbot renews with a private ACME server, a real nginx serves the new certificate, and a handshake proves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from debugtui.config.models import WebConfig
from debugtui.model.execution import State
from debugtui.remediation.base import NothingToDoError, PlanError
from debugtui.sources.tls.source import TlsSource
from tests.lab.repair.nginx_desk import NginxLab, nginx_lab
from tests.services.acme_server import AcmeServer
from tests.services.nginx_server import NginxServer
from tests.services.ssh_server import HOST, SshServer

NAME = "coach.example.org"


@pytest.fixture
async def lab(
    make_ssh_server: Callable[..., SshServer],
    make_nginx: Callable[..., NginxServer],
    make_acme: Callable[[int], AcmeServer],
) -> AsyncIterator[NginxLab]:
    nginx = make_nginx()
    acme = make_acme(nginx.port)
    root, webroot = nginx.folder / "letsencrypt", nginx.folder / "webroot"
    webroot.mkdir(mode=0o755)
    nginx.site("plain", f"server {{ listen {HOST}:{nginx.port}; root {webroot}; }}")
    nginx.start()
    acme.certbot(root, webroot, NAME)
    live = root / "live" / NAME
    nginx.site(
        "tls",
        f"server {{ listen {HOST}:{nginx.tls_port} ssl; server_name {NAME}; ssl_certificate {live}/fullchain.pem;"
        f" ssl_certificate_key {live}/privkey.pem; return 200 hello; }}",
    )
    nginx.reload()
    web = WebConfig(name="front", url=f"{nginx.tls_url}/", nginx=str(nginx.config))
    environment = f"REQUESTS_CA_BUNDLE={acme.ca}"
    async with nginx_lab(make_ssh_server, nginx, web, env=environment) as made:
        made.acme = acme  # type: ignore[attr-defined]
        yield made


def links(lab: NginxLab) -> dict[str, str]:
    return {path.name: str(path.readlink()) for path in (lab.nginx.folder / "letsencrypt/live" / NAME).glob("*.pem")}


async def serial(lab: NginxLab) -> str:
    web = WebConfig(name="front", url=f"{lab.nginx.tls_url}/", nginx=str(lab.nginx.config))
    reading = await TlsSource(lab.link, web).read(full=True)
    assert reading.served is not None
    assert reading.renewal is not None
    assert (reading.renewal.name, reading.renewal.authenticator) == (NAME, "webroot")
    return reading.served.serial


async def test_a_certificate_is_renewed_served_and_taken_back(lab: NginxLab) -> None:
    before, old = links(lab), await serial(lab)
    with pytest.raises(NothingToDoError, match="days left"):
        await lab.plan("nginx.renew_certificate", name=NAME)
    plan = await lab.plan("nginx.renew_certificate", name=NAME, force="yes")
    assert [refusal.name for refusal in plan.refusals] == []
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert await serial(lab) != old
    assert links(lab) != before
    approval = lab.desk.approve_rollback(done.plan)
    back = await lab.desk.rollback(done.execution, approval, lab.told.append, lambda _: None)  # type: ignore[arg-type,return-value]
    assert back.state is State.ROLLED_BACK, back.says
    assert (links(lab), await serial(lab)) == (before, old)


async def test_a_dry_run_that_fails_changes_nothing(lab: NginxLab) -> None:
    before, old = links(lab), await serial(lab)
    plan = await lab.plan("nginx.renew_certificate", name=NAME, force="yes")
    lab.acme.stop()  # type: ignore[attr-defined]
    done = await lab.apply(plan)
    assert done.state is State.FAILED, done.says
    assert (links(lab), await serial(lab)) == (before, old)


async def test_a_name_that_nginx_does_not_use_is_refused(lab: NginxLab) -> None:
    with pytest.raises(PlanError, match=f"there are: {NAME}"):
        await lab.plan("nginx.renew_certificate", name="other")
