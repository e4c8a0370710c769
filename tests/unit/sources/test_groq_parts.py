"""The parts of the Groq source that need no server: headers, percentiles, budget, pause, the emulator's buckets."""

from __future__ import annotations

import json
import multiprocessing
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from debugtui.demo.groq_buckets import Bucket, go_duration, headers
from debugtui.model.groq import GroqCall, GroqFault, Limit
from debugtui.sources.groq.budget import FIRST_RESERVE, SAFETY, Budget, BudgetError, SpentError
from debugtui.sources.groq.client import server_of
from debugtui.sources.groq.headers import LONGEST_WAIT, limits, parse_go_duration, retry_after
from debugtui.sources.groq.pause import Pause
from debugtui.sources.groq.spread import spread
from tests.unit.fakes import START, FakeClock

# Headers


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2m59.56s", 179.56),
        ("7.66s", 7.66),
        ("0ms", 0.0),
        ("0s", 0.0),
        ("120ms", 0.12),
        ("1h2m3s", 3723.0),
        ("500µs", 0.0005),
        ("60", 60.0),
        (" 1.5 ", 1.5),
        ("1d", 86_400.0),
        ("", None),
        ("soon", None),
        ("-5s", None),
        ("1m 2s", None),
        ("5 s", None),
        ("1e9", None),
        ("nan", None),
        ("٣s", None),
        ("9" * 70, None),
    ],
)
def test_durations_as_go_writes_them(text: str, seconds: float | None) -> None:
    found = parse_go_duration(text)
    assert found == (None if seconds is None else pytest.approx(seconds))


@given(some.floats(0, 90_000))
def test_what_the_emulator_writes_is_read_again(seconds: float) -> None:
    assert parse_go_duration(go_duration(seconds)) == pytest.approx(seconds, abs=0.002)


@given(some.text(max_size=80))
def test_no_text_breaks_the_parsers(text: str) -> None:
    said = {"retry-after": text, "retry-after-ms": text}
    said |= {f"x-ratelimit-{word}-requests": text for word in ("limit", "remaining", "reset")}
    found = retry_after(said, START)
    assert found is None or 0 <= found <= LONGEST_WAIT
    for limit in limits(said):
        assert limit.limit >= 0
        assert limit.left_percent >= 0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sat, 14 Mar 2026 09:27:53 GMT"}, 60.0),
        ({"retry-after": "Sat, 14 Mar 2020 09:27:53 GMT"}, 0.0),
        ({"retry-after": "999999999"}, LONGEST_WAIT),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(said: dict[str, str], seconds: float | None) -> None:
    assert retry_after(said, START) == seconds


def test_limits_are_those_that_are_told() -> None:
    told = headers(Bucket(14_400, 86_400), Bucket(6_000, 60))
    assert limits(told) == (Limit("requests", 14_400, 14_400, 0.0), Limit("tokens", 6_000, 6_000, 0.0))
    del told["x-ratelimit-limit-requests"]
    assert [limit.name for limit in limits(told)] == ["tokens"]
    assert limits({}) == ()


def test_the_base_url_is_that_of_the_server() -> None:
    assert server_of("https://api.groq.com") == server_of("https://api.groq.com/openai/v1/") == "https://api.groq.com"


# Percentiles


def test_percentiles_of_few_figures() -> None:
    assert spread([]) is None
    assert spread([None, float("nan")]) is None
    one = spread([3.0, None])
    assert one is not None
    assert (one.p50, one.p95, one.p99, one.count) == (3.0, 3.0, 3.0, 1)
    hundred = spread(float(number) for number in range(101))
    assert hundred is not None
    assert (hundred.p50, hundred.p95, hundred.p99, hundred.count) == (50.0, 95.0, 99.0, 101)


@given(some.lists(some.floats(0, 1e7), min_size=1, max_size=250))
def test_percentiles_are_in_order_and_in_range(figures: list[float]) -> None:
    found = spread(figures)
    assert found is not None
    assert min(figures) - 0.1 <= found.p50 <= found.p95 <= found.p99 <= max(figures) + 0.1


# Budget


def test_the_worst_is_set_aside_and_the_truth_put_in_its_place(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "state.json", "coach-ai", "m", 300)
    reserve, spent = budget.reserve(START)
    assert spent.tokens == FIRST_RESERVE
    spent = budget.settle(reserve, (20, 1), START)
    assert (spent.tokens_in, spent.tokens_out) == (20, 1)
    reserve, spent = budget.reserve(START)
    assert spent.tokens == 21 + SAFETY * 21
    assert budget.settle(reserve, (0, 0), START).tokens == 21
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_what_was_never_settled_stays_spent(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for _ in range(3):
        Budget(path, "coach-ai", "m", 3 * FIRST_RESERVE).reserve(START)
    with pytest.raises(SpentError, match=r"240 of 240 tokens of today .UTC., and one more completion may take 80"):
        Budget(path, "coach-ai", "m", 3 * FIRST_RESERVE).reserve(START)


def test_a_new_day_in_utc_starts_anew_and_a_clock_put_back_does_not(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "state.json", "coach-ai", "m", FIRST_RESERVE)
    reserve, _ = budget.reserve(START)
    tomorrow = START + timedelta(days=1)
    assert budget.spent(tomorrow).tokens == 0
    late, _ = budget.reserve(tomorrow)
    assert budget.settle(reserve, (1, 1), tomorrow).tokens == FIRST_RESERVE  # yesterday's changes nothing today
    with pytest.raises(SpentError):
        budget.reserve(START)
    assert budget.settle(late, (9, 1), tomorrow).tokens == 10


def test_a_dearer_completion_than_expected_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    budget = Budget(path, "coach-ai", "m", 600)
    reserve, _ = budget.reserve(START)
    budget.settle(reserve, (400, 1), START)
    with pytest.raises(SpentError):
        budget.reserve(START)
    _, spent = Budget(path, "coach-ai", "another model", 600).reserve(START)
    assert spent.tokens == 401 + FIRST_RESERVE


@pytest.mark.parametrize(
    "held",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"version": 1}',
        '{"version": 1, "uses": []}',
        '{"version": 1, "uses": {"coach-ai": 3}}',
        '{"version": 1, "uses": {"coach-ai": {"day": "2026-03-14", "tokens_in": -5}}}',
        '{"version": 1, "uses": {"coach-ai": {"day": "2026-03-14", "tokens_in": true}}}',
        '{"version": 1, "uses": {"coach-ai": {"largest": []}}}',
    ],
)
def test_a_file_that_is_not_understood_is_left_alone(tmp_path: Path, held: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(held)
    budget = Budget(path, "coach-ai", "m", 1000)
    with pytest.raises(BudgetError):
        budget.reserve(START)
    assert path.read_text() == held
    assert {entry.name for entry in tmp_path.iterdir()} <= {"state.json", "state.json.lock"}


@given(some.binary(max_size=200))
def test_no_bytes_in_the_file_make_a_budget(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.json"
        path.write_bytes(data)
        try:
            Budget(path, "coach-ai", "m", 1000).reserve(START)
        except BudgetError:
            assert path.read_bytes() == data


def _spend(path: str) -> None:
    budget = Budget(Path(path), "coach-ai", "m", 1_000_000)
    for _ in range(20):
        reserve, _ = budget.reserve(START)
        budget.settle(reserve, (6, 1), START)


def test_two_programs_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    context = multiprocessing.get_context("spawn")
    programs = [context.Process(target=_spend, args=(str(path),)) for _ in range(2)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(60)
        assert program.exitcode == 0
    use = json.loads(path.read_text())["uses"]["coach-ai"]
    assert (use["tokens_in"], use["tokens_out"]) == (240, 40)


@given(
    some.integers(0, 39),
    some.lists(some.tuples(some.booleans(), some.floats(1, SAFETY)), max_size=40),
    some.integers(0, 500),
)
def test_the_account_never_says_less_than_was_spent(least: int, calls: list[tuple[bool, float]], limit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        budget, really = Budget(Path(folder) / "s", "coach-ai", "m", limit), 0
        for told, factor in calls:
            try:
                reserve, spent = budget.reserve(START)
            except SpentError:
                continue
            used = (int(least * factor), 1)
            really += sum(used)
            if told:
                spent = budget.settle(reserve, used, START)
            assert really <= spent.tokens <= limit


# Pause


def call(
    fault: GroqFault | None = None, status: int | None = 200, wait: float | None = None, kind: str = "completion"
) -> GroqCall:
    return GroqCall(START, fault=fault, status=status, retry_after_s=wait, kind=kind)


@pytest.mark.parametrize(
    ("newest", "told", "seconds"),
    [
        (call(), (), 0),
        (call(GroqFault.RATE_LIMITED, 429, 12.0), (), 12),
        (call(GroqFault.RATE_LIMITED, 429, 0.0), (), 1),
        (call(GroqFault.RATE_LIMITED, 429), (Limit("tokens", 10, 0, 33.0), Limit("requests", 10, 5, 999.0)), 33),
        (call(GroqFault.RATE_LIMITED, 429), (), 60),
        (call(GroqFault.AUTHENTICATION, 401), (), 60),
        (call(GroqFault.PERMISSION, 403), (), 60),
        (call(GroqFault.SERVER, 503), (), 0),
        (call(GroqFault.SERVER, 503, 20.0), (), 20),
        (call(GroqFault.CAPACITY, 498, 9_000.0), (), 300),
        (call(GroqFault.TOO_LARGE, 413), (), 0),
        (call(GroqFault.TIMEOUT, None), (), 0),
        (call(), (Limit("requests", 100, 4, 20.0),), 20),
        (call(), (Limit("requests", 100, 4, 80_000.0),), 600),
        (call(), (Limit("requests", 100, 4),), 600),
        (call(), (Limit("requests", 100, 5),), 0),
        (call(), (Limit("tokens", 100, 4, 20.0),), 0),
        (call(kind="models"), (Limit("requests", 100, 4, 20.0),), 0),
    ],
)
def test_how_long_nothing_is_sent(newest: GroqCall, told: tuple[Limit, ...], seconds: float) -> None:
    pause = Pause()
    pause.judge(newest, told, START, 1000.0)
    assert pause.until_at == (START + timedelta(seconds=seconds) if seconds else None)
    assert bool(pause.why) is bool(seconds)
    assert pause.active(999.9 + seconds) is bool(seconds)
    assert not pause.active(1000.0 + seconds)
    assert (pause.until_at, pause.why) == (None, "")


def test_a_key_that_is_refused_again_and_again_waits_longer() -> None:
    pause, clock, waits = Pause(), FakeClock(), []
    for _ in range(5):
        pause.judge(call(GroqFault.AUTHENTICATION, 401), (), clock.now(), clock.monotonic())
        assert pause.until_at is not None
        waits.append((pause.until_at - clock.now()).total_seconds())
    assert waits == [60, 120, 240, 300, 300]
    pause.new_key()
    assert not pause.active(clock.monotonic())


def test_a_new_key_does_not_end_the_pause_of_a_limit() -> None:
    pause = Pause()
    pause.judge(call(GroqFault.RATE_LIMITED, 429, 30.0), (), datetime.now(UTC), 0.0)
    pause.new_key()
    assert pause.active(1.0)


# The emulator's buckets


def test_a_bucket_fills_up_with_time() -> None:
    clock = FakeClock()
    bucket = Bucket(60, 60.0, clock.monotonic)
    bucket.take(50)
    assert (bucket.remaining, bucket.reset_s, bucket.wait_s(20)) == (10, 50.0, 10.0)
    clock.move(10)
    assert (bucket.remaining, bucket.wait_s(20)) == (20, 0.0)
    clock.move(1000)
    assert (bucket.remaining, bucket.reset_s) == (60, 0.0)
    bucket.drain(3)
    assert bucket.remaining == 3
    assert go_duration(179.56) == "2m59.56s"
    assert go_duration(3601) == "1h0m1s"
