"""What databases, web addresses, nginx, browsers and the Groq API say, as metrics; sessions are counted, never named."""

from __future__ import annotations

from collections import Counter

from debugtui.headless.metrics.samples import Metric, Samples, counter, gauge, ratio, seconds
from debugtui.model.chrome import ChromeReading
from debugtui.model.groq import GroqReading, Spread
from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.tls import TlsReading
from debugtui.model.web import WebReading

_DB = ("host", "database")
CONNECTIONS = gauge("postgres_connections", "Connections to the server.", *_DB, own=2)
MAX_CONNECTIONS = gauge("postgres_max_connections", "Connections that the server allows.", *_DB, own=2)
SESSIONS = gauge("postgres_sessions", "Sessions of clients by their state.", *_DB, "state", own=2)
WAITING = gauge("postgres_locks_waiting", "Sessions that wait for a lock.", *_DB, own=2)
LONGEST_WAIT = gauge("postgres_longest_lock_wait_seconds", "How long the session that waits longest has waited.", *_DB, own=2)
OLDEST = gauge("postgres_oldest_transaction_seconds", "Age of the oldest open transaction.", *_DB, own=2)
COMMITS = gauge("postgres_commits_per_second", "Transactions committed a second.", *_DB, own=2)
ROLLBACKS = gauge("postgres_rollbacks_per_second", "Transactions rolled back a second.", *_DB, own=2)
CACHE_HIT = gauge("postgres_cache_hit_ratio", "Share of the blocks that were found in shared buffers, 0 to 1.", *_DB, own=2)
DEADLOCKS = counter("postgres_deadlocks_total", "Deadlocks since the statistics began.", *_DB, own=2)
TEMPORARY = counter("postgres_temporary_bytes_total", "Bytes of temporary files since the statistics began.", *_DB, own=2)
DB_SIZE = gauge("postgres_database_bytes", "Size of the database.", *_DB, own=2)
WRAPAROUND = gauge("postgres_wraparound_ratio", "Share of the transaction ids that is used up, 0 to 1.", *_DB, own=2)
RECOVERY = gauge("postgres_in_recovery", "Whether the server is a standby.", *_DB, own=2)
REPLAY_LAG = gauge("postgres_replay_lag_seconds", "How far a standby's data is behind, as it says itself.", *_DB, own=2)
STANDBY_LAG = gauge("postgres_standby_lag_bytes", "How far a standby is behind, as its primary says.", *_DB, "standby", own=2)
SLOT = gauge("postgres_slot_retained_bytes", "WAL that is kept for a replication slot.", *_DB, "slot", own=2)

_WEB = ("host", "name")
PROBE = gauge("web_probe_seconds", "How long a whole probe of a web address took.", *_WEB, own=2)
FIRST_BYTE = gauge("web_first_byte_seconds", "From the request to the first byte of the answer.", *_WEB, own=2)
SOUND = gauge("web_probe_success", "Whether a web address answered as expected.", *_WEB, own=2)
STATUS = gauge("web_status_code", "HTTP status of the answer; none without an answer.", *_WEB, own=2)
FAILING = gauge("web_failed_ratio", "Share of the probes of ten minutes that failed, 0 to 1.", *_WEB, own=2)
NOT_AFTER = gauge("tls_not_after_timestamp_seconds", "When the certificate that is served ends, in UNIX time.", *_WEB, own=2)
TRUSTED = gauge("tls_trusted", "Whether the certificate that is served leads to a known authority.", *_WEB, own=2)
FOR_NAME = gauge("tls_name_matches", "Whether the certificate that is served is for the name.", *_WEB, own=2)
AS_ON_DISK = gauge("tls_served_as_on_disk", "Whether the certificate that is served is the one on the disk.", *_WEB, own=2)

NGINX_UP = gauge("nginx_up", "Whether an nginx runs with this configuration.", *_WEB, own=2)
NGINX_CONFIG = gauge(
    "nginx_config_ok", "Whether the configuration on the disk is accepted; none where it was not tested.", *_WEB, own=2
)
NGINX_CONNECTIONS = gauge("nginx_connections", "Connections of nginx by what they do.", *_WEB, "state", own=2)
NGINX_REQUESTS = gauge("nginx_requests_per_second", "Requests a second.", *_WEB, own=2)
NGINX_5XX = gauge(
    "nginx_responses_5xx_ratio", "Share of the requests of five minutes that were answered with 5xx.", *_WEB, own=2
)
NGINX_4XX = gauge(
    "nginx_responses_4xx_ratio", "Share of the requests of five minutes that were answered with 4xx.", *_WEB, own=2
)
NGINX_P95 = gauge("nginx_request_p95_seconds", "95th percentile of how long requests took in five minutes.", *_WEB, own=2)
NGINX_ERRORS = gauge("nginx_error_lines", "Lines of the error log in five minutes, by level.", *_WEB, "level", own=2)
NGINX_UPSTREAM = gauge(
    "nginx_upstream_server_up", "Whether a server of an upstream accepts connections.", *_WEB, "upstream", "server", own=2
)

LCP = gauge("page_largest_contentful_paint_seconds", "Largest contentful paint of a page in a browser.", *_WEB, own=2)
TTI = gauge("page_time_to_interactive_seconds", "Time to interactive of a page in a browser.", *_WEB, own=2)
SHIFT = gauge("page_layout_shift", "Cumulative layout shift of a page.", *_WEB, own=2)
PAGE_ERRORS = gauge("page_console_errors", "Errors on the console of a page.", *_WEB, own=2)
PAGE_FAILED = gauge("page_failed_requests", "Requests of a page that failed.", *_WEB, own=2)
PAGE_OPENED = gauge("page_opened", "Whether a browser could open a page.", *_WEB, own=2)

LATENCY = gauge(
    "groq_latency_seconds", "How long probes of the Groq API took in the last hour, by quantile.", "use", "quantile"
)
TTFT = gauge("groq_first_token_seconds", "Time to the first token in the last hour, by quantile.", "use", "quantile")
TOKENS_S = gauge("groq_tokens_per_second", "Tokens a second in the last hour, by quantile.", "use", "quantile")
GROQ_OK = gauge("groq_probe_success", "Whether the newest probe of the Groq API went well.", "use")
GROQ_FAULTS = gauge("groq_probe_failures", "Probes of the last hour that failed, by fault.", "use", "fault")
LEFT = gauge("groq_rate_limit_left_ratio", "Share of a rate limit that is left, 0 to 1.", "use", "limit")
SPENT = gauge("groq_tokens_today", "Tokens that the probes have spent today (UTC).", "use")
BUDGET = gauge("groq_tokens_budget", "Tokens that the probes may spend in a day.", "use")
COST = gauge("groq_cost_today_dollars", "What the probes of today cost, where the price is configured.", "use")

#: States of sessions that have a series of their own; the rest is `other`.
_STATES = ("active", "idle", "idle in transaction", "idle in transaction (aborted)")


def of_postgres(samples: Samples, host: str, name: str, reading: PostgresReading) -> None:
    """Add one database."""
    one = (host, name)
    clients = [session for session in reading.sessions if session.backend_type in ("", "client backend")]
    states = Counter(session.state if session.state in _STATES else "other" for session in clients)
    for state in (*_STATES, "other"):
        samples.add(SESSIONS, states[state], *one, state)
    waits = [node.waits_s for node in reading.locks if node.depth]
    begun = [(reading.taken_at - session.xact_start).total_seconds() for session in clients if session.xact_start]
    for metric, value in (
        (CONNECTIONS, reading.connections),
        (MAX_CONNECTIONS, reading.max_connections),
        (WAITING, len({node.pid for node in reading.locks if node.depth})),
        (LONGEST_WAIT, max((wait for wait in waits if wait is not None), default=0.0)),
        (OLDEST, max(0.0, *begun) if begun else 0.0),
        (COMMITS, reading.commits_s),
        (ROLLBACKS, reading.rollbacks_s),
        (CACHE_HIT, ratio(reading.cache_hit_percent)),
        (DEADLOCKS, reading.deadlocks),
        (TEMPORARY, reading.temp_bytes),
        (DB_SIZE, reading.database_bytes),
        (WRAPAROUND, ratio(reading.wraparound_percent)),
        (RECOVERY, reading.in_recovery),
        (REPLAY_LAG, reading.replay_lag_s),
    ):
        samples.add(metric, value, *one)
    for replica in reading.replicas or ():
        samples.add(STANDBY_LAG, replica.lag_bytes, *one, replica.application)
    for slot in reading.slots or ():
        samples.add(SLOT, slot.retained_bytes, *one, slot.name)


def of_web(samples: Samples, host: str, name: str, reading: WebReading) -> None:
    """Add one web address."""
    samples.add(PROBE, seconds(reading.timing.total_ms), host, name)
    samples.add(FIRST_BYTE, seconds(reading.timing.first_byte_ms), host, name)
    samples.add(SOUND, reading.sound, host, name)
    samples.add(STATUS, reading.status, host, name)
    samples.add(FAILING, reading.failed_share, host, name)


def of_tls(samples: Samples, host: str, name: str, reading: TlsReading) -> None:
    """Add one certificate."""
    samples.add(NOT_AFTER, reading.served.not_after.timestamp() if reading.served else None, host, name)
    samples.add(TRUSTED, reading.trusted, host, name)
    samples.add(FOR_NAME, reading.name_matches, host, name)
    samples.add(AS_ON_DISK, reading.same_as_disk, host, name)


def of_nginx(samples: Samples, host: str, name: str, reading: NginxReading) -> None:
    """Add one nginx."""
    one = (host, name)
    samples.add(NGINX_UP, reading.master_pid is not None, *one)
    samples.add(NGINX_CONFIG, reading.config_ok, *one)
    status, access = reading.status, reading.access
    if status is not None:
        for state, value in (("reading", status.reading), ("writing", status.writing), ("waiting", status.waiting)):
            samples.add(NGINX_CONNECTIONS, value, *one, state)
    samples.add(NGINX_REQUESTS, access.requests_s if access else status.requests_s if status else None, *one)
    if access is not None:
        samples.add(NGINX_5XX, access.share_5xx, *one)
        samples.add(NGINX_4XX, access.share_4xx, *one)
        samples.add(NGINX_P95, seconds(access.p95_ms), *one)
    for group in reading.errors:
        samples.add(NGINX_ERRORS, group.count, *one, group.level)
    for upstream in reading.upstreams:
        for server in upstream.servers:
            samples.add(NGINX_UPSTREAM, server.answers, *one, upstream.name, server.address)


def of_chrome(samples: Samples, host: str, name: str, reading: ChromeReading) -> None:
    """Add one page."""
    samples.add(PAGE_OPENED, not reading.fault, host, name)
    samples.add(LCP, seconds(reading.lcp_ms), host, name)
    samples.add(TTI, seconds(reading.tti_ms), host, name)
    samples.add(SHIFT, reading.cls, host, name)
    samples.add(PAGE_ERRORS, len(reading.errors), host, name)
    samples.add(PAGE_FAILED, len(reading.failed), host, name)


def of_groq(samples: Samples, _: str, name: str, reading: GroqReading) -> None:
    """Add one use of the Groq API."""
    _spread(samples, LATENCY, name, reading.latency, 1000.0)
    _spread(samples, TTFT, name, reading.ttft, 1000.0)
    _spread(samples, TOKENS_S, name, reading.tokens_s, 1.0)
    samples.add(GROQ_OK, reading.newest.fault is None if reading.newest is not None else None, name)
    for fault, count in reading.by_class.items():
        samples.add(GROQ_FAULTS, count, name, fault.value)
    for limit in reading.limits:
        samples.add(LEFT, ratio(limit.left_percent) if limit.limit else None, name, limit.name)
    samples.add(SPENT, reading.tokens_today, name)
    samples.add(BUDGET, reading.tokens_budget, name)
    samples.add(COST, reading.cost_today, name)


def _spread(samples: Samples, metric: Metric, name: str, spread: Spread | None, unit: float) -> None:
    if spread is not None:
        for quantile, value in (("0.5", spread.p50), ("0.95", spread.p95), ("0.99", spread.p99)):
            samples.add(metric, value / unit, name, quantile)
