"""Loki and Grafana: the emulators that speak their documented APIs, and servers that answer something else."""

from __future__ import annotations

import asyncio
import time

import pytest

from debugtui.demo.grafana_emulator import EmulatedSource
from debugtui.demo.loki_emulator import LokiEmulator
from debugtui.model.alerts import Severity
from debugtui.sources.base import SourceError
from debugtui.sources.monitoring import grafana as grafana_module
from tests.lab.link_tools import Answers, make_link, started
from tests.lab.monitoring_tools import findings, once, server, told
from tests.lab.test_monitoring import HOSTILE
from tests.services.grafana_server import TOKEN, grafana_server
from tests.services.loki_server import loki_server
from tests.services.raw_server import answer, raw_server, says
from tests.services.ssh_server import HOST, SshServer


def lines(loki: LokiEmulator) -> None:
    loki.push({"app": "api"}, ["started", "ERROR no route to db", "Exception: timeout", "calm"])
    loki.push({"app": "worker\x1b]0;owned\x07‮"}, ["fatal: out of memory"])
    loki.push({"app": "old"}, [(time.time() - 400, "ERROR of long ago")])


async def test_loki_tells_that_it_is_ready_and_who_logs_errors() -> None:
    async with loki_server() as loki:
        lines(loki)
        reading = await once(server("loki", loki.url))
        assert (reading.ready, reading.version, reading.labels, reading.by, reading.gaps) == (
            True, "2.9.10", ("app",), "app", (),
        )  # fmt: skip
        assert [(one.name, one.count) for one in reading.errors] == [("api", 2), ("worker<202E>", 1)]
        assert findings("loki", reading) == []


async def test_lines_with_a_level_are_counted_by_it_and_at_most_once_a_minute() -> None:
    async with loki_server() as loki:
        loki.push({"container": "api", "level": "error"}, ["no word that tells"] * 3)
        loki.push({"container": "api", "level": "info"}, ["0 errors found"])
        source = server("loki", loki.url)
        first = await source.read(full=False)
        second = await source.read(full=False)
        third = await once(source, full=True)
        assert [(one.name, one.count) for one in first.errors] == [("api", 3)]
        assert (second.errors, second.errors_at) == (first.errors, first.errors_at)
        assert third.errors_at > first.errors_at
        asked = [query["query"] for path, query in loki.seen if path.endswith("/query")]
        assert len(asked) == 2
        assert 'level=~"(?i)' in asked[0]


async def test_a_loki_whose_ring_is_not_whole_says_so_in_its_own_words() -> None:
    async with loki_server() as loki:
        loki.not_ready = "Ingester not ready: at least 1 live replicas required, could only find 0"
        reading = await once(server("loki", loki.url))
        (finding,) = findings("loki", reading)
        assert (finding.severity, finding.rule) == (Severity.HIGH, "loki_not_ready")
        assert finding.message == "not ready: Ingester not ready: at least 1 live replicas required, could only find 0"


async def test_a_loki_whose_labels_do_not_say_who_logs_has_a_gap() -> None:
    async with loki_server() as loki:
        loki.push({"colour": "blue"}, ["ERROR"])
        reading = await once(server("loki", loki.url))
        assert reading.errors is None
        assert [(gap.feature, gap.problem.says) for gap in reading.gaps] == [("errors", "no label says who logs")]


async def test_loki_behind_a_gateway_without_ready_is_still_read() -> None:
    build = answer(b'{"version": "3.1.0"}')

    async def gateway(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(build if b"buildinfo" in head else answer(b"404 page not found", "404 Not Found"))

    async with raw_server(gateway) as port:
        reading = await once(server("loki", f"http://{HOST}:{port}"))
    assert (reading.ready, reading.version) == (None, "3.1.0")
    assert {gap.feature for gap in reading.gaps} == {"labels", "ready"}
    assert findings("loki", reading) == []


async def test_a_token_is_sent_to_loki_and_a_wrong_one_is_refused() -> None:
    async with loki_server(token="let-me-in") as loki:
        lines(loki)
        sound = await once(server("loki", loki.url, asker=Answers("let-me-in"), token={"ask": True}))
        assert sound.ready is True
        with pytest.raises(SourceError, match="loki answers 401"):
            await once(server("loki", loki.url, asker=Answers("something else"), token={"ask": True}))


SOURCES = (
    EmulatedSource("prom1", "Prometheus", url="http://prometheus:9090"),
    EmulatedSource("pg1", "Coach database", "postgres", "db:5432", fails="pq: password authentication failed for user"),
    EmulatedSource("old1", "Old thing", "graphite", "http://user:secret@old:80/?key=1", checkable=False),
)


async def test_grafana_tells_of_its_database_datasources_dashboards_and_alerts() -> None:
    async with grafana_server(*SOURCES) as grafana:
        grafana.dashboards = [("Hosts", "Infra"), ("Coach [@click=app.quit]x[/]", "")]
        labels = {"alertname": "Slow", "grafana_folder": "Coach", "severity": "warning"}
        status = {"state": "active", "silencedBy": [], "inhibitedBy": []}
        grafana.alerts = [{"labels": labels, "annotations": {"summary": "p95 3 s"}, "fingerprint": "ab", "status": status}]
        source = server("grafana", grafana.url, asker=Answers(TOKEN), token={"ask": True})
        reading = await once(source)
        assert (reading.version, reading.database, reading.gaps) == ("10.4.2", "ok", ())
        assert [(one.name, one.ok) for one in reading.datasources] == [
            ("Prometheus", True), ("Coach database", False), ("Old thing", None),
        ]  # fmt: skip
        assert reading.datasources[2].says == "it has no check"
        assert reading.datasources[2].url == "http://old:80/"
        assert [(one.folder, one.title) for one in reading.dashboards] == [
            ("", "Coach [@click=app.quit]x[/]"),
            ("Infra", "Hosts"),
        ]
        found = findings("grafana", reading)
        assert told(found) == {
            "grafana_datasource_down": ["monitoring/grafana/grafana/Coach database"],
            "grafana_alert": ["monitoring/grafana/grafana/Slow"],
        }
        assert "password authentication failed" in found[0].message


async def test_what_a_token_may_not_read_is_a_gap_and_no_error() -> None:
    async with grafana_server(*SOURCES, tokens={"small": ("dashboards:read",)}) as grafana:
        grafana.dashboards = [("Hosts", "")]
        reading = await once(server("grafana", grafana.url, asker=Answers("small"), token={"ask": True}))
        assert (reading.database, reading.datasources, reading.alerts) == ("ok", None, None)
        assert [one.title for one in reading.dashboards] == ["Hosts"]
        assert {gap.feature for gap in reading.gaps} == {"datasources", "alerts"}
        assert "Permissions needed: datasources:read" in reading.gaps[0].problem.says
        assert findings("grafana", reading) == []


async def test_a_grafana_that_nobody_is_known_to_still_tells_its_health() -> None:
    async with grafana_server(*SOURCES) as grafana:
        grafana.database = "failing"
        reading = await once(server("grafana", grafana.url))
        assert told(findings("grafana", reading)) == {"grafana_database": ["monitoring/grafana/grafana"]}
        assert {gap.feature for gap in reading.gaps} == {"datasources", "dashboards", "alerts"}
        assert reading.gaps[0].problem.hint.startswith("it wants a user and password, or a token")


async def test_checks_that_do_not_end_are_not_known_and_the_rest_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grafana_module, "CHECKS_LIMIT_S", 0.7)
    slow = EmulatedSource("slow1", "Slow", slow_s=30)
    async with grafana_server(slow, SOURCES[0]) as grafana:
        reading = await once(server("grafana", grafana.url, asker=Answers(TOKEN), token={"ask": True}))
        assert [(one.name, one.ok) for one in reading.datasources] == [("Slow", None), ("Prometheus", True)]
        assert [gap.problem.says for gap in reading.gaps] == ["1 of 2 checks did not end in time"]
        assert reading.dashboards == ()


async def test_datasources_are_checked_at_most_once_a_minute_unless_wanted() -> None:
    async with grafana_server(SOURCES[0]) as grafana:
        source = server("grafana", grafana.url, asker=Answers(TOKEN), token={"ask": True})
        for full in (False, False, True):
            reading = await source.read(full=full)
            assert reading.datasources[0].ok is True
        await source.close()
        assert sum(path.endswith("/health") and "uid" in path for path in grafana.seen) == 2


async def test_both_are_read_through_a_hosts_link(ssh_server: SshServer) -> None:
    async with loki_server() as loki, grafana_server(*SOURCES) as grafana, started(make_link(ssh_server)) as link:
        lines(loki)
        assert (await once(server("loki", loki.url, link))).ready is True
        assert (await once(server("grafana", grafana.url, link))).database == "ok"


@pytest.mark.parametrize("kind", ["loki", "grafana"])
@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_no_answer_of_it_is_one_sentence(kind: str, what: str) -> None:
    data, _ = HOSTILE[what]
    async with raw_server(says(data)) as port:
        with pytest.raises(SourceError) as error:
            await once(server(kind, f"http://{HOST}:{port}"))
    assert len(error.value.problem.says) < 300
    assert "\n" not in error.value.problem.says
