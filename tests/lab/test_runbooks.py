"""Runbooks against real servers: each kind of step really looks, ends in time, and is held to reading by the server as well.

One host is reached over a real sshd; behind it a real Docker engine, PostgreSQL and nginx.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from debugtui.config.ask import NobodyToAsk
from debugtui.config.load import read_text
from debugtui.config.models import Config
from debugtui.demo.groq_emulator import GroqEmulator
from debugtui.diagnosis.runbooks import looks
from debugtui.diagnosis.runbooks.aim import Aim, aim_at
from debugtui.diagnosis.runbooks.load import parse, shipped
from debugtui.diagnosis.runbooks.run import Bench, Runner
from debugtui.fleet.build import build_fleet
from debugtui.headless.check import read_once
from debugtui.model.clock import SystemClock
from debugtui.model.runbook import StepRun, StepVerdict
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.sources.postgres.source import PostgresSource
from tests.lab.outer_tools import answering
from tests.lab.repair.test_acceptance import Cli
from tests.services.docker_engine import DockerEngine
from tests.services.nginx_server import NginxServer
from tests.services.postgres_server import SUPERUSER, PostgresServer, lock_chain
from tests.services.ssh_server import HOST, SshServer, free_port

pytestmark = pytest.mark.lab

HEAD = 'name = "lab"\ntitle = "Lab"\nsummary = "Everything once."\n'
HOST_NAME = "kvm-lab"


@pytest.fixture
def nginx(make_nginx: Callable[..., NginxServer]) -> NginxServer:
    server = make_nginx()
    root = server.folder / "site"
    root.mkdir()
    (root / "index.html").write_text("<title>Coach</title>")
    server.site("site", f"server {{ listen {HOST}:{server.port}; root {root}; }}")
    server.start()
    return server


@pytest.fixture
def text(
    make_ssh_server: Callable[..., SshServer], docker_engine: DockerEngine, postgres_server: PostgresServer, nginx: NginxServer
) -> str:
    sshd = make_ssh_server()
    return f"""
    [[hosts]]
    name = "{HOST_NAME}"
    address = "{sshd.address}"
    identity = "{sshd.key}"
    known_hosts = "{sshd.known_hosts}"
    libvirt = false
    docker = "unix://{docker_engine.socket}"
      [[hosts.postgres]]
      name = "coach"
      dsn = "{postgres_server.dsn()}"
      [[hosts.web]]
      name = "front"
      url = "{nginx.url}/"
      nginx = "{nginx.config}"
      containers = ["runbook-api"]
    """


@contextlib.asynccontextmanager
async def bench_of(text: str) -> AsyncIterator[Bench]:
    config: Config = read_text(text, Path("config.toml")).config
    fleet = build_fleet(config, NobodyToAsk())
    try:
        await read_once(fleet)
        yield Bench(fleet, config, NobodyToAsk(), SystemClock())
    finally:
        await fleet.close_sources()
        await fleet.stop()


async def run(bench: Bench, body: str, target: str = f"{HOST_NAME}/docker/runbook-api") -> tuple[StepRun, ...]:
    """Run a runbook of the test's own."""
    runner = Runner(bench, parse(HEAD + body, "lab.toml"), aim_at(target, bench.config))
    try:
        return await runner.all()
    finally:
        await runner.close()


def step(kind: str, body: str, name: str = "one") -> str:
    return f'[[steps]]\nid = "{name}"\ntitle = "One"\nwhy = "Because."\nkind = "{kind}"\n{body}\n'


@pytest.fixture
def container(docker_engine: DockerEngine):
    script = "echo started; echo 'ERROR first'; echo 'ERROR second' >&2; sleep 600"
    name = docker_engine.run("runbook-api", "sh", "-c", script)
    yield name
    docker_engine.remove(name)


async def test_each_kind_of_step_really_looks(text: str, container: str, nginx: NginxServer) -> None:
    (nginx.folder / "site" / "x").mkdir()
    async with bench_of(text) as bench:
        found = await run(
            bench,
            step("reading", 'read = "docker.containers[name={container}].state"\njudge = {critical = "!= running"}', "reading")
            + step("command", 'argv = ["df", "-P", "/"]\njudge = {pattern = "(\\\\d+)%", warning = "> 100"}', "command")
            + step("sql", "sql = \"SELECT count(*) AS n FROM pg_class\"\njudge = {of = 'n', warning = '> 1'}", "sql")
            + step("logs", 'log = "container"\nonly = "ERROR"\njudge = {take = "count", critical = "> 1"}', "logs")
            + step("logs", 'log = "nginx"', "nginx")
            + step("http", 'server = "web"\njudge = {of = "status", warning = "!= 200"}', "web")
            + step("http", f'url = "{nginx.url}/nothing"\njudge = {{of = "status", warning = "== 404"}}', "http")
            + step("note", 'text = "Call somebody."', "note"),
        )
    verdicts = {one.id: (one.verdict.value, one.says) for one in found}
    assert verdicts["reading"] == ("ok", "running; bad is != running")
    assert verdicts["command"][0] == "ok"
    assert verdicts["sql"][0] == "warning"
    assert verdicts["logs"] == ("critical", "2; critical is > 1")
    assert verdicts["nginx"][0] == "shown"
    assert verdicts["web"] == ("ok", "200; bad is != 200")
    assert verdicts["http"] == ("warning", "404; warning is == 404")
    assert verdicts["note"][0] == "shown"
    by = {one.id: one for one in found}
    assert {"ERROR first", "ERROR second"} <= set(by["logs"].output.splitlines())
    assert by["command"].ran == (f"{HOST_NAME}$ df -P /",)
    assert all(one.took_ms > 0 for one in found if one.kind != "note")


async def test_prometheus_is_asked_in_its_own_language(text: str, container: str) -> None:
    asked: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode())
        result = [
            {"metric": {"instance": "a:9100"}, "value": [1, "3"]},
            {"metric": {"instance": "b:9100"}, "value": [1, "NaN"]},
        ]
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with answering(handler) as url:
        more = f'[[prometheus]]\nname = "prom"\nurl = "{url}"\nvia = "{HOST_NAME}"\nuser = "u"\n'
        async with bench_of(text + more) as bench:
            body = "query = 'up{instance=~\"{host}.*\"}'\nabout = \"instance\"\njudge = {take = 'max', warning = '> 2'}"
            found = await run(bench, step("query", body))
    assert (found[0].verdict.value, found[0].says) == ("warning", "a:9100: 3; warning is > 2")
    assert all("authorization: basic" in one.lower() for one in asked)
    assert any("kvm" in one for one in asked)


async def test_a_command_ends_within_its_time_limit_and_leaves_nothing_behind(text: str) -> None:
    async with bench_of(text) as bench:
        begun = time.monotonic()
        found = await run(bench, step("command", 'argv = ["vmstat", "4", "5"]\ntimeout = "1s"'))
        assert time.monotonic() - begun < 4
        left = await bench.fleet.link(HOST_NAME).run(["ps", "-e", "-o", "args"], timeout=10)
    assert found[0].verdict is StepVerdict.UNKNOWN
    assert "did not end within 1 s" in found[0].says
    assert b"vmstat 4 5" not in left.stdout


async def test_what_is_not_installed_or_not_allowed_there_is_unknown(text: str, nginx: NginxServer) -> None:
    secret = nginx.folder / "unreadable"
    secret.write_text("x")
    async with bench_of(text) as bench:
        found = await run(
            bench,
            step("command", 'argv = ["chronyc", "tracking"]\njudge = {pattern = "x", warning = "> 1"}', "absent")
            + step(
                "command",
                f'argv = ["cat", "{secret}/nothing"]\njudge = {{pattern = "x", take = "count", warning = "> 1"}}',
                "file",
            )
            + step("logs", 'log = "container"', "container"),
        )
    assert found[0].says == f"chronyc is not installed on {HOST_NAME}"
    assert found[1].says.startswith("cat: ")
    assert "is gone" in found[2].says
    assert {one.verdict for one in found} == {StepVerdict.UNKNOWN}


async def test_a_container_that_is_called_like_an_option_stays_a_name(text: str) -> None:
    async with bench_of(text) as bench:
        target = Target(HOST_NAME, "system", "--vacuum-time=1s")
        book = parse(HEAD + step("command", 'argv = ["systemctl", "status", "{unit}"]'), "lab.toml")
        runner = Runner(bench, book, Aim(target))
        found = await runner.step(1)
        await runner.close()
    assert found.verdict is StepVerdict.UNKNOWN
    assert "would be taken for an option" in found.says
    assert found.ran == ()


# --- SQL


async def test_a_statement_that_takes_too_long_is_stopped_by_the_server(text: str, postgres_server: PostgresServer) -> None:
    sql = "SELECT count(*) FROM pg_attribute a, pg_attribute b, pg_attribute c WHERE a.attname < b.attname AND b.attnum < 9"
    async with bench_of(text) as bench:
        begun = time.monotonic()
        found = await run(bench, step("sql", f'sql = "{sql}"'))
        assert time.monotonic() - begun < 12
    assert found[0].verdict is StepVerdict.UNKNOWN
    assert "longer than it may" in found[0].says
    admin = await postgres_server.connect(SUPERUSER)
    try:
        busy = await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'debugtui' AND state = 'active'"
        )
    finally:
        await admin.close()
    assert busy == 0


WRITES = (
    "CREATE TABLE public.runbook_was_here (a int)",
    "WITH x AS (INSERT INTO public.activities DEFAULT VALUES RETURNING *) SELECT * FROM x",
    "SELECT nextval('public.runbook_sequence')",
    "SELECT 1; CREATE TABLE public.runbook_was_here (a int)",
    "SELECT * FROM public.activities FOR UPDATE",
)


@pytest.mark.parametrize("sql", WRITES)
async def test_the_server_itself_refuses_what_would_write(
    sql: str, text: str, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With our own check taken away: the transaction is read only, and the protocol takes one statement."""
    monkeypatch.setattr(looks, "check_reading", lambda statement: statement)
    admin = await postgres_server.connect(SUPERUSER)
    await admin.execute("CREATE SEQUENCE IF NOT EXISTS runbook_sequence; GRANT ALL ON runbook_sequence TO PUBLIC")
    try:
        async with bench_of(text) as bench:
            runner = Runner(bench, parse(HEAD + step("sql", 'sql = "SELECT 1"'), "x"), aim_at(HOST_NAME, bench.config))
            one = runner.runbook.steps[0].model_copy(update={"sql": sql})
            runner.runbook = runner.runbook.model_copy(update={"steps": (one,)})
            found = await runner.step(1)
            await runner.close()
        assert found.verdict is StepVerdict.UNKNOWN, found
        assert any(word in found.says for word in ("read-only", "multiple commands", "permission denied")), found.says
        assert await admin.fetchval("SELECT to_regclass('runbook_was_here')") is None
        assert not await admin.fetchval("SELECT is_called FROM runbook_sequence")
    finally:
        await admin.execute("DROP SEQUENCE runbook_sequence")
        await admin.close()


async def test_a_setting_that_a_statement_changed_is_gone_with_its_transaction(text: str) -> None:
    async with bench_of(text) as bench:
        source = bench.fleet.source(HOST_NAME, Kind.POSTGRES, "coach")
        assert isinstance(source, PostgresSource)
        session = await source.connect_anew()
        try:
            with pytest.raises(asyncpg.PostgresError):
                await session.some("SELECT set_config('transaction_read_only', 'off', false), nextval('x')", most=1)
            await session.some("SELECT set_config('statement_timeout', '0', false)", most=1)
            asked = "SELECT current_setting('statement_timeout') AS t, current_setting('transaction_read_only') AS r"
            rows = await session.some(asked, most=1)
            assert dict(rows[0]) == {"t": "5s", "r": "on"}
            # A large object can be made in a read-only transaction of PostgreSQL 15 and older; this one is rolled back.
            await session.some("SELECT lo_creat(1)", most=1)
            assert not await session.some("SELECT 1 FROM pg_largeobject_metadata", most=1)
            assert len(await session.some("SELECT generate_series(1, 1000000)", most=7)) == 7
        finally:
            await session.close()


async def test_a_lock_chain_is_judged_and_its_root_is_what_is_repaired(text: str, postgres_server: PostgresServer) -> None:
    database = next(one.runbook for one in shipped() if one.runbook.name == "database")
    number = [one.id for one in database.steps].index("locks") + 1
    async with lock_chain(postgres_server, waiters=2) as chain, bench_of(text) as bench:
        runner = Runner(bench, database, aim_at(f"{HOST_NAME}/postgres/coach", bench.config))
        found = await runner.step(number)
        idle = await runner.step([one.id for one in database.steps].index("idle-in-transaction") + 1)
        await runner.close()
    assert found.verdict is StepVerdict.WARNING
    assert found.says.startswith(f"{chain.root}: 2 sessions wait behind it")
    wanted = Target(HOST_NAME, "postgres", f"coach/{chain.root}")
    assert ("postgres.terminate_session", wanted) in [(offer.name, offer.target) for offer in found.offers]
    assert str(chain.root) in idle.output


# --- the shipped ones

#: What a step says where something of ours, not of the lab, is wrong.
OURS = ("no number", "cannot be compared", "no column", "nothing that can be judged", "syntax error", "does not exist", "Error")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("database", f"{HOST_NAME}/postgres/coach"),
        ("service-down", f"{HOST_NAME}/docker/runbook-api"),
        ("high-cpu-memory", HOST_NAME),
        ("user-interface", f"{HOST_NAME}/web/front"),
        ("monitoring", HOST_NAME),
        ("ai-agent", "groq/coach-ai"),
    ],
)
async def test_each_shipped_runbook_runs_whole(
    name: str, target: str, text: str, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = next(one.runbook for one in shipped() if one.runbook.name == name)
    nobody = f"http://{HOST}:{free_port()}"
    servers = "".join(
        f'[[{kind}]]\nname = "x"\nurl = "{nobody}"\nvia = "{HOST_NAME}"\n'
        for kind in ("prometheus", "loki", "alertmanager", "grafana")
    )
    groq = GroqEmulator(keys=["gsk_of_the_lab_1234567890"])
    await groq.start()
    monkeypatch.setenv("LAB_KEY", "gsk_of_the_lab_1234567890")
    container_of = f'app = {{container = "{HOST_NAME}/docker/runbook-api"}}'
    use = f'[[groq]]\nname = "coach-ai"\nbase_url = "{groq.url}"\napi_key = {{env = "LAB_KEY"}}\n{container_of}\n'
    async with AsyncExitStack() as stack:
        stack.push_async_callback(groq.stop)
        bench = await stack.enter_async_context(bench_of(text + servers + use))
        runner = Runner(bench, book, aim_at(target, bench.config))
        begun = time.monotonic()
        found = await runner.all()
        took = time.monotonic() - begun
        await runner.close()
    assert len(found) == len(book.steps)
    assert took < 30
    said = [f"{one.id}: {one.verdict.value}: {one.says}" for one in found]
    assert [row for row in said if any(word in row for word in OURS)] == [], said
    if name == "monitoring":  # nobody answers there: that is critical, or not known, and never well
        asked = {one.verdict for one in found if one.kind in ("query", "http")}
        assert asked == {StepVerdict.CRITICAL, StepVerdict.UNKNOWN}, said
    really = [one for one in found if one.verdict not in (StepVerdict.SKIPPED, StepVerdict.UNKNOWN)]
    assert len(really) >= 6, said


def test_the_command_line_tells_a_crash_loop_by_its_exit_code(text: str, docker_engine: DockerEngine, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    cli = Cli(config, tmp_path)
    name = docker_engine.run("runbook-loop", "sh", "-c", "echo FATAL no such host db; exit 3", options=["--restart", "always"])
    try:
        docker_engine.wait_for(name, "gt .RestartCount 1")
        done = cli("runbooks", "run", "service-down", f"{HOST_NAME}/docker/{name}", "--json")
    finally:
        docker_engine.remove(name)
    assert done.code == 2, done.err
    steps = {one["id"]: one for one in done.json["steps"]}
    assert steps["exit-code"]["verdict"] == "warning"
    assert "FATAL no such host db" in steps["last-words"]["output"]
    assert done.json["verdict"] == "critical"
    kept = cli("runbooks", "runs", "--json").json["runs"]
    assert [one["id"] for one in kept] == [done.json["id"]]
