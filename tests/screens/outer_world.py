"""Readings of the outer layers that stand still, for the pictures: one of everything that can be wrong there."""

from __future__ import annotations

from datetime import timedelta

from debugtui.model.chrome import ChromeReading, ConsoleMessage, Node, PageRequest, Picture, Story
from debugtui.model.groq import GroqCall, GroqFault, GroqReading, Limit, PassiveFigures, Spread
from debugtui.model.nginx import (
    AccessFigures,
    ErrorGroup,
    Listen,
    Location,
    NginxReading,
    Server,
    StubStatus,
    Upstream,
    UpstreamServer,
)
from debugtui.model.source import Gap, Problem
from debugtui.model.tls import Certificate, DiskCertificate, Renewal, TlsReading
from debugtui.model.web import Match, Timing, WebReading
from tests.unit.fakes import START


def certificate(serial: str, days: float) -> Certificate:
    return Certificate(
        subject="coach.example.org",
        issuer="R11, Let's Encrypt",
        names=("coach.example.org", "www.coach.example.org"),
        serial=serial,
        not_before=START - timedelta(days=90 - days),
        not_after=START + timedelta(days=days),
        days_left=days,
        fingerprint=serial * 8,
        key_type="EC 256",
    )


def front() -> WebReading:
    return WebReading(
        taken_at=START,
        url="https://coach.example.org/",
        status=200,
        reason="OK",
        http_version="HTTP/1.1",
        server="nginx",
        final_url="https://coach.example.org/home",
        matches=(Match("status", "200", "200", ok=True), Match("body", "Coach", "Coach", ok=True)),
        timing=Timing(4.0, 11.0, 161.0, 182.0),
        size_bytes=18_311,
        p50_ms=170.0,
        p95_ms=410.0,
        failed_share=0.0,
    )


def shop() -> WebReading:
    return WebReading(
        taken_at=START,
        url="http://shop.example.org/health",
        status=503,
        reason="Service Unavailable",
        matches=(Match("status", "200", "503", ok=False),),
        timing=Timing(3.0, None, 1_210.0, 1_212.0),
        p50_ms=900.0,
        p95_ms=1_400.0,
        failed_share=0.31,
    )


def tls() -> TlsReading:
    return TlsReading(
        taken_at=START,
        address="127.0.0.1:443",
        server_name="coach.example.org",
        protocol="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        served=certificate("04:11:7a", 12.3),
        chain=(certificate("04:11:7a", 12.3),),
        trusted=True,
        name_matches=True,
        disk=DiskCertificate("/etc/letsencrypt/live/coach/fullchain.pem", certificate("05:22:8b", 89.6), key_matches=True),
        same_as_disk=False,
        renewal=Renewal("coach", "webroot", renews_by_itself=True, last_success=START - timedelta(hours=9)),
    )


def nginx() -> NginxReading:
    api = UpstreamServer("127.0.0.1:8081", container="coach-api-1", answers=True)
    return NginxReading(
        taken_at=START,
        config="/etc/nginx/nginx.conf",
        version="1.22.1",
        config_ok=True,
        master_pid=811,
        workers=4,
        started_at=START - timedelta(hours=9),
        config_changed_at=START - timedelta(days=3),
        servers=(
            Server(
                ("coach.example.org", "www.coach.example.org"),
                (Listen("0.0.0.0:443", 443, tls=True, ours=True), Listen("0.0.0.0:80", 80, ours=True)),
                (Location("/", "/srv/coach/current"), Location("/api/", "http://api", ("coach-api-1",))),
                root="/srv/coach/current",
                file="/etc/nginx/sites-enabled/coach",
                line=3,
            ),
        ),
        upstreams=(Upstream("api", (api, UpstreamServer("127.0.0.1:8082", container="coach-api-2", answers=False))),),
        status=StubStatus(31, 0, 4, 27, 0, 84.2, 12.0),
        errors=(
            ErrorGroup("error", 14, "upstream timed out (110) while reading response header, GET /api/plan", START),
            ErrorGroup("warn", 2, "an upstream response is buffered to a temporary file", START - timedelta(seconds=90)),
        ),
        access=AccessFigures(25_260, 84.2, 0.004, 0.031, 640.0, "GET /api/plan 2.31 s", "GET /api/plan 504"),
        gaps=(Gap("open ports", Problem("the owners of sockets are hidden from ops", "root sees them")),),
    )


def chrome() -> ChromeReading:
    image = PageRequest("GET", "https://coach.example.org/img/run.png", "img", 404, ms=12.0, waited_ms=11.0, size_bytes=153)
    plan = PageRequest("POST", "https://coach.example.org/api/plan", "fetch", 504, ms=2_310.0, waited_ms=2_309.0, at=START)
    gone = PageRequest("GET", "https://cdn.example.net/track.js", "script", failure="net::ERR_NAME_NOT_RESOLVED")
    script = PageRequest(
        "GET", "https://coach.example.org/app.js", "script", 200, ms=1_420.0, waited_ms=90.0, size_bytes=910_222
    )
    small = tuple((x * 5 << 16) | (y * 8 << 8) | 90 for y in range(24) for x in range(48))
    return ChromeReading(
        taken_at=START,
        url="https://coach.example.org/",
        status=200,
        title="Coach",
        console=(
            ConsoleMessage(
                "exception",
                "Uncaught TypeError: Cannot read properties of undefined (reading 'plan')",
                "app.js",
                812,
                17,
                "at render (app.js:812:17)\nat load (app.js:40:3)",
            ),
            ConsoleMessage("rejection", "Error: /api/plan answered 504", "app.js", 77, 11),
            ConsoleMessage("warning", "[@click=app.quit]slow third-party script[/]", "track.js", 1, 1, count=3),
        ),
        requests=31,
        failed=(plan, image, gone),
        slowest=(plan, script),
        ttfb_ms=161.0,
        fcp_ms=610.0,
        lcp_ms=2_910.0,
        tti_ms=3_105.0,
        load_ms=2_870.0,
        cls=0.02,
        tree=(Node(0, "RootWebArea", "Coach"), Node(1, "heading", "Your plan"), Node(1, "button", "Start")),
        picture=Picture("/var/lib/debugtui/screenshots/front.png", 48, 24, small),
        stories=(
            Story(plan, "POST /api/plan 504, upstream timed out", "", None, "nginx waited in vain; the container does not say"),
            Story(image, "GET /img/run.png 404", "GET /img/run.png 200", False, "the container says 200, nginx says 404"),
        ),
        took_ms=2_640.0,
    )


def call(number: int, **changes: object) -> GroqCall:
    figures: dict[str, object] = {
        "total_ms": 420.0 + 37 * (number % 7) + (1_900 if number % 11 == 0 else 0),
        "ttft_ms": 120.0 + 9 * (number % 5),
        "queue_ms": 21.0,
        "prompt_ms": 4.0,
        "completion_ms": 3.0,
        "tokens_in": 18,
        "tokens_out": 1,
        "status": 200,
        "request_id": f"req_01k{number:05d}",
    }
    return GroqCall(START - timedelta(minutes=60 - number), **{**figures, **changes})  # type: ignore[arg-type]


def groq() -> GroqReading:
    limited = call(
        59,
        fault=GroqFault.RATE_LIMITED,
        says="rate limit reached for tokens per minute: asked to wait 41 s",
        status=429,
        retry_after_s=41.0,
        total_ms=38.0,
        ttft_ms=None,
        queue_ms=None,
    )
    return GroqReading(
        taken_at=START,
        base_url="https://api.groq.com",
        probe="completion",
        model="llama-3.1-8b-instant",
        models=14,
        model_listed=True,
        newest=limited,
        calls=(*(call(number) for number in range(59)), limited),
        latency=Spread(510.0, 2_100.0, 2_340.0, 59),
        ttft=Spread(138.0, 156.0, 160.0, 59),
        queue=Spread(21.0, 24.0, 31.0, 59),
        tokens_s=Spread(333.0, 480.0, 490.0, 59),
        by_class={GroqFault.RATE_LIMITED: 3, GroqFault.SERVER: 1},
        limits=(Limit("requests", 14_400, 11_664, 3_400.0), Limit("tokens", 6_000, 240, 41.0)),
        paused_until=START + timedelta(seconds=41),
        paused_why="429: the API asked to wait 41 s",
        tokens_today=1_121,
        tokens_budget=100_000,
        cost_today=0.000058,
        passive=(
            PassiveFigures(
                "log of kvm-01/docker/coach-api-1",
                211,
                {GroqFault.RATE_LIMITED: 19},
                31,
                Spread(640.0, 3_900.0, 8_100.0, 192),
                newest_failure='POST /openai/v1/chat/completions "429 Too Many Requests"',
            ),
        ),
    )
