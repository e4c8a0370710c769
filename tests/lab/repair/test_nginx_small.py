"""A server of an upstream is taken out, a location limited, headers added, a release taken back: on a real nginx."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from debugtui.config.models import WebConfig
from debugtui.model.execution import State
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation.base import PlanError
from tests.lab.repair.nginx_desk import NginxLab, nginx_lab
from tests.services.nginx_server import NginxServer
from tests.services.ssh_server import HOST, SshServer, free_port


def get(url: str) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        with contextlib.closing(error):
            return error.code, "", {}


async def ask(lab: NginxLab, path: str = "/") -> tuple[int, str, dict[str, str]]:
    return await asyncio.to_thread(get, f"{lab.nginx.url}{path}")


@pytest.fixture
async def lab(make_ssh_server: Callable[..., SshServer], make_nginx: Callable[..., NginxServer]) -> AsyncIterator[NginxLab]:
    nginx, one, two = make_nginx(), free_port(), free_port()
    for number, port in (("one", one), ("two", two)):
        nginx.site(f"back-{number}", f"server {{ listen {HOST}:{port}; return 200 {number}; }}")
    releases = nginx.folder / "releases"
    for number in ("r1", "r2"):
        (releases / number).mkdir(parents=True)
        (releases / number / "index.html").write_text(number)
    (nginx.folder / "current").symlink_to("releases/r2")
    nginx.site(
        "front",
        f"""\
upstream api {{
    server {HOST}:{one} weight=2;  # the first
    server {HOST}:{two};
}}
server {{
    listen {HOST}:{nginx.port};
    server_name front.example.org;
    root {nginx.folder}/current;
    location /api/ {{
        proxy_pass http://api;
    }}
}}
""",
    )
    nginx.start()
    nginx.one, nginx.two = one, two  # type: ignore[attr-defined]
    web = WebConfig(name="front", url=f"{nginx.url}/", nginx=str(nginx.config), release=f"{nginx.folder}/current")
    async with nginx_lab(make_ssh_server, nginx, web) as made:
        yield made


async def test_a_server_is_taken_out_and_in_again(lab: NginxLab) -> None:
    server, file = f"{HOST}:{lab.nginx.one}", lab.nginx.folder / "conf.d/front.conf"  # type: ignore[attr-defined]
    before = file.read_text()
    done = await lab.apply(await lab.plan("nginx.drain_upstream", server=server))
    assert done.state is State.VERIFIED, done.says
    assert f"server {server} weight=2 down;  # the first" in file.read_text()
    assert {(await ask(lab, "/api/"))[1] for _ in range(6)} == {"two"}
    done = await lab.apply(await lab.plan("nginx.drain_upstream", server=server, back="yes"))
    assert done.state is State.VERIFIED, done.says
    assert file.read_text() == before


async def test_the_last_server_is_never_taken_out(lab: NginxLab) -> None:
    one, two = f"{HOST}:{lab.nginx.one}", f"{HOST}:{lab.nginx.two}"  # type: ignore[attr-defined]
    assert (await lab.apply(await lab.plan("nginx.drain_upstream", server=one))).state is State.VERIFIED
    plan = await lab.plan("nginx.drain_upstream", server=two)
    assert [refusal.name for refusal in plan.refusals] == ["others_answer"]
    with pytest.raises(PlanError, match="no upstream has"):
        await lab.plan("nginx.drain_upstream", server="127.0.0.1:1")


async def test_headers_and_compression_are_added(lab: NginxLab) -> None:
    done = await lab.apply(await lab.plan("nginx.add_headers", server="front.example.org"))
    assert done.state is State.VERIFIED, done.says
    headers = (await ask(lab))[2]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "SAMEORIGIN")
    assert "gzip on;" in (lab.nginx.folder / "conf.d/front.conf").read_text()
    with pytest.raises(PlanError, match="no server is called"):
        await lab.plan("nginx.add_headers", server="other.example.org")


async def test_a_location_is_limited_and_freed_again(lab: NginxLab) -> None:
    plan = await lab.plan("nginx.shed_load", location="/api/", rate="1r/s", burst="1")
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert 429 in {(await ask(lab, "/api/"))[0] for _ in range(8)}
    assert {(await ask(lab))[0] for _ in range(8)} == {200}
    approval = lab.desk.approve_rollback(done.plan, confirmed=done.plan.short_name, reason="over")
    back = await lab.desk.rollback(done.execution, approval, lab.told.append, lambda _: None)  # type: ignore[arg-type,return-value]
    assert back.state is State.ROLLED_BACK, back.says
    assert {(await ask(lab, "/api/"))[0] for _ in range(8)} == {200}


@pytest.mark.parametrize("rate", ["1", "fast", "10r/s; include /etc/shadow"])
async def test_a_rate_that_is_none_is_refused(lab: NginxLab, rate: str) -> None:
    with pytest.raises(PlanError, match="a rate is written"):
        await lab.plan("nginx.shed_load", location="/api/", rate=rate)


async def test_a_release_is_taken_back_and_forth(lab: NginxLab) -> None:
    link = Path(lab.nginx.folder) / "current"
    assert (await ask(lab))[1] == "r2"
    done = await lab.apply(await lab.plan("nginx.rollback_release", to="r1"))
    assert done.state is State.VERIFIED, done.says
    assert (str(link.readlink()), (await ask(lab))[1]) == ("releases/r1", "r1")
    approval = lab.desk.approve_rollback(done.plan)
    back = await lab.desk.rollback(done.execution, approval, lab.told.append, lambda _: None)  # type: ignore[arg-type,return-value]
    assert back.state is State.ROLLED_BACK, back.says
    assert (str(link.readlink()), (await ask(lab))[1]) == ("releases/r2", "r2")
    with pytest.raises(PlanError, match="present release"):
        await lab.plan("nginx.rollback_release", to="r2")


async def test_an_empty_release_is_refused(lab: NginxLab) -> None:
    (lab.nginx.folder / "releases/r0").mkdir()
    plan = await lab.plan("nginx.rollback_release", to="r0")
    assert [refusal.name for refusal in plan.refusals] == ["release_present"]


async def test_a_web_address_offers_what_repairs_its_nginx(lab: NginxLab) -> None:
    view = FleetView(datetime.now(UTC))
    for kind in ("web", "tls", "chrome"):
        offers = lab.desk.offers(view, Target("kvm-01", kind, "front"))
        assert {offer.remediation for offer in offers} >= {"nginx.edit_config", "nginx.rollback_release"}
        assert {str(offer.target) for offer in offers} == {"kvm-01/nginx/main"}
    assert lab.desk.offers(view, Target("kvm-01", "web", "unknown")) == ()
