"""The Groq source end to end: the SDK, a real server with every fault on demand, real sockets, TLS and links."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from debugtui.alerts import groq as rules
from debugtui.config.models import GroqConfig
from debugtui.config.redaction import redact
from debugtui.config.secrets import Secret
from debugtui.demo.groq_emulator import MODELS, GroqEmulator
from debugtui.demo.groq_faults import FAULTS, PLAIN, STATUS, STREAM
from debugtui.demo.groq_stream import Timing
from debugtui.hosts.link import Endpoint, LinkError
from debugtui.hosts.local import LocalLink
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.jsonable import jsonable
from debugtui.model.source import Kind, LinkState, Problem
from debugtui.model.target import Target
from debugtui.sources.base import SourceError
from debugtui.sources.groq.source import GroqSource
from tests.lab.link_tools import make_link, started
from tests.services.nginx_server import make_certificate
from tests.services.ssh_server import SshServer, free_port
from tests.unit.fakes import FakeClock, FakeLink

KEY = "gsk_0123456789abcdefghijklmnopqrstuvwxyzABCD"
MODEL = MODELS[0]
TARGET = Target("groq", "groq", "coach-ai")
TIMEOUT = 1.2


@asynccontextmanager
async def emulated(**options: Any) -> AsyncIterator[GroqEmulator]:
    emulator = GroqEmulator(keys=[KEY], **options)
    await emulator.start()
    try:
        yield emulator
    finally:
        await emulator.stop()


async def key() -> str:
    return KEY


def watch(url: str, state: Path | None = None, *, of: Callable[[], Any] = key, **changes: Any) -> GroqSource:
    options = {name: changes.pop(name) for name in ("via", "clock", "log_lines", "metrics") if name in changes}
    values = {"name": "coach-ai", "base_url": url, "model": MODEL, "timeout": TIMEOUT, **changes}
    if state is not None:
        values.setdefault("probe", "completion")
    return GroqSource(GroqConfig(**values), of, state=state, **options)


async def once(source: GroqSource) -> GroqReading:
    try:
        return await source.read(full=False)
    finally:
        await source.close()


def rules_of(reading: GroqReading) -> set[str]:
    return {finding.rule for finding in rules.findings(TARGET, reading)}


#: Fault of the emulator -> class, by the list of models and by a streamed completion; None: no fault.
STATUSES = {
    "400": GroqFault.BAD_REQUEST,
    "401": GroqFault.AUTHENTICATION,
    "403": GroqFault.PERMISSION,
    "404": GroqFault.NO_MODEL,
    "408": GroqFault.TIMEOUT,
    "409": GroqFault.BAD_REQUEST,
    "413": GroqFault.TOO_LARGE,
    "422": GroqFault.BAD_REQUEST,
    "424": GroqFault.BAD_REQUEST,
    "429": GroqFault.RATE_LIMITED,
    "498": GroqFault.CAPACITY,
    "499": GroqFault.CANCELLED,
    "500": GroqFault.SERVER,
    "503": GroqFault.SERVER,
}
WHOLE = {
    "bad_gateway": (GroqFault.SERVER, GroqFault.SERVER),
    "no_content": (GroqFault.NOT_THE_API, GroqFault.NOT_THE_API),
    "html": (GroqFault.NOT_THE_API, GroqFault.NOT_THE_API),
    "cut_json": (GroqFault.CUT, GroqFault.CUT),
    "empty_json": (GroqFault.NOT_THE_API, GroqFault.NOT_THE_API),
    "other_shape": (GroqFault.NOT_THE_API, GroqFault.NOT_THE_API),
    "reset": (GroqFault.RESET, GroqFault.RESET),
    "closed": (GroqFault.RESET, GroqFault.RESET),
    "late_headers": (GroqFault.TIMEOUT, GroqFault.TIMEOUT),
    "cut_body": (GroqFault.CUT, GroqFault.CUT),
    "drip": (GroqFault.TIMEOUT, GroqFault.TIMEOUT),
    "redirect": (GroqFault.NOT_THE_API, GroqFault.NOT_THE_API),
}
STREAMS = {
    "slow_first_token": GroqFault.SLOW_FIRST_TOKEN,
    "stall": GroqFault.STALLED,
    "cut": GroqFault.CUT,
    "reset_stream": GroqFault.CUT,
    "no_finish": GroqFault.INCOMPLETE,
    "no_done": None,
    "error_event": GroqFault.STREAM_ERROR,
    "error_data": GroqFault.STREAM_ERROR,
    "x_groq_error": GroqFault.STREAM_ERROR,
    "bad_json": GroqFault.MALFORMED,
    "bad_utf8": GroqFault.MALFORMED,
    "no_choices": GroqFault.MALFORMED,
    "length": None,
    "no_usage": None,
}
TABLE = [
    *((name, "models", fault) for name, fault in STATUSES.items()),
    *((name, "completion", fault) for name, fault in STATUSES.items()),
    *((name, "models", by_list) for name, (by_list, _) in WHOLE.items()),
    *((name, "completion", by_stream) for name, (_, by_stream) in WHOLE.items()),
    *((name, "completion", fault) for name, fault in STREAMS.items()),
]


def test_every_fault_of_the_emulator_is_in_the_table() -> None:
    assert set(STATUSES) | set(WHOLE) | set(STREAMS) == FAULTS
    assert len(FAULTS) == len(STATUS) + len(PLAIN) + len(STREAM)


@pytest.mark.parametrize(("name", "probe", "fault"), TABLE, ids=[f"{name}-{probe}" for name, probe, _ in TABLE])
async def test_each_fault_is_named(name: str, probe: str, fault: GroqFault | None, tmp_path: Path) -> None:
    async with emulated() as emulator:
        emulator.fail(name, delay=5.0)
        state = tmp_path / "state.json" if probe == "completion" else None
        began = time.perf_counter()
        reading = await once(watch(emulator.url, state))
        took = time.perf_counter() - began
    newest = reading.newest
    assert newest is not None
    assert newest.fault is fault, newest
    assert emulator.statistics.retries == 0
    assert took < TIMEOUT + 3
    assert KEY not in repr(reading)
    if fault is None:
        assert newest.total_ms is not None
        assert newest.ttft_ms is not None
        assert rules_of(reading) == set()
    else:
        assert newest.says
        assert reading.by_class == {fault: 1}
        assert rules.rule_of(fault) in rules_of(reading)


def test_every_class_has_its_row() -> None:
    by_hand = {GroqFault.DNS, GroqFault.REFUSED, GroqFault.TLS, GroqFault.CONNECTION}
    assert {fault for _, _, fault in TABLE if fault} | by_hand == set(GroqFault)


async def test_a_sound_list_of_models_tells_what_it_holds() -> None:
    async with emulated() as emulator:
        reading = await once(watch(emulator.url))
    assert (reading.probe, reading.models, reading.model_listed) == ("models", len(MODELS), True)
    assert reading.newest is not None
    assert reading.newest.request_id.startswith("req_")
    assert reading.latency is not None
    assert (reading.latency.count, reading.ttft, reading.tokens_today) == (1, None, 0)
    assert emulator.statistics.tokens == 0
    json.dumps(jsonable(reading))


async def test_a_sound_completion_tells_times_tokens_and_headroom(tmp_path: Path) -> None:
    async with emulated(timing=Timing(queue_s=0.02, prompt_s=0.03, token_s=0.01)) as emulator:
        source = watch(emulator.url, tmp_path / "state.json", price_in=50.0, price_out=80.0)
        reading = await source.read(full=False)
        await source.close()
    newest = reading.newest
    assert newest is not None
    assert newest.fault is None
    assert (newest.queue_ms, newest.prompt_ms, newest.completion_ms) == (20.0, 30.0, 10.0)
    assert newest.ttft_ms is not None
    assert newest.total_ms is not None
    assert 60 <= newest.ttft_ms <= newest.total_ms < 600
    assert (newest.tokens_in, newest.tokens_out, newest.tokens_s) == (17, 1, 100.0)
    assert {limit.name: limit.limit for limit in reading.limits} == {"requests": 14_400, "tokens": 6_000}
    assert reading.limits[0].remaining == 14_399
    assert reading.tokens_today == emulator.statistics.tokens == 18
    assert reading.cost_today == pytest.approx((17 * 50 + 80) / 1e6)
    assert (reading.models, reading.model_listed, reading.gaps) == (len(MODELS), True, ())


async def test_a_base_url_with_the_apis_path_is_understood() -> None:
    async with emulated() as emulator:
        reading = await once(watch(f"{emulator.url}/openai/v1/"))
    assert reading.newest is not None
    assert reading.newest.fault is None


async def test_a_base_url_of_another_server_is_not_taken_for_a_missing_model() -> None:
    async with emulated() as emulator:
        reading = await once(watch(f"{emulator.url}/other"))
    assert reading.newest is not None
    assert (reading.newest.fault, reading.newest.status) == (GroqFault.NOT_THE_API, 404)


async def test_a_model_that_is_not_listed_is_named() -> None:
    async with emulated(models=["another"]) as emulator:
        reading = await once(watch(emulator.url))
    assert reading.model_listed is False
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.NO_MODEL
    assert rules_of(reading) == {"groq_no_model"}


# Connections


async def test_nothing_listens() -> None:
    reading = await once(watch(f"http://127.0.0.1:{free_port()}"))
    assert reading.newest is not None
    assert (reading.newest.fault, reading.newest.status) == (GroqFault.REFUSED, None)


async def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    reading = await once(watch("https://api.invalid"))
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.DNS


def server_tls(pair: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    pair = make_certificate(tmp_path, "own", ["127.0.0.1"])
    async with emulated(tls=server_tls(pair)) as emulator:
        reading = await once(watch(emulator.url))
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.TLS
    assert "CERTIFICATE_VERIFY_FAILED" in reading.newest.says


async def test_https_at_a_port_that_speaks_plain_http() -> None:
    async with emulated() as emulator:
        reading = await once(watch(emulator.url.replace("http:", "https:")))
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.TLS


class Elsewhere(FakeLink):
    """Leads every address to one endpoint, as a forward does."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self.endpoint, self.asked = endpoint, []  # type: ignore[var-annotated]

    async def reach_tcp(self, host: str, port: int) -> Endpoint:
        self.asked.append((host, port))
        return self.endpoint


@asynccontextmanager
async def socket_to(folder: Path, port: int) -> AsyncIterator[Path]:
    """A UNIX socket that leads to a port, as the forwards of an SSH connection are."""
    pipes: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        pipes.update((asyncio.create_task(pump(reader, back)), asyncio.create_task(pump(there, writer))))

    server = await asyncio.start_unix_server(serve, str(folder / "s"))
    try:
        yield folder / "s"
    finally:
        server.close()
        await asyncio.gather(*pipes)
        await server.wait_closed()


@pytest.mark.parametrize("by_path", [False, True], ids=["port", "path"])
@pytest.mark.parametrize("probe", ["models", "completion"])
async def test_through_a_link_the_real_name_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, probe: str, by_path: bool
) -> None:
    pair = make_certificate(tmp_path, "api", ["api.groq.test"], ca=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
    async with emulated(tls=server_tls(pair)) as emulator, socket_to(tmp_path, emulator.port) as path:
        link = Elsewhere(Endpoint(path=str(path)) if by_path else Endpoint(host="127.0.0.1", port=emulator.port))
        source = watch("https://api.groq.test", tmp_path / "state.json", probe=probe, via=link, timeout=3)
        reading = await once(source)
        assert reading.newest is not None
        assert reading.newest.fault is None, reading.newest
        assert set(link.asked) == {("api.groq.test", 443)}
        wrong = await once(watch("https://api.other.test", via=link, timeout=3))
    assert wrong.newest is not None
    assert wrong.newest.fault is GroqFault.TLS


async def test_through_the_local_link() -> None:
    link = LocalLink("here")
    await link.start()
    async with emulated() as emulator:
        reading = await once(watch(emulator.url, via=link))
    assert reading.newest is not None
    assert reading.newest.fault is None
    reading = await once(watch(f"http://127.0.0.1:{free_port()}", via=link))
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.REFUSED
    await link.close()


async def test_a_link_that_is_down_is_no_fault_of_the_api() -> None:
    class Down(FakeLink):
        async def reach_tcp(self, host: str, port: int) -> Endpoint:
            raise LinkError(Problem("the connection to kvm-01 was lost")) from ConnectionResetError()

    with pytest.raises(LinkError):
        await once(watch("http://127.0.0.1:1", via=Down(state=LinkState.LOST)))


async def test_through_a_real_ssh_connection(make_ssh_server: Callable[..., SshServer], tmp_path: Path) -> None:
    async with emulated() as emulator, started(make_link(make_ssh_server(""))) as link:
        reading = await once(watch(emulator.url, tmp_path / "state.json", via=link, timeout=3))
        assert reading.newest is not None
        assert reading.newest.fault is None
        faults = []
        for server in (f"127.0.0.1:{free_port()}", "api.invalid"):
            reading = await once(watch(f"http://{server}", via=link, timeout=10))
            assert reading.newest is not None
            faults.append(reading.newest.fault)
        assert faults == [GroqFault.REFUSED, GroqFault.DNS]
    with pytest.raises(LinkError):
        await once(watch("http://127.0.0.1:1", via=link))


async def test_a_host_that_forbids_forwarding_is_no_fault_of_the_api(make_ssh_server: Callable[..., SshServer]) -> None:
    async with started(make_link(make_ssh_server("AllowTcpForwarding no"))) as link, emulated() as emulator:
        with pytest.raises(LinkError):
            await once(watch(emulator.url, via=link))


# Manners


async def test_after_a_429_nothing_is_sent_until_it_is_allowed(tmp_path: Path) -> None:
    clock = FakeClock()
    async with emulated() as emulator:
        emulator.fail("429", count=1, retry_after=120)
        source = watch(emulator.url, tmp_path / "state.json", clock=clock)
        reading = await source.read(full=False)
        assert reading.newest is not None
        assert reading.newest.retry_after_s == 120
        assert (reading.paused_until, reading.paused_why) == (
            clock.now().replace(minute=28),
            "rate limited (429): the API asks to wait 120 s",
        )
        for _ in range(3):
            clock.move(30)
            reading = await source.read(full=True)
        assert sum(emulator.statistics.requests.values()) == 1
        assert rules_of(reading) == {"groq_rate_limited"}
        clock.move(31)
        reading = await source.read(full=False)
        await source.close()
    assert reading.newest is not None
    assert (reading.newest.fault, reading.paused_until, reading.paused_why) == (None, None, "")


async def test_buckets_that_run_dry_limit_by_themselves(tmp_path: Path) -> None:
    clock = FakeClock()
    async with emulated(tokens_a_minute=39, clock=clock.monotonic) as emulator:
        source = watch(emulator.url, tmp_path / "state.json", clock=clock)
        faults = []
        for _ in range(4):
            reading = await source.read(full=False)
            assert reading.newest is not None
            faults.append(reading.newest.fault)
        await source.close()
    assert faults == [None, None, GroqFault.RATE_LIMITED, GroqFault.RATE_LIMITED]
    assert emulator.statistics.by_status[429] == 1
    assert reading.newest.retry_after_s == 24
    assert "groq_headroom_tokens" in rules_of(reading)


async def test_what_can_never_fit_is_too_large(tmp_path: Path) -> None:
    async with emulated(tokens_a_minute=10) as emulator:
        reading = await once(watch(emulator.url, tmp_path / "state.json"))
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.TOO_LARGE


async def test_a_refused_key_is_not_hammered_and_a_new_one_tried_at_once() -> None:
    clock, keys = FakeClock(), ["gsk_wrong_wrong_wrong_wrong"]

    async def of() -> str:
        return keys[-1]

    async with emulated() as emulator:
        source = watch(emulator.url, of=of, clock=clock)
        for _ in range(40):
            reading = await source.read(full=False)
            clock.move(30)
        assert emulator.statistics.by_status == {401: 6}  # at 0, 60, 180, 420, 720, 1020 s
        assert "the key was refused (401)" in reading.paused_why
        keys.append(KEY)
        reading = await source.read(full=False)
        await source.close()
    assert reading.newest is not None
    assert (reading.newest.fault, reading.paused_why) == (None, "")


async def test_few_requests_left_are_left_to_the_application(tmp_path: Path) -> None:
    clock = FakeClock()
    async with emulated(requests_a_day=1_000, clock=clock.monotonic) as emulator:
        emulator.requests.drain(40)
        source = watch(emulator.url, tmp_path / "state.json", clock=clock)
        for _ in range(10):
            reading = await source.read(full=False)
            clock.move(59)
        await source.close()
    assert emulator.statistics.requests["/openai/v1/chat/completions"] == 1
    assert reading.paused_why == "only 39 of 1000 requests of the day are left for the application"
    assert "groq_headroom_requests" in rules_of(reading)


async def test_the_budget_is_never_exceeded_whatever_happens(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with emulated() as emulator:
        for round_ in range(12):  # a new run each time, as cron starts them
            emulator.heal()
            if round_ in (1, 2):
                emulator.fail(("cut", "500")[round_ - 1])
            reading = await once(watch(emulator.url, state, budget=150))
            assert emulator.statistics.tokens <= reading.tokens_today <= 150
    assert emulator.statistics.requests["/openai/v1/chat/completions"] == 7
    assert reading.budget_spent
    assert reading.newest is not None
    assert (reading.newest.kind, reading.newest.fault) == ("models", None)
    assert [gap.feature for gap in reading.gaps] == ["completion"]
    assert "the budget is spent" in reading.gaps[0].problem.says
    assert "groq_budget_spent" in rules_of(reading)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


async def test_two_that_share_the_file_share_no_tokens_but_lose_none(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with emulated() as emulator:
        sources = [watch(emulator.url, state, name=name) for name in ("one", "two", "one", "two")]
        for _ in range(3):
            await asyncio.gather(*(source.read(full=False) for source in sources))
        for source in sources:
            await source.close()
    uses = json.loads(state.read_text())["uses"]
    assert sum(use["tokens_in"] + use["tokens_out"] for use in uses.values()) == emulator.statistics.tokens == 12 * 18


@pytest.mark.parametrize("held", ["not json", '{"version": 2}', '{"version": 1, "uses": {"coach-ai": {"day": 3}}}', None])
async def test_without_a_sound_file_no_completion_is_sent(tmp_path: Path, held: str | None) -> None:
    state = tmp_path / "state.json"
    if held is None:
        state.mkdir()
    else:
        state.write_text(held)
    async with emulated() as emulator:
        reading = await once(watch(emulator.url, state))
    assert emulator.statistics.tokens == 0
    assert reading.newest is not None
    assert (reading.newest.kind, reading.newest.fault) == ("models", None)
    assert "cannot be used" in reading.gaps[0].problem.says
    if held is not None:
        assert state.read_text() == held


async def test_a_folder_that_cannot_be_written_sends_no_completion(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with emulated() as emulator:
        reading = await once(watch(emulator.url, tmp_path / "file" / "state.json"))
    assert emulator.statistics.tokens == 0
    assert [gap.feature for gap in reading.gaps] == ["completion"]


@pytest.mark.parametrize("changes", [{"model": None}, {"budget": 0}])
async def test_without_a_model_or_a_budget_no_completion_is_sent(tmp_path: Path, changes: dict[str, Any]) -> None:
    async with emulated() as emulator:
        reading = await once(watch(emulator.url, tmp_path / "state.json", **changes))
    assert emulator.statistics.tokens == 0
    assert [gap.feature for gap in reading.gaps] == ["completion"]


# The key


@pytest.mark.parametrize("written", [f"{KEY}\n", f"  {KEY}\r\n", Secret(f"{KEY}\n")])
async def test_a_key_is_stripped_before_it_is_sent(written: str) -> None:
    async def of() -> str:
        return written

    async with emulated() as emulator:
        reading = await once(watch(emulator.url, of=of))
    assert reading.newest is not None
    assert reading.newest.fault is None


@pytest.mark.parametrize("written", ["", "  \n", "gsk_first\ngsk_second", "gsk with space", "gsk_é", "gsk_\x00x"])
async def test_a_key_that_cannot_be_sent_is_not_sent(written: str) -> None:
    async def of() -> str:
        return written

    async with emulated() as emulator:
        with pytest.raises(SourceError) as raised:
            await once(watch(emulator.url, of=of))
    assert not emulator.statistics.requests
    assert written.strip() == "" or written not in str(raised.value)


async def test_the_key_is_in_no_log_and_no_reading(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = []
    async with emulated() as emulator:
        for name in sorted(FAULTS):
            emulator.heal()
            emulator.fail(name, delay=2.0)
            source = watch(emulator.url, tmp_path / f"{name}.json", timeout=0.2)
            said.append(repr(await once(source)))
    assert KEY not in caplog.text
    assert KEY not in "".join(said)
    assert redact(f"Bearer {KEY}").endswith("•••")


async def test_an_answer_that_repeats_the_key_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUS, 400, ("invalid_request_error", "bad", f"your key {KEY} " + "x" * 230 + KEY))
    async with emulated() as emulator:
        emulator.fail("400")
        reading = await once(watch(emulator.url))
    assert reading.newest is not None
    assert KEY[:12] not in repr(reading)
    assert KEY[:12] not in repr(list(rules.findings(TARGET, reading)))


# Time


async def test_a_body_that_drips_ends_at_the_time_limit_of_the_whole() -> None:
    async with emulated() as emulator:
        emulator.fail("drip", delay=20)
        began = time.perf_counter()
        reading = await once(watch(emulator.url, timeout=0.5))
    assert time.perf_counter() - began < 1.5
    assert reading.newest is not None
    assert reading.newest.fault is GroqFault.TIMEOUT


async def test_a_slow_first_token_within_the_time_limit_is_named_and_counted(tmp_path: Path) -> None:
    async with emulated() as emulator:
        emulator.fail("slow_first_token", delay=2.1)
        reading = await once(watch(emulator.url, tmp_path / "state.json", timeout=5))
    assert reading.newest is not None
    assert reading.newest.fault is None
    assert reading.ttft is not None
    assert reading.ttft.p95 > 2_000
    assert rules_of(reading) == {"groq_slow_first_token"}


async def test_a_stall_that_ends_is_named(tmp_path: Path) -> None:
    async with emulated() as emulator:
        emulator.fail("stall", delay=2.1)
        reading = await once(watch(emulator.url, tmp_path / "state.json", timeout=5))
    assert reading.newest is not None
    assert reading.newest.fault is None
    assert rules_of(reading) == {"groq_stalled"}


async def test_calls_of_more_than_an_hour_ago_are_forgotten() -> None:
    clock = FakeClock()
    async with emulated() as emulator:
        source = watch(emulator.url, clock=clock)
        for _ in range(5):
            reading = await source.read(full=False)
            clock.move(1200)
        await source.close()
    assert len(reading.calls) == 4


async def test_nothing_holds_up_the_event_loop(tmp_path: Path) -> None:
    gaps = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            gaps.append(time.perf_counter() - began)

    async with emulated() as emulator:
        ticking = asyncio.create_task(tick())
        source = watch(emulator.url, tmp_path / "state.json")
        for _ in range(5):
            reading = await source.read(full=True)
        await source.close()
        ticking.cancel()
    assert reading.newest is not None
    assert reading.newest.fault is None
    assert max(gaps) < 0.25


# What the application tells


async def test_without_a_key_what_the_application_tells_is_still_shown() -> None:
    async def none() -> str:
        return ""

    async def lines() -> list[str]:
        return ['INFO:httpx:HTTP Request: POST https://api.groq.com/openai/v1/chat/completions "HTTP/1.1 200 OK"'] * 3

    reading = await once(watch("https://api.groq.com", of=none, log_lines=lines))
    assert reading.newest is None
    assert [figures.calls for figures in reading.passive] == [3]
    assert [gap.feature for gap in reading.gaps] == ["probe"]


async def test_an_application_with_the_real_sdk_is_read_from_its_log(caplog: pytest.LogCaptureFixture) -> None:
    import groq

    caplog.set_level(logging.INFO)

    async def lines() -> list[str]:
        return [f"{record.name}: {record.getMessage()}" for record in caplog.records]

    async with emulated() as emulator:
        emulator.fail("503", count=1, where="chat")
        emulator.fail("429", count=1, where="chat", retry_after=30)
        async with groq.AsyncGroq(api_key=KEY, base_url=emulator.url, max_retries=1) as client:
            with pytest.raises(groq.RateLimitError):
                await client.with_options(timeout=5).chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "x"}], extra_headers={"x-a": "b"}
                )
            answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "x"}])
            assert answer.usage is not None
        assert emulator.statistics.retries == 1
        reading = await once(watch(emulator.url, log_lines=lines))
    figures = reading.passive[0]
    assert (figures.calls, figures.retries) == (3, 1)
    assert figures.by_class == {GroqFault.SERVER: 1, GroqFault.RATE_LIMITED: 1}
    assert "429" in figures.newest_failure


async def test_the_source_says_what_it_is() -> None:
    source = watch("https://api.groq.com")
    assert (source.kind, source.name, source.has_rates, source.period_s) == (Kind.GROQ, "coach-ai", False, 30.0)
    assert watch("https://api.groq.com", Path("/nowhere/state")).period_s == 60.0
    await source.close()
    await source.close()


# The emulator itself


async def test_the_emulator_answers_the_sdk_as_the_api_does() -> None:
    import groq

    async with emulated() as emulator, groq.AsyncGroq(api_key=KEY, base_url=emulator.url, timeout=5, max_retries=0) as client:
        assert (await client.models.retrieve(MODEL)).id == MODEL
        with pytest.raises(groq.NotFoundError):
            await client.models.retrieve("no/such")
        ask: Any = {"model": MODEL, "messages": [{"role": "user", "content": "hello there"}]}
        raw = await client.chat.completions.with_raw_response.create(**ask)
        assert raw.headers["x-ratelimit-remaining-requests"] == "14399"
        whole = await raw.parse()
        assert whole.usage is not None
        assert whole.usage.total_time is not None
        assert whole.service_tier == "on_demand"
        with pytest.raises(groq.NotFoundError):
            await client.chat.completions.create(**{**ask, "model": "no-such"})
        emulator.flex_full = True
        assert (await client.chat.completions.create(**ask)).choices
        with pytest.raises(groq.APIStatusError) as raised:
            await client.chat.completions.create(**ask, service_tier="flex")
        assert raised.value.status_code == 498
        with pytest.raises(groq.RateLimitError) as limited:
            await client.models.list(extra_headers={"x-emulator-fault": "429", "x-emulator-retry-after": "7"})
        assert limited.value.response.headers["retry-after"] == "7"
        with pytest.raises(groq.BadRequestError):
            await client.models.list(extra_headers={"x-emulator-fault": "no such fault"})
        assert (await client.models.list()).data
    assert emulator.statistics.by_fault == {"429": 1}
    assert emulator.statistics.by_status[498] == 1


async def test_the_emulator_shows_a_fault_to_so_many_requests_on_one_path(tmp_path: Path) -> None:
    async with emulated() as emulator:
        emulator.fail("500", count=2, where="chat")
        source = watch(emulator.url, tmp_path / "state.json")
        faults = [(await source.read(full=False)).newest for _ in range(3)]
        await source.close()
        assert [call.fault for call in faults if call] == [GroqFault.SERVER, GroqFault.SERVER, None]
        with pytest.raises(ValueError, match="unknown fault"):
            emulator.fail("nonsense")
        with pytest.raises(SourceError):
            await once(watch(emulator.url, of=_no_key))
    await emulator.stop()


async def _no_key() -> str:
    return ""


async def test_sdk_retries_are_counted() -> None:
    import groq

    async with emulated() as emulator, groq.AsyncGroq(api_key=KEY, base_url=emulator.url, timeout=5, max_retries=2) as client:
        emulator.fail("503", count=1, retry_after=0.01)
        assert (await client.models.list()).data
    assert emulator.statistics.retries == 1
