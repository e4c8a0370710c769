"""What an application's log and metrics say of its calls."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from debugtui.config.models import GroqConfig
from debugtui.config.redaction import register
from debugtui.hosts.link import LinkError
from debugtui.model.groq import GroqFault
from debugtui.model.source import Problem
from debugtui.sources.groq import passive, promql
from debugtui.sources.groq.listening import Listening
from debugtui.sources.groq.passive import PatternError, of_libraries, of_pattern

URL = "https://api.groq.com"


def request(status: int, host: str = "api.groq.com", words: str = "X") -> str:
    url = f"https://{host}/openai/v1/chat/completions"
    return f'2026-03-14 09:26:53 INFO httpx: HTTP Request: POST {url} "HTTP/1.1 {status} {words}"'


def test_the_lines_of_httpx_and_groq_are_counted() -> None:
    lines = [
        *[request(200)] * 7,
        request(503),
        "INFO groq._base_client: Retrying request to /openai/v1/chat/completions in 0.446264 seconds",
        request(429),
        request(401),
        "groq.APITimeoutError: Request timed out.",
        "groq.APIConnectionError: Connection error.",
        request(500, host="example.org"),
        "Retrying request to /elsewhere in 1 seconds",
        "something else",
    ]
    figures = of_libraries(lines, URL).figures("log of kvm-01/docker/api")
    assert (figures.calls, figures.retries) == (12, 1)
    assert figures.by_class == {
        GroqFault.SERVER: 1,
        GroqFault.RATE_LIMITED: 1,
        GroqFault.AUTHENTICATION: 1,
        GroqFault.TIMEOUT: 1,
        GroqFault.CONNECTION: 1,
    }
    assert figures.newest_failure == "groq.APIConnectionError: Connection error."


def test_the_port_and_the_host_decide_whose_line_it_is() -> None:
    lines = [request(200, host="127.0.0.1:8080"), request(200, host="127.0.0.1:9090"), request(200, host="[::bad:")]
    assert of_libraries(lines, "http://127.0.0.1:8080").calls == 1
    assert of_libraries([request(200, host="API.groq.com:443")], URL).calls == 1


@given(some.lists(some.text(max_size=300), max_size=30))
def test_no_line_breaks_the_count(lines: list[str]) -> None:
    tally = of_libraries(lines, URL)
    assert sum(tally.by_class.values()) <= tally.calls <= len(lines)


async def test_a_configured_pattern_is_read_by_its_groups() -> None:
    pattern = r"groq model=(?P<model>\S+) status=(?P<status>\S+) took=(?P<ms>[\d.]+)ms|retry in (?P<retry_s>[\d.]+)s"
    lines = [
        "groq model=m status=200 took=100ms",
        "groq model=m status=200 took=300.5ms",
        "groq model=m status=429 took=5ms",
        "groq model=m status=timeout took=9000ms",
        "groq model=m status=oops took=9ms",
        "groq model=other status=500 took=5ms",
        "retry in 2.5s",
        "nothing",
    ]
    figures = (await of_pattern(lines, pattern, "m")).figures("log")
    assert (figures.calls, figures.retries) == (5, 1)
    assert figures.by_class == {GroqFault.RATE_LIMITED: 1, GroqFault.TIMEOUT: 1, GroqFault.CONNECTION: 1}
    assert figures.latency is not None
    assert (figures.latency.count, figures.latency.p50) == (2, 200.2)
    assert (await of_pattern(lines, pattern, "")).by_class[GroqFault.SERVER] == 1


@pytest.mark.parametrize("pattern", [r"^(?P<status>(a+)+)$", r"(?P<ms>(x|xx|xxx)+)y\d", r"(?P<status>.*.*.*.*.*.*=)z"])
async def test_a_pattern_without_end_holds_up_nothing(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passive, "MATCH_LIMIT", 0.5)
    holds = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            holds.append(time.perf_counter() - began)

    ticking = asyncio.create_task(tick())
    began = time.perf_counter()
    with pytest.raises(PatternError, match="takes more than"):
        await of_pattern(["a" * 1500 + "!", "x" * 1500 + "!"] * 5, pattern, "")
    ticking.cancel()
    assert time.perf_counter() - began < 3
    assert max(holds) < 0.2


@pytest.mark.parametrize("pattern", ["(", "plain", r"(?P<other>x)", r"(?P<status>x){1,99999999999999999999}"])
async def test_a_pattern_that_says_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        await of_pattern(["x"], pattern, "")


async def test_lines_and_their_lengths_are_bounded() -> None:
    lines = ["status=200"] * (passive.MOST_LINES + 500)
    began = time.perf_counter()
    assert (await of_pattern(lines, r"status=(?P<status>\d+)", "")).calls == passive.MOST_LINES
    assert time.perf_counter() - began < 2
    assert (await of_pattern(["x" * passive.LINE_LENGTH + "status=200"], r"status=(?P<status>\d+)", "")).calls == 0


def test_a_failure_is_kept_without_its_secrets() -> None:
    register("sup3r-s3cret-value")
    tally = of_libraries([request(401, words="Authorization: Bearer sup3r-s3cret-value")], URL)
    assert "sup3r" not in tally.newest
    assert "401" in tally.newest


# Prometheus


class Prometheus:
    """Answers the queries whose beginnings it knows."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, query: str) -> object:
        self.asked.append(query)
        for part, answer in self.answers.items():
            if part in query.replace(" ", "").replace("(", "_"):
                return answer
        return []


def vector(*rows: tuple[dict[str, str], str]) -> list[object]:
    return [{"metric": labels, "value": [1_700_000_000.0, value]} for labels, value in rows]


async def test_the_histograms_of_opentelemetry_are_read() -> None:
    prometheus = Prometheus(
        histogram_quantile_0_5=[],
        error_type=vector(({"error_type": "429"}, "3"), ({"error_type": "APITimeoutError"}, "1.9"), ({}, "90")),
        gen_ai_token_type=vector(({"gen_ai_token_type": "input"}, "1000"), ({"gen_ai_token_type": "output"}, "200")),
        **{
            "histogram_quantile_0.5,": vector(({}, "0.25")),
            "histogram_quantile_0.95,": vector(({}, "1.5")),
            "histogram_quantile_0.99,": vector(({}, "2.125")),
        },
        operation_duration=vector(({}, "94.6")),
        server_time_to_first_token=vector(({}, "94.6")),
    )
    figures = await promql.of_metrics(prometheus, "prometheus prom", "m")
    assert figures is not None
    assert (figures.calls, figures.tokens_in, figures.tokens_out) == (95, 1000, 200)
    assert figures.by_class == {GroqFault.RATE_LIMITED: 3, GroqFault.TIMEOUT: 2}
    assert figures.latency is not None
    assert (figures.latency.p50, figures.latency.p95, figures.latency.p99) == (250.0, 1500.0, 2125.0)
    assert figures.ttft is not None
    assert all('gen_ai_request_model="m"' in query for query in prometheus.asked)


async def test_without_these_metrics_there_is_nothing_to_tell() -> None:
    assert await promql.of_metrics(Prometheus(), "prometheus prom", "m") is None
    assert await promql.of_metrics(Prometheus(operation=vector(({}, "NaN"))), "prometheus prom", "") is None


async def test_a_models_name_cannot_leave_its_quotes() -> None:
    prometheus = Prometheus()
    await promql.of_metrics(prometheus, "prometheus prom", 'm"} or vector(1) #\\')
    assert 'gen_ai_request_model="m\\"} or vector(1) #\\\\"' in prometheus.asked[0]


async def test_without_a_model_the_providers_label_selects_under_both_of_its_names() -> None:
    prometheus = Prometheus()
    await promql.of_metrics(prometheus, "prometheus prom", "")
    assert 'gen_ai_provider_name="groq"' in prometheus.asked[0]
    assert 'gen_ai_system="groq"' in prometheus.asked[0]


_JSON = some.recursive(
    some.none() | some.booleans() | some.floats() | some.text(max_size=8),
    lambda below: some.lists(below, max_size=3) | some.dictionaries(some.sampled_from(["metric", "value", "x"]), below),
    max_leaves=12,
)


@given(_JSON)
async def test_no_answer_of_prometheus_is_trusted(answer: object) -> None:
    async def ask(_: str) -> object:
        return answer

    figures = await promql.of_metrics(ask, "prometheus prom", "m")
    assert figures is None or figures.calls >= 0


@pytest.mark.parametrize(
    ("word", "fault"),
    [
        ("503", GroqFault.SERVER),
        ("RateLimitError", GroqFault.RATE_LIMITED),
        ("groq.AuthenticationError", GroqFault.AUTHENTICATION),
        ("timeout", GroqFault.TIMEOUT),
        ("_OTHER", GroqFault.CONNECTION),
    ],
)
def test_types_of_errors(word: str, fault: GroqFault) -> None:
    assert promql.of_error_type(word) is fault


# Both


def config(**changes: object) -> GroqConfig:
    return GroqConfig.model_validate({"name": "coach-ai", **changes})


async def test_what_cannot_be_read_is_a_gap() -> None:
    async def lines() -> Sequence[str]:
        raise LinkError(Problem("the link is down"))

    async def metrics(_: str) -> object:
        raise json.JSONDecodeError("no", "", 0)

    found, gaps = await Listening(config(), lines, metrics).read()
    assert found == ()
    assert [gap.feature for gap in gaps] == ["log", "metrics"]
    assert gaps[0].problem.says == "the link is down"
    assert "JSONDecodeError" in gaps[1].problem.says


async def test_a_log_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debugtui.sources.groq.listening.LISTEN_LIMIT", 0.05)

    async def lines() -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    _, gaps = await Listening(config(), lines, None).read()
    assert gaps[0].problem.says == "no answer within 0.05 s"


async def test_a_pattern_that_took_too_long_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passive, "MATCH_LIMIT", 0.3)
    asked = []

    async def lines() -> Sequence[str]:
        asked.append(1)
        return ["a" * 60 + "!"]

    logs = {"container": "kvm-01/docker/api", "pattern": "^(?P<status>(a+)+)$"}
    listening = Listening(config(logs=logs), lines, None)
    for _ in range(2):
        _, gaps = await listening.read()
        assert "cannot be used" in gaps[0].problem.says
    assert asked == [1]


async def test_the_origin_names_the_container_and_the_prometheus() -> None:
    async def lines() -> Sequence[str]:
        return [request(200)]

    prometheus = Prometheus(operation=vector(({}, "3")))
    both = config(logs={"container": "kvm-01/docker/api"}, prometheus="prom")
    found, gaps = await Listening(both, lines, prometheus).read()
    assert [figures.origin for figures in found] == ["log of kvm-01/docker/api", "prometheus prom"]
    assert gaps == []


def test_failures_are_over_once_more_went_well_since_than_chance_would_give() -> None:
    line = 'HTTP Request: POST https://api.groq.com/openai/v1/chat/completions "HTTP/1.1 {} x"'
    bad, good = line.format(401), line.format(200)
    for lines, over in (
        ([bad] * 4 + [good] * 40, True),
        ([good] * 40 + [bad] * 4, False),
        ([good] * 20 + [bad] * 4 + [good] * 9, True),
        ([bad, *[good] * 12] * 3, False),
        ([good] * 9, False),
        ([bad] * 3 + [good], False),
        ([bad] * 3 + [good] * 3, True),
    ):
        figures = of_libraries(lines, "https://api.groq.com").figures("log of x")
        assert (figures.over, figures.calls) == (over, len(lines))
