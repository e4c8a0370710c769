"""What monitoring servers answer, taken apart: as documented, and in every other shape."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debugtui.model.monitoring import label_text
from debugtui.model.source import Problem
from debugtui.sources.base import SourceError
from debugtui.sources.http_api import SilentError
from debugtui.sources.monitoring import alertmanager, firing, grafana, loki, prometheus, prometheus_parts, shapes
from debugtui.sources.monitoring.exposition import Growth, only, wanted
from debugtui.sources.monitoring.login import Login
from debugtui.sources.monitoring.parts import MOST_SILENT, Parts
from debugtui.sources.prometheus import _result
from tests.unit.fakes import FakeClock

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["data", "status", "result", "activeTargets", "groups", "rules", "alerts", "labels", "value", "values", "metric", "state"]
)
SHAPED = st.recursive(JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20)
READERS = (
    prometheus_parts.targets,
    prometheus_parts.rules,
    prometheus_parts.alertmanagers,
    firing.of_prometheus,
    firing.of_alertmanager,
    alertmanager._silences,
    alertmanager._receivers,
    grafana._datasources,
    grafana._dashboards,
    loki._labels,
    lambda document: loki._counts(document, "app"),
    prometheus._increases,
    prometheus._one_value,
)


@pytest.mark.parametrize("read", READERS)
@given(document=SHAPED)
@settings(max_examples=60, deadline=None)
def test_no_shape_of_an_answer_is_an_error(read, document) -> None:
    read(document)
    read({"data": document})
    read([document])


@given(data=SHAPED)
@settings(max_examples=60, deadline=None)
def test_no_shape_of_a_querys_answer_is_an_error(data) -> None:
    _result({"data": data if isinstance(data, dict) else {"result": data}})
    _result({"data": {"resultType": "matrix", "result": [data]}, "warnings": data})


@given(text=st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_text_of_metrics_is_an_error(text: str) -> None:
    wanted(text + '\nup{a="' + text + '"} 1', {"up"})


def test_metrics_are_read_with_their_labels_and_escapes() -> None:
    text = (
        '# HELP up x\n# TYPE up gauge\nup{job="a\\"b\\\\c",instance="x,y=\\"1\\""} 1\nup 0.5 1700000000000\n'
        "upper 9\nup{} NaN\nup +Inf\nup{broken 3\n"
    )
    found = wanted(text, {"up"})
    assert found["up"] == [({"job": 'a"b\\c', "instance": 'x,y="1"'}, 1.0), ({}, 0.5)]
    assert only(found, "up") == 1.0
    assert only(found, "down") is None


def test_a_counter_tells_how_much_it_grew_in_five_minutes_and_survives_a_restart() -> None:
    clock = FakeClock()
    growth = Growth(clock)
    assert growth.of("c", 100) is None
    clock.move(2)
    assert growth.of("c", 101) is None
    clock.move(60)
    assert growth.of("c", 105) == 5
    clock.move(280)
    assert growth.of("c", 105) == 4  # what it was when five minutes ago
    clock.move(10)
    assert growth.of("c", 2) is None  # restarted
    clock.move(10)
    assert growth.of("c", 3) == 3


def test_times_durations_and_addresses_are_read() -> None:
    assert shapes.moment("2026-11-29T01:12:24.139799778Z").isoformat() == "2026-11-29T01:12:24.139799+00:00"
    assert shapes.moment("2026-11-29T03:12:24+02:00").hour == 1
    for nothing in ("0001-01-01T00:00:00Z", "yesterday", "", None, 7, "9999-12-31T23:59:59-23:59"):
        assert shapes.moment(nothing) is None
    assert prometheus_parts.seconds("1m30s") == 90.0
    assert [prometheus_parts.seconds(text) for text in ("500ms", "1h", "", "x", "5", None)] == [
        0.5,
        3600.0,
        None,
        None,
        None,
        None,
    ]
    assert shapes.address("http://user:pass@host:9/metrics?token=1") == "http://host:9/metrics"
    assert shapes.address("http://[broken") == ""
    assert [shapes.number(value) for value in ("1e3", "NaN", "+Inf", True, None, [], 10**400)] == [1000.0] + [None] * 6


def test_texts_are_safe_to_show_and_hold_no_secret() -> None:
    known = shapes.labels({"a": "x\x1b[31m\u202e\n", "\x00b": "password=hunter2", "c": 7})
    assert known == {"a": "x<202E>", "␀b": "password=•••"}
    assert len(shapes.labels({str(number): "x" for number in range(1_000)})) == shapes.LABELS


def test_a_series_is_written_as_promql_writes_it() -> None:
    assert label_text({"__name__": "up", "job": "node", "instance": "a:1"}) == 'up{job="node", instance="a:1"}'
    assert (label_text({"__name__": "up"}), label_text({"job": "node"}), label_text({})) == ("up", '{job="node"}', "{}")


def test_a_querys_answer_keeps_what_are_no_numbers_and_is_bounded() -> None:
    rows = [{"metric": {"n": str(number)}, "value": [1.5, "NaN" if number else "+Inf"]} for number in range(300)]
    result = _result({"data": {"resultType": "vector", "result": rows}, "warnings": ["w\x1b[2J"]})
    assert (len(result.series), result.more, result.warnings) == (200, True, ("w",))
    assert result.series[0].values == (math.inf,)
    assert math.isnan(result.series[1].values[0])


async def test_a_secret_with_a_line_break_is_not_sent() -> None:
    async def secret() -> str:
        return "two\nlines"

    login = Login("loki/loki", token=secret)
    with pytest.raises(Exception, match="cannot be sent"):
        await login.headers()
    assert await Login("loki/loki").headers() == {}
    assert await Login("loki/loki", user="ops").headers() == {"Authorization": "Basic b3BzOg=="}


class _Answers:
    """A server that leaves the named paths without an answer, refuses `/refused`, and answers the rest with a number."""

    def __init__(self, silent: set[str]) -> None:
        self.silent, self.asked = silent, []

    async def get(self, path: str, params: object = None) -> object:
        self.asked.append(path)
        if path in self.silent:
            raise SilentError(Problem(f"it does not answer {path}"))
        if path == "/refused":
            raise SourceError(Problem("no"))
        return 1


async def test_one_part_without_an_answer_is_a_gap_and_the_rest_is_still_asked() -> None:
    server = _Answers({"/a", "/c"})
    get = Parts(server, FakeClock())  # type: ignore[arg-type]
    assert [await get.get(path, path, bool) for path in ("/a", "/b", "/c", "/refused")] == [None, True, None, None]
    assert [gap.feature for gap in get.gaps] == ["/a", "/c", "/refused"]


async def test_a_server_that_begins_to_hang_half_way_through_is_not_asked_for_all_the_rest() -> None:
    server = _Answers({"/b", "/c", "/d"})
    get = Parts(server, FakeClock())  # type: ignore[arg-type]
    await get.get("first", "/a", bool)
    await get.get("second", "/b", bool)
    with pytest.raises(SourceError, match="does not answer /c"):
        await get.get("third", "/c", bool)
    assert (server.asked, MOST_SILENT) == (["/a", "/b", "/c"], 2)
