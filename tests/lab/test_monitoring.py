"""Prometheus and Alertmanager, the real ones: targets that go down, rules that fire and fail, silences, broken reloads."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import bcrypt
import pytest

from debugtui.alerts.own import own_findings, unanswered
from debugtui.alerts.settings import rules_of
from debugtui.config.models import Config
from debugtui.fleet.monitoring import source_of
from debugtui.hosts.link import LinkError
from debugtui.model.alerts import Severity
from debugtui.model.source import Freshness, Kind, SourceStatus
from debugtui.sources import http_api
from debugtui.sources.base import SourceError
from debugtui.sources.prometheus import MOST_POINTS, QueryRefusedError, instant_query
from tests.lab.link_tools import Answers, make_link, started
from tests.lab.monitoring_tools import FAILING, RULES, findings, once, read_until, server, told
from tests.services.prometheus_server import Lab
from tests.services.raw_server import answer, raw_server, says
from tests.services.ssh_server import HOST, SshServer, free_port


async def test_a_target_that_dies_is_named_with_the_reason_and_its_alert_reaches_the_alertmanager(monitoring_lab: Lab) -> None:
    alertmanager, one, two = monitoring_lab.alertmanager(), monitoring_lab.exporter(), monitoring_lab.exporter()
    prometheus = monitoring_lab.prometheus(
        {"node": [one.address, two.address]}, rules=RULES, alertmanagers=[alertmanager.address]
    )
    source, held = server("prometheus", prometheus.url), server("alertmanager", alertmanager.url)
    try:
        sound = await read_until(source, lambda reading: reading.by_health == {"up": 3} and reading.newest_age_s is not None)
        assert told(findings("prometheus", sound)) == {}
        assert (sound.version, sound.retention, sound.config_ok, sound.gaps) == ("2.42.0+ds", "1d", True, ())
        assert sound.head_series > 100
        assert abs(sound.ahead_s) < 1
        assert sound.newest_age_s < 3
        assert [(link.active, link.errors) for link in sound.alertmanagers] == [(True, 0)]
        assert {rule.name: (rule.kind, rule.state) for rule in sound.rules} == {
            "TargetDown": ("alerting", "inactive"),
            "Calm": ("alerting", "inactive"),
            "job:up:sum": ("recording", ""),
        }
        two.stop()
        reading = await read_until(source, lambda one: one.alerts and one.by_health.get("down"))
        by_rule = told(findings("prometheus", reading))
        assert by_rule["prometheus_target_down"] == [f"monitoring/prometheus/prom/node/{two.address}"]
        assert by_rule["prometheus_alert"] == [f"monitoring/prometheus/prom/TargetDown/{two.address}"]
        down = reading.targets[0]
        assert (down.job, down.instance, down.health) == ("node", two.address, "down")
        assert "connection refused" in down.error
        (alert,) = (await read_until(held, lambda one: one.alerts)).alerts
        assert (alert.name, alert.state, alert.labels["site"], alert.summary) == (
            "TargetDown", "active", "lab", f"{two.address} is down",
        )  # fmt: skip
        one.stop()
        reading = await read_until(source, lambda one: one.by_health.get("down") == 2)
        (finding,) = [one for one in findings("prometheus", reading) if one.rule == "prometheus_target_down"]
        assert str(finding.target) == "monitoring/prometheus/prom/node"
        assert finding.message.startswith("2 of 2 targets of node are down: ")
    finally:
        await source.close()
        await held.close()


async def test_a_silence_that_somebody_made_is_read_and_makes_its_alert_low(monitoring_lab: Lab) -> None:
    alertmanager = monitoring_lab.alertmanager()
    labels = {"alertname": "Disk", "severity": "critical", "instance": "db-01"}
    alertmanager.post("/api/v2/alerts", [{"labels": labels, "annotations": {"summary": "disk 97 % full"}}])
    source = server("alertmanager", alertmanager.url)
    try:
        reading = await read_until(source, lambda one: one.alerts)
        (finding,) = findings("alertmanager", reading)
        assert (finding.severity, finding.rule, str(finding.target), finding.message) == (
            Severity.CRITICAL, "alertmanager_alert", "monitoring/alertmanager/am/Disk/db-01", "Disk: disk 97 % full",
        )  # fmt: skip
        assert finding.since == reading.alerts[0].since
        now = datetime.now(UTC)
        silence = {
            "matchers": [{"name": "instance", "value": "db-0.", "isRegex": True, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=2)).isoformat(),
            "createdBy": "ops",
            "comment": "the disk is being replaced",
        }
        alertmanager.post("/api/v2/silences", silence)
        reading = await read_until(source, lambda one: one.alerts[0].state == "suppressed")
        (held,) = reading.silences
        assert (held.state, held.matchers, held.by, held.comment) == (
            "active", ('instance=~"db-0."',), "ops", "the disk is being replaced",
        )  # fmt: skip
        assert reading.alerts[0].silenced_by == (held.id,)
        (finding,) = findings("alertmanager", reading)
        assert (finding.severity, finding.message) == (Severity.LOW, "silenced: Disk: disk 97 % full")
        assert (reading.version, reading.cluster, reading.receivers, reading.gaps) == ("0.25.0", "disabled", ("ops",), ())
        assert reading.config_ok is True
        assert reading.config_hash
    finally:
        await source.close()


async def test_an_alertmanager_that_reaches_nobody_is_said_by_integration(monitoring_lab: Lab) -> None:
    alertmanager = monitoring_lab.alertmanager(f"http://{HOST}:{free_port()}/hook")
    alertmanager.post("/api/v2/alerts", [{"labels": {"alertname": "Disk", "severity": "info"}}])
    source = server("alertmanager", alertmanager.url)
    try:
        reading = await read_until(source, lambda one: any(way.failed for way in one.integrations or ()))
        by_rule = told(findings("alertmanager", reading))
        assert by_rule["alertmanager_notify_failing"] == ["monitoring/alertmanager/am/webhook"]
    finally:
        await source.close()


async def test_a_reload_that_failed_and_a_rule_that_fails_are_said(monitoring_lab: Lab) -> None:
    one, two = monitoring_lab.exporter(), monitoring_lab.exporter()
    prometheus = monitoring_lab.prometheus({"node": [one.address, two.address]}, rules=RULES + FAILING)
    source = server("prometheus", prometheus.url)
    try:
        reading = await read_until(source, lambda one: any(rule.health == "err" for rule in one.rules or ()))
        failing = [rule for rule in reading.rules if rule.health == "err"]
        assert [rule.name for rule in failing] == ["Twins"]
        assert "same labelset" in failing[0].error
        found = findings("prometheus", reading)
        assert told(found) == {
            "prometheus_rule_failing": ["monitoring/prometheus/prom/odd/Twins"],
            "prometheus_no_alertmanager": ["monitoring/prometheus/prom"],
        }
        assert [one.message for one in found][-1] == "it knows no Alertmanager: 3 alerting rules reach nobody"
        (prometheus.folder / "rules.yml").write_text("groups: [{name: x, rules: [{alert: A, expr: 'sum('}]}]")
        prometheus.reload()
        reading = await source.read(full=False)
        assert "prometheus_config_bad" in told(findings("prometheus", reading))
        assert reading.config_ok is False
        assert reading.config_at is not None
    finally:
        await source.close()


async def test_alerts_that_no_alertmanager_takes_are_counted(monitoring_lab: Lab) -> None:
    dead = f"{HOST}:{free_port()}"
    prometheus = monitoring_lab.prometheus({"node": [dead]}, rules=RULES, alertmanagers=[dead])
    reading = await read_until(
        source := server("prometheus", prometheus.url), lambda one: one.notifications and one.notifications.dropped
    )
    await source.close()
    found = told(findings("prometheus", reading))
    assert found["prometheus_no_alertmanager"] == ["monitoring/prometheus/prom"]
    assert reading.alertmanagers[0].errors > 0
    # Who looks for the first time learns what was dropped lately from what it scraped of itself.
    fresh = server("prometheus", prometheus.url)
    reading = await read_until(fresh, lambda one: one.notifications.dropped_recently)
    await fresh.close()
    assert not [gap for gap in reading.gaps if gap.feature == "counters of its own"]


async def test_a_server_that_hangs_costs_one_time_limit_and_is_lost(
    monitoring_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_api, "LIMIT_S", 2.0)
    prometheus = monitoring_lab.prometheus()
    source = server("prometheus", prometheus.url)
    await source.read(full=True)
    prometheus.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(SourceError, match="does not answer /api/v1/query within 2 s"):
            await source.read(full=False)
        assert time.monotonic() - began < 4
    finally:
        prometheus.thaw()
    await read_until(source, lambda one: one.by_health == {"up": 1})
    await source.close()


async def test_servers_behind_a_host_are_read_through_its_link(
    monitoring_lab: Lab, make_ssh_server: Callable[..., SshServer]
) -> None:
    ssh_server = make_ssh_server()
    alertmanager, prometheus = monitoring_lab.alertmanager(), monitoring_lab.prometheus()
    async with started(make_link(ssh_server)) as link:
        source, held = server("prometheus", prometheus.url, link), server("alertmanager", alertmanager.url, link)
        try:
            reading = await read_until(source, lambda one: one.by_health == {"up": 1})
            assert (reading.gaps, (await held.read(full=True)).gaps) == ((), ())
            result = await source.query('up{job="prometheus"}')
            assert [one.values for one in result.series] == [(1.0,)]
            ssh_server.kill_connections()
            with pytest.raises((LinkError, SourceError)):
                await source.read(full=False)
        finally:
            await source.close()
            await held.close()


async def test_queries_answer_in_bounds_and_refuse_in_prometheus_words(monitoring_lab: Lab) -> None:
    prometheus = monitoring_lab.prometheus()
    source = server("prometheus", prometheus.url)
    await read_until(source, lambda one: one.newest_age_s is not None)
    vector = await source.query("up")
    assert (vector.kind, vector.series[0].labels, vector.series[0].values) == (
        "vector", {"__name__": "up", "instance": prometheus.address, "job": "prometheus"}, (1.0,),
    )  # fmt: skip
    scalar = await source.query("1 / 0")
    assert (scalar.kind, scalar.series[0].values) == ("scalar", (math.inf,))
    assert (await source.query('"text\x1b[2J"')).text == "text"
    now = time.time()
    matrix = await source.query_range("vector(time())", now - 60, now, 1)
    assert (matrix.kind, len(matrix.series[0].values)) == ("matrix", 61)
    many = await source.query("{__name__=~'.+'}")
    assert (len(many.series), many.more) == (200, True)
    with pytest.raises(QueryRefusedError, match=r"^1:5: parse error: unclosed left parenthesis$"):
        await source.query("sum(")
    with pytest.raises(QueryRefusedError, match="many-to-many matching not allowed"):
        await source.query("{__name__=~'go_.+'} * on() {__name__=~'go_.+'}")
    with pytest.raises(QueryRefusedError, match=f"more than {MOST_POINTS} points .a step of at least 44 s."):
        await source.query_range("up", now - 86_400, now, 1)
    rows = await instant_query(prometheus.url, "up", None)
    assert rows[0]["value"][1] == "1"
    with pytest.raises(SourceError, match="prometheus refuses: 1:5: parse error"):
        await instant_query(prometheus.url, "sum(", None)
    await source.close()


async def test_the_queries_of_the_operators_own_rules_are_asked_and_judged(monitoring_lab: Lab) -> None:
    exporter = monitoring_lab.exporter()
    prometheus = monitoring_lab.prometheus({"node": [exporter.address]})
    own = [
        {
            "name": "few_up",
            "prometheus": "prom",
            "query": 'up{job="node"}',
            "above": 0.5,
            "message": "{value} up",
            "severity": "high",
        },
        {"name": "nonsense", "prometheus": "prom", "query": "up{", "above": 0},
    ]
    config = Config.model_validate({"prometheus": [{"name": "prom", "url": prometheus.url}], "alerts": {"own": own}})
    source = source_of("prometheus", config.prometheus[0], None, Answers(), config.alerts)
    try:
        reading = await read_until(source, lambda one: one.answers["few_up"].samples)
    finally:
        await source.close()
    status = SourceStatus("monitoring", "prom", Kind.PROMETHEUS, Freshness.LIVE, reading=reading)
    rules = rules_of(config.alerts)
    (found,) = own_findings(status, rules)
    assert (found.rule, found.severity, found.value) == ("few_up", Severity.HIGH, 1.0)
    assert exporter.address in str(found.target)
    assert unanswered(status, rules) == {"nonsense"}
    assert "parse error" in str(reading.answers["nonsense"].problem)


async def test_a_password_is_asked_for_once_and_a_wrong_one_is_said(monitoring_lab: Lab) -> None:
    prometheus = monitoring_lab.prometheus()
    prometheus.stop()
    hashed = bcrypt.hashpw(b"sesame open", bcrypt.gensalt(4)).decode()
    (prometheus.folder / "web.yml").write_text(f"basic_auth_users: {{ops: {hashed}}}")
    prometheus.options = [*prometheus.options, f"--web.config.file={prometheus.folder}/web.yml"]
    prometheus.ready, prometheus.accepts = "/-/ready", (200, 401)
    prometheus.start()
    asker = Answers("sesame open")
    source = server("prometheus", prometheus.url, asker=asker, user="ops", password={"ask": True})
    assert asker.asked == []
    reading, result = await asyncio.gather(source.read(full=True), source.query("1"))
    assert reading.gaps == ()
    assert result.series[0].values == (1.0,)
    await once(source)
    assert [question.name for question in asker.asked] == ["password of prometheus/prom"]
    wrong = server("prometheus", prometheus.url, asker=Answers("shut"), user="ops", password={"ask": True})
    with pytest.raises(SourceError, match="prometheus answers 401"):
        await once(wrong)
    refusing = Answers(None, "never asked for")
    declined = server("prometheus", prometheus.url, asker=refusing, user="ops", password={"ask": True})
    for _ in range(2):
        with pytest.raises(SourceError, match="no password of prometheus/prom was given"):
            await once(declined)
    assert len(refusing.asked) == 1


async def test_victoriametrics_is_read_as_far_as_its_api_goes(monitoring_lab: Lab) -> None:
    exporter = monitoring_lab.exporter()
    victoria = monitoring_lab.victoria({"node": [exporter.address, f"{HOST}:{free_port()}"]})
    source = server("prometheus", victoria.url)
    try:
        reading = await read_until(source, lambda one: one.by_health == {"up": 1, "down": 1} and one.newest_age_s is not None)
        assert told(findings("prometheus", reading)).keys() == {"prometheus_target_down"}
        assert {gap.feature for gap in reading.gaps} == {"Alertmanagers", "runtime"}
        assert reading.version.startswith("VictoriaMetrics")
        assert (reading.rules, reading.alerts, reading.alertmanagers) == ((), (), None)
        assert reading.started_at is not None
        assert len((await source.query("up")).series) == 2
        with pytest.raises(QueryRefusedError, match="unexpected token"):
            await source.query("sum(")
    finally:
        await source.close()


HTML = b"<!DOCTYPE html><html><body>Log in</body></html>"
HOSTILE = {
    "a login page": (answer(HTML, "200 OK", "Content-Type: text/html"), "in JSON"),
    "a redirect": (answer(b"", "302 Found", "Location: https://sso.example.org/"), "302.*redirects are not followed"),
    "an empty answer": (answer(b""), "in JSON"),
    "another document": (answer(b'{"ok": true}'), "does not answer as a"),
    "a list": (answer(b"[]"), "does not answer as a"),
    "a number": (answer(b"7"), "does not answer as a"),
    "a deep document": (answer(b"[" * 100_000), "in JSON"),
    "a hang-up": (b"", "cannot be reached"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be reached"),
    "10 MB": (answer(b'"' + b"x" * 10_000_000 + b'"'), "more than 8000000 bytes"),
}


@pytest.mark.parametrize("kind", ["prometheus", "alertmanager"])
@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_no_answer_of_it_is_one_sentence(kind: str, what: str) -> None:
    data, words = HOSTILE[what]
    async with raw_server(says(data)) as port:
        with pytest.raises(SourceError, match=words):
            await once(server(kind, f"http://{HOST}:{port}"))


async def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_api, "LIMIT_S", 2.0)

    async def drip(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.2)

    async with raw_server(drip) as port:
        with pytest.raises(SourceError, match="within 2 s"):
            await once(server("alertmanager", f"http://{HOST}:{port}"))
