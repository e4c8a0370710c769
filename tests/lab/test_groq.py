"""Every fault of a Groq-compatible API, through the real SDK: each has its own name; a limited account is left alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from debugtui.alerts.groq import findings
from debugtui.config.models import GroqConfig
from debugtui.demo.groq_emulator import FAULTS, GroqEmulator
from debugtui.model.clock import SystemClock
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.groq.source import GroqSource
from tests.lab.repair.remote_tools import linked
from tests.services.ssh_server import SshServer, free_port

MODEL = "llama-3.1-8b-instant"


@pytest.fixture
async def api() -> AsyncIterator[GroqEmulator]:
    emulator = GroqEmulator()
    await emulator.start()
    emulator.delay_s = 3.0
    yield emulator
    await emulator.stop()


class Later(SystemClock):
    """A clock that a test puts forward."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


def source(api: GroqEmulator, *, key: str = "gsk_emulated", **changes: object) -> GroqSource:
    values: dict[str, object] = {"name": "coach-ai", "base_url": api.url, "timeout": 0.6, **changes}
    more = {name: values.pop(name) for name in ("via", "state", "log_lines", "metrics", "clock") if name in values}

    async def give() -> str:
        return key

    return GroqSource(GroqConfig.model_validate(values), give, **more)  # type: ignore[arg-type]


async def read(api: GroqEmulator, **changes: object) -> GroqReading:
    return await source(api, **changes).read(full=True)


COMPLETION = {"probe": "completion", "model": MODEL}


async def test_listing_the_models_costs_nothing(api: GroqEmulator) -> None:
    reading = await read(api, model=MODEL)
    assert reading.newest is not None
    assert (reading.newest.fault, reading.newest.status, reading.models, reading.model_listed) == (None, 200, 2, True)
    assert reading.tokens_today == 0
    assert list(findings(Target.parse("groq/coach-ai"), reading)) == []


async def test_a_completion_has_the_times_and_the_tokens_of_the_api(api: GroqEmulator, tmp_path: Path) -> None:
    reading = await read(api, **COMPLETION, price_in=0.05, price_out=0.08, state=tmp_path / "spent.json")
    call = reading.newest
    assert call is not None
    assert call.fault is None, call.says
    assert (call.tokens_in, call.tokens_out, call.queue_ms, call.completion_ms) == (20, 1, 21.0, 3.0)
    assert call.ttft_ms is not None
    assert call.total_ms is not None
    assert 10 < call.ttft_ms < call.total_ms
    assert call.tokens_s == pytest.approx(333.3, rel=0.01)
    assert call.request_id == "req_emulated"
    assert {limit.name for limit in reading.limits} == {"requests", "tokens"}
    assert (reading.tokens_today, reading.cost_today) == (21, pytest.approx(1.08e-6))
    assert json.loads((tmp_path / "spent.json").read_text()) == {f"{reading.taken_at:%Y-%m-%d}": 21}


#: fault of the emulator: what it has to be called when models are listed, and when a completion streams.
TABLE: list[tuple[str, GroqFault | None, GroqFault | None]] = [
    ("400", GroqFault.BAD_REQUEST, GroqFault.BAD_REQUEST),
    ("401", GroqFault.AUTHENTICATION, GroqFault.AUTHENTICATION),
    ("403", GroqFault.PERMISSION, GroqFault.PERMISSION),
    ("404", GroqFault.NO_MODEL, GroqFault.NO_MODEL),
    ("413", GroqFault.TOO_LARGE, GroqFault.TOO_LARGE),
    ("422", GroqFault.BAD_REQUEST, GroqFault.BAD_REQUEST),
    ("424", GroqFault.BAD_REQUEST, GroqFault.BAD_REQUEST),
    ("429", GroqFault.RATE_LIMITED, GroqFault.RATE_LIMITED),
    ("498", GroqFault.CAPACITY, GroqFault.CAPACITY),
    ("499", GroqFault.CANCELLED, GroqFault.CANCELLED),
    ("500", GroqFault.SERVER, GroqFault.SERVER),
    ("502", GroqFault.SERVER, GroqFault.SERVER),
    ("503", GroqFault.SERVER, GroqFault.SERVER),
    ("empty", GroqFault.NOT_THE_API, GroqFault.INCOMPLETE),
    ("html", GroqFault.NOT_THE_API, GroqFault.INCOMPLETE),
    ("not_json", GroqFault.NOT_THE_API, GroqFault.INCOMPLETE),
    ("cut_json", GroqFault.NOT_THE_API, GroqFault.INCOMPLETE),
    ("other_shape", GroqFault.NOT_THE_API, GroqFault.INCOMPLETE),
    ("reset", GroqFault.RESET, GroqFault.RESET),
    ("late", GroqFault.TIMEOUT, GroqFault.TIMEOUT),
    ("late_first_token", None, GroqFault.SLOW_FIRST_TOKEN),
    ("stall", None, GroqFault.STALLED),
    ("cut", None, GroqFault.CUT),
    ("silent_end", None, GroqFault.INCOMPLETE),
    ("no_done", None, None),
    ("error_event", None, GroqFault.STREAM_ERROR),
    ("error_data", None, GroqFault.STREAM_ERROR),
    ("x_groq_error", None, GroqFault.STREAM_ERROR),
    ("not_json_chunk", None, GroqFault.MALFORMED),
    ("bad_utf8", None, GroqFault.MALFORMED),
    ("no_choices", None, GroqFault.MALFORMED),
]


def test_every_fault_is_in_the_table() -> None:
    assert [row[0] for row in TABLE] == list(FAULTS)


@pytest.mark.parametrize(("fault", "listing", "streaming"), TABLE, ids=[row[0] for row in TABLE])
async def test_a_fault_has_its_own_name(
    api: GroqEmulator, fault: str, listing: GroqFault | None, streaming: GroqFault | None
) -> None:
    api.fault = fault
    found = await read(api)
    assert found.newest is not None
    assert found.newest.fault is listing, found.newest.says
    api.fault = ""
    one = source(api, **COMPLETION)
    api.faults = ["", fault]  # the models are listed first
    found = await one.read(full=True)
    assert found.newest is not None
    assert found.newest.fault is streaming, found.newest.says
    if streaming is not None:
        (finding, *_) = findings(Target.parse("groq/coach-ai"), found)
        assert streaming.value in finding.message
        assert "gsk_" not in str(found)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://127.0.0.1:{free}", GroqFault.REFUSED),
        ("http://no-such-name.invalid", GroqFault.DNS),
        ("https://127.0.0.1:{port}", GroqFault.TLS),
    ],
)
async def test_a_connection_that_fails_has_its_own_name(api: GroqEmulator, url: str, fault: GroqFault) -> None:
    found = await read(api, base_url=url.format(free=free_port(), port=api.port), timeout=5.0)
    assert found.newest is not None
    assert found.newest.fault is fault, found.newest.says


async def test_a_body_that_drips_is_ended_by_our_own_clock(api: GroqEmulator) -> None:
    api.first_token_s = 5.0
    found = await read(api, **COMPLETION, timeout=0.5)
    assert found.newest is not None
    assert found.newest.fault is GroqFault.SLOW_FIRST_TOKEN
    assert (found.newest.total_ms or 0) < 2_000


async def test_nothing_is_sent_into_a_limited_account(api: GroqEmulator) -> None:
    clock = Later()
    one = source(api, clock=clock)
    api.fault = "429"
    first = await one.read(full=True)
    assert first.newest is not None
    assert (first.newest.retry_after_s, first.paused_why) == (7.0, "429: asked to wait 7 s")
    sent = api.seen.total()
    assert (await one.read(full=True)).paused_until is not None
    assert api.seen.total() == sent == 1
    clock.ahead = timedelta(seconds=8)
    api.fault = ""
    assert (await one.read(full=True)).paused_until is None
    assert api.seen.total() == 2


async def test_a_key_that_is_refused_is_not_tried_again_and_again(api: GroqEmulator) -> None:
    one = source(api, key="gsk_wrong_and_secret")
    first = await one.read(full=True)
    await one.read(full=True)
    assert api.seen.total() == 1
    assert first.paused_until is not None
    assert "gsk_wrong" not in str(first)


async def test_a_key_with_a_line_end_is_a_key_and_one_with_spaces_is_none(api: GroqEmulator) -> None:
    assert (await read(api, key="gsk_emulated\n")).models == 2
    with pytest.raises(SourceError, match="no API key"):
        await read(api, key="gsk emulated")
    with pytest.raises(SourceError, match="no API key"):
        await read(api, key="")


async def test_the_budget_is_never_exceeded_not_even_by_a_restart(api: GroqEmulator, tmp_path: Path) -> None:
    for _ in range(3):
        one = source(api, **COMPLETION, budget=130, state=tmp_path / "spent.json")
        for _ in range(3):
            reading = await one.read(full=True)
            assert reading.tokens_today <= 130
    assert api.seen["POST ok"] == 2
    assert [gap.feature for gap in reading.gaps] == ["completion"]
    assert "groq_budget" in [finding.rule for finding in findings(Target.parse("groq/coach-ai"), reading)]


async def test_a_budget_that_cannot_be_kept_sends_no_completion(api: GroqEmulator, tmp_path: Path) -> None:
    (tmp_path / "spent.json").write_text("[]")
    reading = await read(api, **COMPLETION, state=tmp_path / "spent.json")
    assert api.seen["POST ok"] == 0
    assert {gap.feature for gap in reading.gaps} == {"completion", "budget"}


async def test_what_is_left_belongs_to_the_application(api: GroqEmulator) -> None:
    one = source(api, **COMPLETION)
    api.requests.level = 100.0
    await one.read(full=True)
    await one.read(full=True)
    assert api.seen["POST ok"] == 1


async def test_a_model_that_is_gone_is_named(api: GroqEmulator) -> None:
    reading = await read(api, model="gone-70b")
    assert reading.model_listed is False
    assert [finding.rule for finding in findings(Target.parse("groq/coach-ai"), reading)] == ["groq_model"]


async def test_it_is_reached_through_a_host(api: GroqEmulator, make_ssh_server: Callable[..., SshServer]) -> None:
    async with linked(make_ssh_server()) as link:
        reading = await read(api, via=link, timeout=5.0)
        assert reading.models == 2
        gone = await read(api, via=link, timeout=5.0, base_url=f"http://127.0.0.1:{free_port()}")
    assert gone.newest is not None
    assert gone.newest.fault is GroqFault.REFUSED, gone.newest.says


async def test_the_application_s_own_log_is_read(api: GroqEmulator) -> None:
    async def lines() -> list[str]:
        good = f'INFO HTTP Request: POST {api.url}/openai/v1/chat/completions "HTTP/1.1 200 OK"'
        bad = f'INFO HTTP Request: POST {api.url}/openai/v1/chat/completions "HTTP/1.1 429 Too Many Requests"'
        other = 'INFO HTTP Request: GET https://example.org/ "HTTP/1.1 500 Internal Server Error"'
        return [good] * 6 + [bad] * 4 + [other, "Retrying request to /openai/v1/chat/completions in 0.4 seconds"]

    reading = await read(api, log_lines=lines, logs={"container": "kvm-01/docker/api"})
    (passive,) = reading.passive
    assert (passive.calls, passive.retries, passive.by_class) == (10, 1, {GroqFault.RATE_LIMITED: 4})
    assert [finding.rule for finding in findings(Target.parse("groq/coach-ai"), reading)] == ["groq_application"]


async def test_a_pattern_of_one_s_own_reads_any_log(api: GroqEmulator) -> None:
    async def lines() -> list[str]:
        return [f"ai call status={status} took={ms}ms" for status, ms in ((200, 300), (503, 20), (200, 500))]

    logs = {"container": "kvm-01/docker/api", "pattern": r"status=(?P<status>\d+) took=(?P<ms>\d+)ms"}
    (passive,) = (await read(api, log_lines=lines, logs=logs)).passive
    assert passive.latency is not None
    assert (passive.calls, passive.by_class, passive.latency.p50) == (3, {GroqFault.SERVER: 1}, 300.0)


async def test_metrics_of_the_application_are_read(api: GroqEmulator) -> None:
    async def metrics(query: str) -> object:
        value = "0.25" if "quantile" in query else "12"
        return [{"metric": {}, "value": [1.0, value]}] if "token_usage" not in query else []

    (passive,) = (await read(api, metrics=metrics, prometheus="prom")).passive
    assert passive.latency is not None
    assert (passive.calls, passive.latency.p95, passive.tokens_in) == (12, 250.0, None)
