"""A file of a real nginx is changed and taken; what does not take is no success, and the old bytes serve again."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable

import pytest

from debugtui.config.models import WebConfig
from debugtui.model.execution import State
from debugtui.model.plan import GuardStatus
from debugtui.remediation.base import NothingToDoError, PlanError
from tests.lab.repair.nginx_desk import NginxLab, nginx_lab
from tests.services.nginx_server import NginxServer, occupied
from tests.services.ssh_server import HOST, SshServer, free_port


def site(nginx: NginxServer, words: str, *more: str) -> str:
    return f"server {{ listen {HOST}:{nginx.port}; {' '.join(more)} return 200 '{words}'; }}\n"


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.fixture
async def lab(make_ssh_server: Callable[..., SshServer], make_nginx: Callable[..., NginxServer]) -> AsyncIterator[NginxLab]:
    nginx = make_nginx()
    nginx.site("site", site(nginx, "hello"))
    nginx.start()
    web = WebConfig(name="front", url=f"{nginx.url}/", nginx=str(nginx.config))
    async with nginx_lab(make_ssh_server, nginx, web) as made:
        yield made


async def test_a_file_is_changed_taken_and_taken_back(lab: NginxLab) -> None:
    nginx, file = lab.nginx, lab.nginx.folder / "conf.d/site.conf"
    file.chmod(0o640)
    before, workers = file.read_bytes(), nginx.workers()
    plan = await lab.edit(file, site(nginx, "goodbye"))
    assert [refusal.name for refusal in plan.refusals] == []
    assert plan.risk.cls <= 2
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert await asyncio.to_thread(get, nginx.url) == "goodbye"
    assert file.stat().st_mode & 0o777 == 0o640
    assert not nginx.workers() & workers
    approval = lab.desk.approve_rollback(done.plan)
    back = await lab.desk.rollback(done.execution, approval, lab.told.append, lambda _: asyncio.sleep(0))  # type: ignore[arg-type,return-value]
    assert back.state is State.ROLLED_BACK, back.says
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (before, 0o640)
    assert await asyncio.to_thread(get, nginx.url) == "hello"


async def test_a_port_that_somebody_else_owns_is_no_success_and_is_rolled_back(lab: NginxLab) -> None:
    nginx, file, other = lab.nginx, lab.nginx.folder / "conf.d/site.conf", free_port()
    before, workers = file.read_bytes(), nginx.workers()
    with occupied(other):
        plan = await lab.edit(file, site(nginx, "hello", f"listen {HOST}:{other};"))
        (ports,) = [guard for guard in plan.guards if guard.name == "ports_free"]
        assert ports.status is GuardStatus.UNKNOWN
        assert "the reload will not take" in ports.why
        assert nginx.test().returncode == 0, "the test of nginx itself does not see it"
        done = await lab.apply(plan)
    assert done.state is State.ROLLED_BACK, done.says
    assert "does not hold" in done.says
    assert file.read_bytes() == before
    assert await asyncio.to_thread(get, nginx.url) == "hello"
    assert not nginx.workers() & workers


async def test_a_port_that_is_taken_after_the_approval_is_rolled_back_too(lab: NginxLab) -> None:
    nginx, file, other = lab.nginx, lab.nginx.folder / "conf.d/site.conf", free_port()
    before = file.read_bytes()
    plan = await lab.edit(file, site(nginx, "hello", f"listen {HOST}:{other};"))
    assert all(guard.status is GuardStatus.PASS for guard in plan.guards if guard.name == "ports_free")
    with occupied(other):
        done = await lab.apply(plan)
    assert done.state in (State.ROLLED_BACK, State.REFUSED), done.says
    assert file.read_bytes() == before


async def test_a_page_that_breaks_is_rolled_back(lab: NginxLab) -> None:
    nginx, file = lab.nginx, lab.nginx.folder / "conf.d/site.conf"
    done = await lab.apply(await lab.edit(file, f"server {{ listen {HOST}:{nginx.port}; return 503; }}\n"))
    assert done.state is State.ROLLED_BACK, done.says
    assert "front" in done.says
    assert await asyncio.to_thread(get, nginx.url) == "hello"


async def test_what_nginx_itself_refuses_is_rolled_back_before_it_is_taken(lab: NginxLab) -> None:
    nginx, file = lab.nginx, lab.nginx.folder / "conf.d/site.conf"
    before, workers = file.read_bytes(), nginx.workers()
    done = await lab.apply(await lab.edit(file, site(nginx, "hello", "proxy_buffers 1 1;")))
    assert done.state is State.ROLLED_BACK, done.says
    assert file.read_bytes() == before
    assert await asyncio.to_thread(get, nginx.url) == "hello"
    assert nginx.workers()
    assert workers


async def test_what_cannot_be_parsed_is_refused(lab: NginxLab) -> None:
    file = lab.nginx.folder / "conf.d/site.conf"
    plan = await lab.edit(file, "server { listen 80; return 200 'x';\n")
    assert [refusal.name for refusal in plan.refusals] == ["parses"]


async def test_a_file_that_changed_since_is_stale(lab: NginxLab) -> None:
    nginx, file = lab.nginx, lab.nginx.folder / "conf.d/site.conf"
    plan = await lab.edit(file, site(nginx, "goodbye"))
    file.write_text(site(nginx, "somebody else"))
    done = await lab.apply(plan)
    assert (done.state, file.read_text()) == (State.REFUSED, site(nginx, "somebody else"))


async def test_files_that_are_not_its_own_are_refused(lab: NginxLab) -> None:
    stranger = lab.nginx.folder / "stranger.conf"
    stranger.write_text("x")
    with pytest.raises(PlanError, match="none of the files"):
        await lab.edit(stranger, "y")
    with pytest.raises(NothingToDoError):
        await lab.edit(lab.nginx.folder / "conf.d/site.conf", site(lab.nginx, "hello"))
    with pytest.raises(PlanError, match="there is no nginx"):
        await lab.plan("nginx.reload", "other")


async def test_an_nginx_that_does_not_run_is_refused(lab: NginxLab) -> None:
    lab.nginx.stop()
    plan = await lab.edit(lab.nginx.folder / "conf.d/site.conf", site(lab.nginx, "goodbye"))
    assert "runs" in [refusal.name for refusal in plan.refusals]


async def test_a_secret_in_a_file_stays_out_of_the_plan(lab: NginxLab) -> None:
    nginx, file = lab.nginx, lab.nginx.folder / "conf.d/site.conf"
    header = "proxy_set_header Authorization 'Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLXRoYXQtaXM';"
    plan = await lab.edit(file, site(nginx, "hello", header))
    assert "eyJhbGciOiJIUzI1NiJ9" not in str(plan.to_json())
    done = await lab.apply(plan)
    assert done.state is State.VERIFIED, done.says
    assert header in file.read_text()
