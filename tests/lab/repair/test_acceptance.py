"""Repairs from the command line, as a script or an operator without a screen does them: plan, show, apply, rollback, audit.

One host is reached over a real sshd; behind it a real Docker engine, libvirt with a booted guest, and PostgreSQL. Waiting times
are those of production.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.docker_engine import DockerEngine
from tests.services.libvirt_host import LibvirtHost
from tests.services.postgres_server import SUPERUSER, PostgresServer, lock_chain
from tests.services.ssh_server import SshServer

ROOT = Path(__file__).parents[3]
GUEST = "lab-web"
VERIFIED, FAILED, USAGE, ROLLED_BACK, REFUSED = 0, 1, 2, 4, 5


@dataclass(frozen=True)
class Result:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass(frozen=True)
class Cli:
    """The program with its configuration and a home of its own."""

    config: Path
    home: Path

    def __call__(self, *arguments: str, timeout: float = 240) -> Result:
        env = {**os.environ, "HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "debugtui", "--config", str(self.config), *arguments]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def plan(self, remediation: str, target: str, **params: str) -> tuple[Path, dict[str, Any]]:
        """Plan, and keep the plan in a file."""
        file = self.home / f"{remediation}-{target.replace('/', '-')}.json"
        words = [word for name, value in params.items() for word in ("-p", f"{name.replace('__', '.')}={value}")]
        done = self("plan", remediation, target, *words, "--out", str(file), "--json")
        assert done.code == 0, done.err
        assert done.json == json.loads(file.read_text())
        return file, done.json

    def apply(self, file: Path, plan: dict[str, Any], *more: str) -> Result:
        """Apply with everything that the plan's class takes but a second person."""
        name = plan["target"]["resource"].rpartition("/")[2]
        return self("apply", str(file), "--approve", plan["digest"], "--confirm", name, "--json", *more)


@pytest.fixture
def cli(
    tmp_path: Path,
    make_ssh_server: Callable[..., SshServer],
    docker_engine: DockerEngine,
    libvirt_host: LibvirtHost,
    postgres_server: PostgresServer,
) -> Cli:
    sshd = make_ssh_server()
    dumps = tmp_path / "dumps"
    dumps.mkdir(mode=0o755)
    config = tmp_path / "config.toml"
    config.write_text(
        f"""
        [[hosts]]
        name = "kvm-lab"
        address = "{sshd.address}"
        identity = "{sshd.key}"
        known_hosts = "{sshd.known_hosts}"
        libvirt = "{libvirt_host.uri}"
        docker = "unix://{docker_engine.socket}"
          [[hosts.postgres]]
          name = "coach"
          dsn = "{postgres_server.dsn()}"
          repair_dsn = "{postgres_server.dsn(SUPERUSER)}"
          backups = [{{kind = "dump", path = "{dumps}/*.dump"}}]
        """,
        encoding="utf-8",
    )
    return Cli(config, tmp_path)


def dump(server: PostgresServer, folder: Path) -> None:
    """Back the database up, as its owner would."""
    file = folder / "coach.dump"
    subprocess.run([str(server.bin / "pg_dump"), "-Fc", "-f", str(file), "-d", server.dsn(SUPERUSER)], check=True, timeout=60)


@pytest.mark.timeout(240)
async def test_a_lock_chain_is_ended_and_verified(cli: Cli, postgres_server: PostgresServer) -> None:
    async with lock_chain(postgres_server, waiters=2) as chain:
        file, plan = await asyncio.to_thread(cli.plan, "postgres.terminate_session", f"kvm-lab/postgres/coach/{chain.root}")
        shown = await asyncio.to_thread(cli, "show", str(file))
        assert shown.code == 0
        assert "Problem" in shown.out
        assert plan["digest"] in shown.out
        done = await asyncio.to_thread(cli.apply, file, plan)
        assert (done.code, done.json["state"]) == (VERIFIED, "verified"), done.err
        watcher = await postgres_server.connect()
        alive = await watcher.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", chain.root)
        await watcher.close()
        assert alive == 0
    listed = cli("executions", "--json").json["executions"]
    assert [(one["state"], one["exit_code"]) for one in listed] == [("verified", 0)]
    assert Path(done.json["record"]).read_text().startswith("#")
    assert cli("audit-log", "verify").code == 0


@pytest.mark.timeout(240)
async def test_a_plan_whose_target_moved_is_refused_as_stale(cli: Cli, postgres_server: PostgresServer) -> None:
    holder = await postgres_server.connect(user="app", server_settings={"application_name": "coach-web"})
    try:
        await holder.execute("BEGIN")
        await holder.execute("UPDATE activities SET done = true WHERE id = 1")
        target = f"kvm-lab/postgres/coach/{holder.get_server_pid()}"
        file, plan = await asyncio.to_thread(cli.plan, "postgres.terminate_session", target)
        await holder.execute("COMMIT")
        await holder.execute("BEGIN")
        await holder.execute("UPDATE activities SET done = true WHERE id = 1")
        done = await asyncio.to_thread(cli.apply, file, plan)
        assert (done.code, done.json["state"]) == (REFUSED, "refused")
        assert done.json["moved"]
        assert await holder.fetchval("SELECT 1") == 1
    finally:
        holder.terminate()


@pytest.mark.timeout(240)
async def test_a_setting_is_changed_and_taken_back(cli: Cli, postgres_server: PostgresServer) -> None:
    async def setting() -> str:
        watcher = await postgres_server.connect()
        try:
            return str(await watcher.fetchval("SHOW work_mem"))
        finally:
            await watcher.close()

    before = await setting()
    file, plan = await asyncio.to_thread(
        cli.plan, "postgres.set_parameter", "kvm-lab/postgres/coach", name="work_mem", value="9MB"
    )
    done = await asyncio.to_thread(cli.apply, file, plan)
    assert done.code == VERIFIED, done.err
    assert await setting() == "9MB"
    again = await asyncio.to_thread(cli, "rollback", done.json["execution"], "--approve", plan["digest"], "--json")
    assert (again.code, again.json["state"]) == (0, "rolled_back"), again.err
    assert await setting() == before
    assert "work_mem" not in (postgres_server.data / "postgresql.auto.conf").read_text()


@pytest.mark.timeout(300)
async def test_an_index_is_built_while_others_write(cli: Cli, postgres_server: PostgresServer) -> None:
    dump(postgres_server, cli.home / "dumps")
    target, params = "kvm-lab/postgres/coach", {"table": "activities", "columns": "title", "name": "activities_title_acc"}
    file, plan = await asyncio.to_thread(lambda: cli.plan("postgres.create_index", target, **params))
    applying = asyncio.create_task(asyncio.to_thread(cli.apply, file, plan))
    writer = await postgres_server.connect(user="app")
    longest = 0.0
    loop = asyncio.get_running_loop()
    while not applying.done():
        began = loop.time()
        await writer.execute("UPDATE activities SET done = NOT done WHERE id = 2")
        longest = max(longest, loop.time() - began)
        await asyncio.sleep(0.05)
    await writer.close()
    done = await applying
    assert done.code == VERIFIED, done.err + done.out
    assert longest < 2.0
    watcher = await postgres_server.connect()
    valid = await watcher.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'activities_title_acc'::regclass")
    await watcher.execute("DROP INDEX activities_title_acc")
    await watcher.close()
    assert valid is True


@pytest.mark.timeout(240)
def test_without_a_backup_no_index_is_built(cli: Cli) -> None:
    file, plan = cli.plan("postgres.create_index", "kvm-lab/postgres/coach", table="activities", columns="title", name="never")
    refused = {guard["name"] for guard in plan["guards"] if guard["status"] != "pass"}
    assert "recent_backup" in refused
    assert cli.apply(file, plan).code == REFUSED


@pytest.mark.timeout(240)
def test_a_paused_guest_is_resumed(cli: Cli, libvirt_host: LibvirtHost) -> None:
    libvirt_host.suspend(GUEST)
    try:
        file, plan = cli.plan("libvirt.resume", f"kvm-lab/libvirt/{GUEST}")
        done = cli.apply(file, plan)
        assert done.code == VERIFIED, done.err + done.out
        with libvirt_host.guest(GUEST) as guest:
            assert guest.state()[0] == 1
    finally:
        with libvirt_host.guest(GUEST) as guest:
            if guest.state()[0] == 3:
                guest.resume()


LOOPING = ("sh", "-c", 'test -n "$GOOD" && exec sleep 1000; exit 3')


@pytest.mark.timeout(300)
async def test_a_crash_looping_container_is_recreated_and_one_that_still_loops_is_rolled_back(
    cli: Cli, docker_engine: DockerEngine
) -> None:
    for name in ("acc-good", "acc-bad"):
        docker_engine.run(name, *LOOPING, options=("--restart", "always"))
    before = docker_engine.inspect("acc-bad")
    try:
        good, bad = await asyncio.gather(
            asyncio.to_thread(lambda: cli.plan("docker.recreate", "kvm-lab/docker/acc-good", env__GOOD="1")),
            asyncio.to_thread(lambda: cli.plan("docker.recreate", "kvm-lab/docker/acc-bad", env__OTHER="1")),
        )
        held, failed = await asyncio.gather(asyncio.to_thread(cli.apply, *good), asyncio.to_thread(cli.apply, *bad))
        assert (held.code, held.json["state"]) == (VERIFIED, "verified"), held.err + held.out
        assert docker_engine.inspect("acc-good")["State"]["Status"] == "running"
        assert (failed.code, failed.json["state"]) == (ROLLED_BACK, "rolled_back"), failed.err + failed.out
        after = docker_engine.inspect("acc-bad")
        assert after["Id"] == before["Id"]
        assert after["HostConfig"] == before["HostConfig"]
        assert after["Config"] == before["Config"]
    finally:
        docker_engine.remove_all()


@pytest.mark.timeout(120)
def test_a_plan_that_was_changed_is_refused(cli: Cli) -> None:
    file, plan = cli.plan("postgres.set_parameter", "kvm-lab/postgres/coach", name="work_mem", value="7MB")
    changed = json.loads(file.read_text())
    changed["steps"][0]["command"] = changed["steps"][0]["command"].replace("7MB", "700MB")
    file.write_text(json.dumps(changed))
    assert cli("show", str(file)).code == REFUSED
    assert cli.apply(file, plan).code == REFUSED
    assert cli("executions", "--json").json["executions"] == []


@pytest.mark.timeout(120)
def test_an_approval_is_of_exactly_one_digest_and_names_the_target(cli: Cli) -> None:
    file, plan = cli.plan("postgres.role_timeout", "kvm-lab/postgres/coach", role="app", name="lock_timeout", value="5s")
    assert cli("apply", str(file), "--approve", "sha256:" + "0" * 64, "--confirm", "coach").code == REFUSED
    if plan["risk"]["class"] >= 2:
        assert cli("apply", str(file), "--approve", plan["digest"], "--confirm", "yes").code == REFUSED


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("remediation", "target"),
    [
        ("docker.restart", "kvm-lab/docker/nobody-has-this-name"),
        ("docker.restart", "kvm-lab/libvirt/lab-web"),
        ("docker.restart", "elsewhere/docker/api"),
        ("docker.restart", "nonsense"),
        ("docker.dance", "kvm-lab/docker/api"),
        ("postgres.terminate_session", "kvm-lab/postgres/coach/999999999"),
        ("libvirt.resume", "kvm-lab/libvirt/no-such-vm"),
    ],
)
def test_what_is_not_there_cannot_be_planned(cli: Cli, remediation: str, target: str) -> None:
    done = cli("plan", remediation, target, "--json")
    assert done.code == USAGE, done.err
    assert done.out == ""
    assert done.err.strip()


@pytest.mark.timeout(120)
def test_a_changed_audit_log_is_named(cli: Cli) -> None:
    file, plan = cli.plan("postgres.set_parameter", "kvm-lab/postgres/coach", name="work_mem", value="7MB")
    cli(
        "apply",
        str(file),
        "--approve",
        plan["digest"],
        "--confirm",
        "wrong" if plan["risk"]["class"] > 1 else "coach",
        "--json",
    )
    file, plan = cli.plan("postgres.set_parameter", "kvm-lab/postgres/coach", name="work_mem", value="6MB")
    done = cli.apply(file, plan)
    assert done.code == VERIFIED, done.err
    cli("rollback", done.json["execution"], "--approve", plan["digest"])
    log = next((cli.home / "state").rglob("audit.jsonl"))
    assert cli("audit-log", "verify", "--json").code == 0
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([lines[0], lines[1].replace("kvm-lab", "kvm-bal", 1), *lines[2:]]))
    verified = cli("audit-log", "verify")
    assert verified.code == 1
    assert "2" in verified.out + verified.err


CATALOGUE = {
    "postgres": "cancel_query terminate_session create_index drop_index vacuum set_parameter role_timeout free_connections"
    " migrate backup",
    "docker": "restart start stop update_limits restart_policy recreate compose_up truncate_log prune_images",
    "libvirt": "resume start restart set_vcpus set_memory grow_disk snapshot commit_snapshot define_xml autostart",
    "system": "vacuum_journal clean_packages restart_unit end_process",
}


@pytest.mark.timeout(60)
def test_the_catalogue_names_every_remediation_of_the_contract(cli: Cli) -> None:
    rows = {row["name"]: row for row in cli("remediations", "--json").json["remediations"]}
    for layer, names in CATALOGUE.items():
        for name in names.split():
            row = rows[f"{layer}.{name}"]
            assert row["guards"], name
            assert row["undo"] in ("exact", "compensating", "none")
            assert 1 <= row["risk"]["lowest"] <= row["risk"]["highest"] <= 4
