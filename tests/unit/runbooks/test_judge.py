"""From what came to a verdict: paths, patterns, thresholds; what is not known is never ok."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debugtui.diagnosis.runbooks import fill, judge
from debugtui.diagnosis.runbooks.comparing import comparison
from debugtui.diagnosis.runbooks.judge import Figures, in_json, in_rows, in_text, judged
from debugtui.diagnosis.runbooks.paths import Missing, leaves, parts_of
from debugtui.diagnosis.runbooks.step import Judge
from debugtui.model.runbook import StepVerdict

NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
DOCUMENT = {
    "containers": [
        {"name": "api", "state": "running", "restarts": 2, "limit": 100, "used": 95, "error": None},
        {"name": "worker", "state": "exited", "restarts": 14, "limit": None, "used": 10, "error": "x"},
    ],
    "load": 7.5,
    "cpus": 4,
    "units": ["a.service", "b.service"],
    "limits": None,
    "began": "2026-03-14T08:59:00Z",
}


def at(path: str, document: object = DOCUMENT) -> Figures:
    return judge.figures(leaves(document, parts_of(path)))


def values(found: Figures) -> list[object]:
    return [leaf.value for leaf in found.leaves]


def verdict(found: Figures, of: float | None = None, otherwise: StepVerdict = StepVerdict.UNKNOWN, **options: object):
    return judged(Judge.model_validate(options), found, NOW, of=of, none=otherwise)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("load", [7.5]),
        ("containers.name", ["api", "worker"]),
        ("containers[*].name", ["api", "worker"]),
        ("containers[0].name", ["api"]),
        ("containers[-1].name", ["worker"]),
        ("containers[9].name", []),
        ("containers[name=api].restarts", [2]),
        ("containers[state!=running].name", ["worker"]),
        ("containers[restarts>10].name", ["worker"]),
        ("containers[restarts>=2][state=running].name", ["api"]),
        ("containers[name~^w].name", ["worker"]),
        ("containers[name=none].name", []),
        ("units", ["a.service", "b.service"]),
    ],
)
def test_paths_lead_to_what_they_name(path: str, wanted: list[object]) -> None:
    assert values(at(path)) == wanted


def test_a_path_through_something_unknown_is_missing_and_its_end_may_be_empty() -> None:
    assert at("limits.name").unknown
    assert at("nothing").unknown
    assert at("limits").empty
    assert not at("limits").unknown
    assert at("containers.error").empty
    assert next(iter(leaves("text", parts_of("a")))).__class__ is Missing


def test_a_list_at_the_top_can_be_walked() -> None:
    document = [{"status": {"state": "active"}}, {"status": {"state": "expired"}}]
    assert values(at("status[state=active].state", document)) == ["active"]


def test_values_of_a_target_stay_values_inside_a_path() -> None:
    parts = fill.path(parts_of("containers[name={container}].state"), {"container": "a]b[name=worker"})
    assert values(judge.figures(leaves(DOCUMENT, parts))) == []
    parts = fill.path(parts_of("containers[name~^{container}$].state"), {"container": ".*"})
    assert values(judge.figures(leaves(DOCUMENT, parts))) == []


@pytest.mark.parametrize(
    ("figure", "wanted"),
    [(5, "ok"), (70, "ok"), (70.1, "warning"), (90, "warning"), (91, "critical"), (float("nan"), "unknown")],
)
def test_thresholds_decide(figure: float, wanted: str) -> None:
    found = verdict(at("a", {"a": figure}), warning="> 70", critical="> 90", unit="%")
    assert found.verdict == wanted


def test_the_sentence_tells_figure_threshold_and_unit() -> None:
    assert verdict(at("load"), warning="> 5", unit="tasks").says == "7.5 tasks; warning is > 5"
    assert verdict(at("cpus"), warning="> 5").says == "4; bad is > 5"


def test_the_worst_of_several_figures_counts_and_names_its_row() -> None:
    found = verdict(at("containers.restarts"), warning="> 1", critical="> 10")
    assert (found.verdict, found.figure, found.rows[0]["name"]) == ("critical", 14, "worker")


@pytest.mark.parametrize(("take", "wanted"), [("max", 14), ("min", 2), ("sum", 16), ("first", 2), ("last", 14), ("count", 2)])
def test_one_figure_is_taken_of_several(take: str, wanted: float) -> None:
    assert verdict(at("containers.restarts"), warning="> 0", take=take).figure == wanted


def test_texts_are_compared_as_texts() -> None:
    assert verdict(at("containers.state"), critical="!= running").verdict == "critical"
    assert verdict(at("containers[name=api].state"), critical="!= running").verdict == "ok"
    assert verdict(at("containers.state"), critical="~ ^ex").verdict == "critical"
    assert verdict(at("containers.state"), critical="> 5").verdict == "unknown"


def test_truth_is_compared_by_its_word() -> None:
    assert verdict(at("a", {"a": True}), critical="== true").verdict == "critical"
    assert verdict(at("a", {"a": False}), critical="== true").verdict == "ok"
    assert verdict(at("a", {"a": True}), critical="> 0").verdict == "unknown"


def test_percentages_are_of_the_whole_or_of_the_row() -> None:
    assert verdict(at("load"), of=4.0, percent_of="cpus", warning="> 150").says.startswith("188;")
    assert verdict(at("load"), of=None, percent_of="cpus", warning="> 150").verdict == "unknown"
    found = verdict(at("containers.used"), percent_of=".limit", critical="> 90")
    assert (found.verdict, found.figure) == ("critical", 95.0)
    assert verdict(at("a", {"a": 0}), of=0.0, percent_of="b", warning="> 10").verdict == "ok"


def test_ages_are_counted_from_now() -> None:
    assert verdict(at("began"), age=True, warning="> 30", unit="s").says == "60 s; warning is > 30"
    assert verdict(Figures((judge.Leaf(NOW - timedelta(hours=2), {}),)), age=True, critical="> 3600").verdict == "critical"
    assert verdict(at("a", {"a": "never"}), age=True, critical="> 3600").verdict == "unknown"


def test_nothing_found_is_what_the_step_says_and_unknown_stays_unknown() -> None:
    assert verdict(at("containers[name=x].state"), critical="!= running", none="critical").verdict == "critical"
    assert verdict(at("containers[name=x].state"), critical="!= running", otherwise=StepVerdict.OK).verdict == "ok"
    assert verdict(at("limits"), critical="> 1").verdict == "unknown"
    assert verdict(at("limits"), critical="> 1", none="ok").verdict == "ok"
    assert verdict(at("limits.x"), critical="> 1", none="ok").verdict == "unknown"
    assert verdict(at("limits.x"), critical="> 1", take="count").verdict == "unknown"
    assert verdict(at("containers[name=x].state"), critical="> 1", take="count").figure == 0


def test_patterns_find_figures_line_by_line() -> None:
    found = in_text("some avg10=0.00\nfull avg10=12.50 avg60=1.00\n", r"full avg10=([\d.]+)")
    assert values(found) == [12.5]
    named = in_text(" 42.0 4711 root\n", r"^\s*([\d.]+)\s+(?P<pid>\d+)")
    assert named.leaves[0].row == {"pid": "4711"}
    assert values(in_text("a\n\nb", None)) == ["a", "b"]


def test_columns_of_rows_are_judged() -> None:
    rows = [{"age": Decimal("12.5"), "pid": 1}, {"age": None, "pid": 2}]
    assert values(in_rows(rows, "age")) == [12.5]
    assert values(in_rows(rows, "")) == [12.5]
    assert in_rows(rows, "agee").unknown
    assert in_rows([], "age").leaves == ()


def test_an_answer_that_is_no_json_is_not_known() -> None:
    assert in_json("<html>", "a").unknown
    assert values(in_json('{"a": {"b": [1, 2]}}', "a.b")) == [1, 2]


@given(st.text(max_size=200), st.sampled_from([r"(\d+)", r"avg=([\d.]+)", r"(?i)error|fatal", r"^\s*(\S+)\s+(\S+)"]))
def test_any_output_can_be_judged(text: str, pattern: str) -> None:
    found = verdict(in_text(text, pattern), warning="> 5", critical="> 10")
    assert found.verdict in tuple(StepVerdict)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("ab"), below, max_size=2)))  # fmt: skip
def test_any_document_can_be_walked(document: object) -> None:
    found = judge.figures(leaves(document, parts_of("a[b>1].b")))
    assert verdict(found, warning="> 5").verdict in tuple(StepVerdict)


@pytest.mark.parametrize("text", ["", "5", "<> 5", ">", "> x", "~ (", "~ (a+)+"])
def test_thresholds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        comparison(text)


def test_parameters_stay_inside_their_argument() -> None:
    assert fill.argv(["cat", "/var/log/{name}"], {"name": "a b; rm -rf /"}) == ("cat", "/var/log/a b; rm -rf /")
    with pytest.raises(ValueError, match="taken for an option"):
        fill.argv(["systemctl", "status", "{unit}"], {"unit": "--host=evil"})
    with pytest.raises(fill.UnfilledError):
        fill.argv(["cat", "{container}"], {})


def test_values_inside_promql_are_quoted() -> None:
    assert (
        fill.promql('up{instance="{host}"}', {"host": 'a"} or vector(1) or up{x="'})
        == r'up{instance="a\"} or vector(1) or up{x=\""}'
    )
    assert fill.promql('up{instance=~"{host}.*"}', {"host": ".*|b"}) == r'up{instance=~"\\.\\*\\|b.*"}'
    assert fill.promql("count({__name__=~'.+'})", {}) == "count({__name__=~'.+'})"


def test_values_inside_urls_are_quoted_but_for_a_whole_address() -> None:
    assert fill.url("{url}/health", {"url": "https://x/"}) == "https://x/health"
    assert fill.url("http://127.0.0.1:9090/api?q={name}", {"name": "a&b/../c"}) == "http://127.0.0.1:9090/api?q=a%26b%2F..%2Fc"
