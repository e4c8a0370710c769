"""Which anomalies tell of one and the same fault, and which of them names it best."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.diagnosis.anomaly import MONITORS, Anomaly, Role
from debugtui.model.source import Kind

#: Of the anomalies of one thing the first of these names the fault; one that is not here comes after them.
FIRST: tuple[str, ...] = (
    "oom_killed", "oom_kill", "container_paused", "container_failed_start", "crash_loop", "container_dead", "container_stopped",
    "container_exited", "container_crashed", "container_memory", "container_moved", "unhealthy", "container_not_running",
    "container_remade", "container_removed",
    "vm_io_error", "vm_crashed", "vm_frozen", "vm_paused", "vm_forced_off", "vm_off", "vm_stopped",
    "tls_stale", "tls_expired", "tls_key", "tls_name", "tls_untrusted", "tls_renewal", "tls_expires",
    "nginx_config", "nginx_port", "nginx_down", "nginx_upstream", "nginx_not_reloaded", "nginx_passing",
    "unit_failed", "unit_failing",
    "connections", "lost_full",
    "lock_chain", "lock_wait", "prepared_transaction", "idle_in_transaction", "idle_writer", "long_query", "query_running",
    "groq_no_model", "groq_model_not_listed", "groq_authentication", "groq_permission", "groq_rate_limited", "groq_capacity",
    "groq_dns", "groq_refused", "groq_tls", "groq_not_the_api", "groq_server", "groq_stream_error", "groq_too_large",
    "groq_timeout", "groq_slow_first_token", "groq_stalled", "groq_cut", "groq_malformed", "groq_incomplete", "groq_reset",
    "groq_connection", "groq_bad_request", "groq_application",
    "memory_exhausted", "overload", "memory", "cpu",
    "web_down", "web_status", "tls_down", "page_down", "web_json", "web_body", "request_failed", "js_exception",
    "js_rejection", "web_slow",
)  # fmt: skip
_PLACE = {rule: place for place, rule in enumerate(FIRST)}

#: Databases' own faults that are one story on one database: its tables, its statements.
_SCANS = frozenset({"index_missing", "statement_slow", "table_bloated", "query_slow"})
#: Faults of a page that come with one release.
_RELEASE = frozenset({"js_exception", "js_rejection", "request_failed", "console_error"})
#: A unit that failed, by systemd and by the journal.
_UNIT = frozenset({"unit_failed", "unit_failing"})
#: What ails a PostgreSQL server, and so each of its databases: what is said of it is one thing.
_SERVER: dict[str, str] = {
    **{f"lost_{how}": f"lost_{how}" for how in ("down", "hangs", "starting", "broken")},
    **dict.fromkeys(("connections", "lost_full"), "connections"),
    **{rule: rule for rule in ("archiver", "slot_lost", "slot_retains", "setting_harmful", "replica_lag", "commits_wait")},
}
#: What says that nginx itself does not serve as configured.
_NGINX = frozenset({"nginx_config", "nginx_port", "nginx_down", "nginx_not_reloaded"})


def group_of(anomaly: Anomaly) -> tuple[object, ...]:
    """Return what an anomaly tells of: those that return the same are one fault."""
    kind, rule = anomaly.target.kind, anomaly.rule
    if rule in ("silent", "failing"):
        return (anomaly.target, rule)
    if kind in (Kind.DOCKER, Kind.LIBVIRT, Kind.GROQ):
        return (anomaly.target,)
    if kind == Kind.WEB or rule == "tls_down":
        return (anomaly.node, "answer")
    if kind == Kind.TLS:
        # What is wrong with a certificate is one thing, whatever the number of addresses that it is served at.
        return (anomaly.target.host, anomaly.fact("certificate")) if anomaly.fact("certificate") else (anomaly.target,)
    if kind == Kind.CHROME and rule in _RELEASE:
        return (anomaly.node, "page", anomaly.role, anomaly.aspect)
    if kind == Kind.NGINX:
        return (anomaly.node, "nginx") if rule in _NGINX else (anomaly.target, rule, anomaly.aspect)
    if kind == Kind.POSTGRES and rule in _SERVER and anomaly.fact("server"):
        return (anomaly.fact("server"), _SERVER[rule], anomaly.target.name.partition("/")[2])
    if kind == Kind.POSTGRES:
        return (
            (anomaly.target, "scans", anomaly.role is Role.SUPPORT) if rule in _SCANS else (anomaly.target, _session(anomaly))
        )
    if kind == Kind.SYSTEM and not anomaly.target.name:
        return (anomaly.target, anomaly.aspect, rule in ("memory", "memory_exhausted"))
    if rule in _UNIT:
        return (anomaly.target, "unit")
    if kind in MONITORS:
        return (anomaly.target, rule)
    return (anomaly.target, rule)


def _session(anomaly: Anomaly) -> str:
    """All that is said of one session is one thing; what is said of a database as a whole is told apart by its rule."""
    told = anomaly.fact("pid") or anomaly.fact("gid") or anomaly.rule == "prepared_transaction"
    return "session" if told else anomaly.rule


def primary(members: Sequence[Anomaly]) -> Anomaly:
    """Return the anomaly of a group that names the fault: what is at fault by itself, then the order of `FIRST`."""
    roles = (Role.CAUSE, Role.SYMPTOM, Role.SUPPORT)
    return min(
        members,
        key=lambda one: (
            roles.index(one.role),
            _PLACE.get(one.rule, len(_PLACE)),
            one.severity.rank,
            -one.points,
            str(one.target),
        ),
    )
