"""`debugtui check` judges like a monitoring plugin and prints the documented JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from debugtui.__main__ import cli
from debugtui.alerts.book import AlertBook
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.headless.check import Status, document, judge, read_once, report
from debugtui.model.source import FleetView, Freshness, Kind, LinkState, LinkStatus, Problem
from debugtui.sources.base import SourceError
from tests.unit.fakes import FakeLink, FakeSource, filesystem, system_reading
from tests.unit.test_alerts import container, docker, view_of

CALM = view_of(system_reading())
WARNING = view_of(system_reading(filesystems=(filesystem(92),)))
CRITICAL = view_of(docker(container(looping=True)), kind=Kind.DOCKER)
UNKNOWN = view_of(None, kind=Kind.DOCKER, freshness=Freshness.LOST, problem=Problem("engine stopped"))
OFF = view_of(None, kind=Kind.DOCKER, freshness=Freshness.OFF, problem=Problem("no such socket"))


def together(*views: FleetView) -> FleetView:
    return dataclasses.replace(views[0], hosts=tuple(host for view in views for host in view.hosts))


def linkless(state: LinkState) -> FleetView:
    host = dataclasses.replace(CALM.hosts[0], link=LinkStatus(state, Problem("no route")))
    return dataclasses.replace(CALM, hosts=(host,))


@pytest.mark.parametrize(
    ("view", "status", "code"),
    [
        (CALM, Status.OK, 0),
        (OFF, Status.OK, 0),
        (WARNING, Status.WARNING, 1),
        (CRITICAL, Status.CRITICAL, 2),
        (UNKNOWN, Status.UNKNOWN, 3),
        (linkless(LinkState.LOST), Status.UNKNOWN, 3),
        (linkless(LinkState.REFUSED), Status.UNKNOWN, 3),
        (linkless(LinkState.CONNECTING), Status.UNKNOWN, 3),
        (together(UNKNOWN, WARNING), Status.UNKNOWN, 3),
        (together(UNKNOWN, CRITICAL), Status.CRITICAL, 2),
    ],
)
def test_the_exit_code_follows_the_plugin_convention(view: FleetView, status: Status, code: int) -> None:
    assert judge(view, AlertBook().update(view)) is status
    assert status.exit_code == code


def test_the_document_has_the_documented_keys_and_nothing_else() -> None:
    view = together(CRITICAL, UNKNOWN)
    alerts = AlertBook().update(view)
    written = json.loads(json.dumps(document(view, alerts, judge(view, alerts))))
    assert list(written) == ["version", "taken_at", "status", "hosts", "alerts"]
    assert written["version"] == 1
    assert written["taken_at"] == "2026-03-14T09:26:53.000Z"
    assert list(written["hosts"][0]) == ["name", "link", "sources"]
    assert written["hosts"][0]["link"] == {"state": "up", "error": None}
    source = written["hosts"][0]["sources"][0]
    assert list(source) == ["name", "kind", "freshness", "error", "took_ms", "reading"]
    assert source["reading"]["containers"][0]["name"] == "api"
    assert written["hosts"][1]["sources"][0]["error"] == "engine stopped"
    assert list(written["alerts"][0]) == ["severity", "rule", "target", "since", "value", "threshold", "message"]
    assert written["alerts"][0]["target"] == "kvm-01/docker/api"


def test_a_secret_in_an_error_never_reaches_the_document() -> None:
    leak = "postgresql://ops:hunter2secret@db/coach does not answer"
    view = view_of(None, kind=Kind.POSTGRES, name="coach", freshness=Freshness.LOST, problem=Problem(leak))
    assert "hunter2secret" not in json.dumps(document(view, (), Status.UNKNOWN))
    assert "hunter2secret" not in "\n".join(report(view, AlertBook().update(view), Status.UNKNOWN))


async def test_one_check_reads_fully_and_again_for_the_rates() -> None:
    rated, plain, broken = FakeSource(), FakeSource(Kind.DOCKER), FakeSource(Kind.LIBVIRT, answer=SourceError(Problem("gone")))
    rated.has_rates = broken.has_rates = True
    fleet = Fleet([HostParts(FakeLink(), [(source, True) for source in (rated, plain, broken)])])
    await read_once(fleet)
    assert (rated.reads, plain.reads, broken.reads) == ([True, False], [True], [True])


def run_check(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), "check", *arguments], prog_name="debugtui")


def test_a_configuration_that_cannot_be_read_is_unknown_and_standard_output_stays_empty(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[[hosts]]\nname = "a"\nadress = "local"\n', encoding="utf-8")
    result = run_check(config, "--json")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert 'did you mean "address"?' in result.stderr


def test_a_fault_of_our_own_is_unknown_never_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[[hosts]]\nname = "a"\naddress = "local"\n', encoding="utf-8")

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("postgresql://ops:hunter2secret@db/x")

    monkeypatch.setattr("debugtui.headless.check.build_fleet", broken)
    result = run_check(config)
    assert result.exit_code == 3
    assert "ZeroDivisionError" in result.stderr
    assert "hunter2secret" not in result.output


def test_an_unknown_host_is_said_with_the_known_ones(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[[hosts]]\nname = "kvm-01"\naddress = "local"\n', encoding="utf-8")
    result = run_check(config, "--host", "kvm-1")
    assert result.exit_code == 2
    assert "there are: kvm-01" in result.stderr


def test_a_journal_that_a_host_does_not_have_is_not_listed() -> None:
    seen = view_of(None, kind=Kind.JOURNAL, freshness=Freshness.OFF, problem=Problem("no journal files were found"))
    listed = json.loads(json.dumps(document(seen, (), judge(seen, ()))))["hosts"][0]["sources"]
    assert listed == []
    assert len(list(report(seen, (), Status.OK))) == 2
    assert judge(seen, ()) is Status.OK
