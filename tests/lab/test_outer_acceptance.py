"""The outer layers from the command line: a site with every fault, a certificate that ends, an API that refuses: all named."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from debugtui.demo.groq_emulator import GroqEmulator
from tests.lab.repair.test_acceptance import Cli
from tests.services.nginx_server import NginxServer, make_certificate, occupied
from tests.services.ssh_server import HOST, SshServer, free_port

PLANTED = "gsk_planted0123456789abcdefghij"

PAGE = """<!doctype html><html lang="en"><head><title>Coach</title><link rel="icon" href="data:,"></head>
<body><h1>Coach</h1><img src="/img/run.png" alt=""><script src="/app.js"></script></body></html>"""
SCRIPT = f"""fetch("/api/boom?api_key={PLANTED}");
function render() {{ return undefined.items; }}
console.error("token={PLANTED}");
render();"""


class Api:
    """The emulator in a thread of its own, since the program under test is another process."""

    def __init__(self) -> None:
        self.emulator = GroqEmulator(keys=["gsk_another"])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> GroqEmulator:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.emulator.start(), self._loop).result(20)
        return self.emulator

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.emulator.stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture
def nginx(make_nginx: Callable[..., NginxServer]) -> NginxServer:
    server = make_nginx()
    root = server.folder / "site"
    root.mkdir()
    (root / "index.html").write_text(PAGE)
    (root / "app.js").write_text(SCRIPT)
    pair = make_certificate(server.folder, "leaf", [HOST], days=5)
    server.site(
        "site",
        f"""\
server {{
    listen {HOST}:{server.port};
    listen {HOST}:{server.tls_port} ssl;
    ssl_certificate {pair.certificate};
    ssl_certificate_key {pair.key};
    root {root};
    location /api/ {{
        return 500;
    }}
}}
""",
    )
    server.start()
    return server


@pytest.fixture
def api() -> Iterator[GroqEmulator]:
    with Api() as emulator:
        yield emulator


@pytest.fixture
def cli(
    tmp_path: Path,
    make_ssh_server: Callable[..., SshServer],
    nginx: NginxServer,
    api: GroqEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> Cli:
    sshd = make_ssh_server()
    monkeypatch.setenv("PLANTED_KEY", PLANTED)
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        [[hosts]]
        name = "kvm-lab"
        address = "{sshd.address}"
        identity = "{sshd.key}"
        known_hosts = "{sshd.known_hosts}"
        docker = false
        libvirt = false
          [[hosts.web]]
          name = "front"
          url = "{nginx.tls_url}/"
          nginx = "{nginx.config}"
          chrome = true
          [[hosts.web]]
          name = "gone"
          url = "http://{HOST}:{free_port()}/"
        [[groq]]
        name = "coach-ai"
        base_url = "{api.url}"
        api_key = {{env = "PLANTED_KEY"}}
        """,
        encoding="utf-8",
    )
    return Cli(config, tmp_path)


def test_each_fault_is_named_and_no_secret_is_told(cli: Cli, nginx: NginxServer, tmp_path: Path) -> None:
    done = cli("check", "--json")
    assert done.code == 2, done.err
    alerts = {alert["rule"]: alert for alert in done.json["alerts"]}
    said = "\n".join(f"{alert['target']}  {alert['message']}" for alert in done.json["alerts"])
    for words in (
        "TypeError", "app.js:2", "/api/boom", "answers 500", "GET /img/run.png", "404", "expires in 5 days", "self-signed",
        "refused", "authentication",
    ):  # fmt: skip
        assert words in said, said
    assert alerts["web_down"]["target"] == "kvm-lab/web/gone"
    assert alerts["groq_authentication"]["target"] == "groq/coach-ai"
    kinds = {source["kind"]: source for host in done.json["hosts"] for source in host["sources"]}
    assert set(kinds) == {"system", "web", "tls", "nginx", "chrome", "groq"}
    chrome = kinds["chrome"]["reading"]
    assert [one["status"] for one in chrome["failed"]] != []
    assert any(story["agrees"] for story in chrome["stories"]), chrome["stories"]
    assert kinds["nginx"]["reading"]["master_pid"] is not None
    assert cli("check").code == 2
    # The site's own files hold it, of course: what DebugTUI wrote and said is meant.
    ours = [path for path in tmp_path.rglob("*") if path.is_file() and nginx.folder not in path.parents]
    assert any(path.suffix == ".png" for path in ours)
    everything = done.out + done.err + "".join(path.read_text(errors="replace") for path in ours)
    assert PLANTED not in everything


def test_an_edit_whose_reload_does_not_take_is_rolled_back(cli: Cli, nginx: NginxServer, tmp_path: Path) -> None:
    file, other = nginx.folder / "conf.d/site.conf", free_port()
    before = file.read_bytes()
    new = tmp_path / "new.conf"
    new.write_text(file.read_text().replace("listen", f"listen {HOST}:{other};\n    listen", 1))
    with occupied(other):
        path, plan = cli.plan("nginx.edit_config", "kvm-lab/nginx/main", file=str(file), **{"from": str(new)})
        done = cli.apply(path, plan)
    assert done.code == 4, done.out + done.err
    assert done.json["state"] == "rolled_back"
    assert file.read_bytes() == before
    again, plan = cli.plan("nginx.edit_config", "kvm-lab/nginx/main", file=str(file), **{"from": str(new)})
    done = cli.apply(again, plan)
    assert (done.code, done.json["state"]) == (0, "verified"), done.out + done.err
    compared = {one["name"]: one for one in done.json["compared"]}
    assert "kvm-lab/chrome/front console errors" in compared
    assert json.loads(cli("audit-log", "verify", "--json").out)["broken"] is None
