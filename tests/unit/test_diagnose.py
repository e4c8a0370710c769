"""`debugtui diagnose`: its exit codes, its document, and what it does when it cannot look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from debugtui.__main__ import cli
from debugtui.config.models import Config
from debugtui.diagnosis import round as round_module
from debugtui.diagnosis.round import one_round
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.headless.diagnose import newest_executions
from debugtui.model.source import Kind, Problem
from debugtui.sources.base import SourceError
from tests.unit.diagnosis.build import chain, filesystem, postgres, system_reading, web
from tests.unit.fakes import FakeLink, FakeSource

QUIET = """
[[hosts]]
name = "n1"
address = "local"
system = false
libvirt = false
docker = false
journal = false
"""


def run(tmp_path: Path, text: str, *arguments: str) -> Result:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    return CliRunner().invoke(cli, ["--config", str(file), "diagnose", *arguments], env=env)


def test_where_nothing_is_wrong_it_says_so_and_ends_with_zero(tmp_path: Path) -> None:
    done = run(tmp_path, QUIET, "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert (printed["version"], printed["findings"], printed["undecided"]) == (1, [], [])
    assert "all is well, as far as is watched" in run(tmp_path, QUIET).stdout


def test_a_configuration_that_cannot_be_read_is_undecided(tmp_path: Path) -> None:
    done = run(tmp_path, "[nonsense]\nx = 1\n", "--json")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "nonsense" in done.stderr


def test_a_host_that_is_not_configured_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, QUIET, "--host", "n9")
    assert done.exit_code == 2
    assert "n9" in done.stderr


def test_where_nothing_was_ever_executed_there_are_no_executions_and_a_broken_journal_changes_nothing(tmp_path: Path) -> None:
    assert newest_executions(tmp_path / "journal.db") == ()
    assert not (tmp_path / "journal.db").exists()
    (tmp_path / "broken.db").write_text("this is no database, and long enough to be looked at as one" * 20)
    assert newest_executions(tmp_path / "broken.db") == ()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_module, "GAP_S", 0.0)


def fleet_of(*sources: FakeSource) -> Fleet:
    return Fleet([HostParts(FakeLink("n1"), [(one, True) for one in sources])])


async def test_what_is_suspicious_is_read_again_and_what_is_well_is_not() -> None:
    disk = FakeSource(Kind.SYSTEM, answer=system_reading(filesystems=(filesystem(99, "/"),)))
    page = FakeSource(Kind.WEB, "front", web().reading)
    found = await one_round(fleet_of(disk, page), Config())
    assert [str(one.target) for one in found.findings] == ["n1/system//"]
    assert (len(disk.reads), len(page.reads)) == (2, 1)


async def test_a_source_that_fails_once_and_then_answers_is_no_fault() -> None:
    lost = FakeSource(Kind.POSTGRES, "shop", SourceError(Problem("no answer from /run/postgresql within 5 s")))

    class Mended(FakeSource):
        async def read(self, *, full: bool):
            if self.reads:
                self.answer = postgres().reading
            return await super().read(full=full)

    mended = Mended(Kind.POSTGRES, "plans", SourceError(Problem("no answer from /run/postgresql within 5 s")))
    found = await one_round(fleet_of(lost, mended), Config())
    assert [str(one.target) for one in found.findings] == ["n1/postgres/shop"]


async def test_a_longer_look_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(round_module, "PAUSE_S", 0.01)
    source = FakeSource(Kind.POSTGRES, "shop", postgres(**chain(900)).reading)
    found = await one_round(fleet_of(source), Config(), watch_s=0.1)
    assert len(source.reads) > 3
    assert found.findings[0].target.name == "shop/900"
