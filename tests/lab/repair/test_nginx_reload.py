"""A real nginx takes a certificate that was renewed on its disk, and a handshake proves it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from debugtui.config.models import WebConfig
from debugtui.model.execution import State
from debugtui.remediation.base import NothingToDoError
from tests.lab.repair.nginx_desk import NginxLab, nginx_lab
from tests.services.nginx_server import NginxServer, Pair, make_certificate
from tests.services.ssh_server import HOST, SshServer


@pytest.fixture
def ca(tmp_path) -> Pair:
    return make_certificate(tmp_path, "authority", ca=True)


@pytest.fixture
async def lab(
    make_ssh_server: Callable[..., SshServer], make_nginx: Callable[..., NginxServer], ca: Pair
) -> AsyncIterator[NginxLab]:
    nginx = make_nginx()
    pair = make_certificate(nginx.folder, "leaf", [HOST], issuer=ca, days=3)
    nginx.site(
        "site",
        f"server {{ listen {HOST}:{nginx.tls_port} ssl; ssl_certificate {pair.certificate};"
        f" ssl_certificate_key {pair.key}; return 200 hello; }}",
    )
    nginx.start()
    web = WebConfig(name="front", url=f"{nginx.tls_url}/", nginx=str(nginx.config), ca=ca.certificate)
    async with nginx_lab(make_ssh_server, nginx, web) as made:
        yield made


async def test_a_renewed_certificate_is_served_after_a_reload(lab: NginxLab, ca: Pair) -> None:
    make_certificate(lab.nginx.folder, "leaf", [HOST], issuer=ca, days=90)
    plan = await lab.plan("nginx.reload")
    assert "older certificate" in plan.problem
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert [check.name for check in done.checks][-1] == "the disk's certificate is served"
    with pytest.raises(NothingToDoError):
        await lab.plan("nginx.reload")


async def test_the_key_of_another_certificate_is_refused_before_the_reload(lab: NginxLab, ca: Pair) -> None:
    pair = make_certificate(lab.nginx.folder, "leaf", [HOST], issuer=ca, days=90)
    other = make_certificate(lab.nginx.folder, "other", [HOST], issuer=ca)
    pair.key.write_bytes(other.key.read_bytes())
    plan = await lab.plan("nginx.reload")
    assert [refusal.name for refusal in plan.refusals] == ["tested_now"]
