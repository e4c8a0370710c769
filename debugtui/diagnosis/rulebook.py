"""What the diagnosis knows of each alert rule, as data: what kind of trouble, what it may be called, how sure, where it is."""

from __future__ import annotations

from typing import NamedTuple

from debugtui.diagnosis.anomaly import MONITORS, Aspect, Role
from debugtui.model.alerts import Severity
from debugtui.model.source import Kind

#: What took so long, in milliseconds, is not read again, since it would hold up everything else; that it took so long is proof
#: enough that it was no moment.
LONG_MS = 5_000.0

_C, _Y, _U = Role.CAUSE, Role.SYMPTOM, Role.SUPPORT


class Entry(NamedTuple):
    """One rule.

    Attributes:
        aspect, role, points: see `Anomaly`.
        path: of the figure in the reading; `{name}` is what the target's name adds to its source's.
        passing: it can be over in a moment: one look is no proof of it.
    """

    aspect: Aspect
    role: Role
    points: int
    path: str
    passing: bool = False


RULES: dict[str, Entry] = {
    # host
    "cpu": Entry(Aspect.RESOURCE, _U, 50, "cpu_percent", passing=True),
    "memory": Entry(Aspect.RESOURCE, _U, 50, "memory_percent", passing=True),
    "disk": Entry(Aspect.RESOURCE, _C, 70, "filesystems[{name}].used_percent"),
    "inodes": Entry(Aspect.RESOURCE, _C, 70, "filesystems[{name}].inodes_percent"),
    "unit_failed": Entry(Aspect.DOWN, _C, 65, "failed_units"),
    "link_lost": Entry(Aspect.DOWN, _C, 60, "link.state"),
    # kvm
    "vm_io_error": Entry(Aspect.DOWN, _C, 75, "vms[{name}].reason"),
    "vm_paused": Entry(Aspect.DOWN, _C, 70, "vms[{name}].state"),
    "vm_crashed": Entry(Aspect.DOWN, _C, 75, "vms[{name}].state"),
    "vm_off": Entry(Aspect.DOWN, _C, 65, "vms[{name}].state"),
    # docker
    "crash_loop": Entry(Aspect.DOWN, _C, 70, "containers[{name}].exit_code"),
    "unhealthy": Entry(Aspect.ERRORS, _Y, 60, "containers[{name}].health"),
    "container_dead": Entry(Aspect.DOWN, _C, 70, "containers[{name}].state"),
    "oom_killed": Entry(Aspect.RESOURCE, _C, 80, "containers[{name}].oom_killed"),
    "container_exited": Entry(Aspect.DOWN, _C, 65, "containers[{name}].exit_code"),
    "container_memory": Entry(Aspect.RESOURCE, _C, 60, "containers[{name}].memory_bytes"),
    # postgres
    "lock_chain": Entry(Aspect.BLOCKED, _C, 75, "locks"),
    "connections": Entry(Aspect.RESOURCE, _C, 65, "connections"),
    "idle_in_transaction": Entry(Aspect.BLOCKED, _C, 60, "sessions[{name}].state_change"),
    "query_slow": Entry(Aspect.SLOW, _U, 55, "statements"),
    "long_query": Entry(Aspect.SLOW, _U, 50, "sessions[{name}].query_start"),
    "prepared_transaction": Entry(Aspect.BLOCKED, _C, 65, "prepared[{name}].prepared_at"),
    "wraparound": Entry(Aspect.RESOURCE, _C, 75, "wraparound_percent"),
    "archiver": Entry(Aspect.ERRORS, _C, 70, "archiver.last_failed_at"),
    "slot_lost": Entry(Aspect.CONFIG, _C, 70, "slots[{name}].wal_status"),
    "replica_lag": Entry(Aspect.SLOW, _Y, 60, "replicas"),
    "index_invalid": Entry(Aspect.CONFIG, _C, 70, "indexes"),
    "pending_restart": Entry(Aspect.CONFIG, _U, 40, "settings"),
    # web
    "web_down": Entry(Aspect.DOWN, _Y, 60, "fault", passing=True),
    "web_status": Entry(Aspect.ERRORS, _Y, 58, "status", passing=True),
    "web_body": Entry(Aspect.CONTENT, _Y, 58, "matches"),
    "web_json": Entry(Aspect.ERRORS, _Y, 58, "matches"),
    "web_slow": Entry(Aspect.SLOW, _Y, 50, "timing.first_byte_ms", passing=True),
    "web_p95": Entry(Aspect.SLOW, _U, 45, "p95_ms"),
    "web_flapping": Entry(Aspect.ERRORS, _U, 40, "failed_share"),
    "tls_down": Entry(Aspect.DOWN, _Y, 60, "fault", passing=True),
    "tls_expired": Entry(Aspect.ACCESS, _C, 85, "served.not_after"),
    "tls_expires": Entry(Aspect.ACCESS, _C, 70, "served.days_left"),
    "tls_untrusted": Entry(Aspect.ACCESS, _C, 65, "trusted"),
    "tls_name": Entry(Aspect.ACCESS, _C, 70, "name_matches"),
    "tls_key": Entry(Aspect.CONFIG, _C, 75, "disk.key_matches"),
    "tls_stale": Entry(Aspect.CONFIG, _C, 80, "same_as_disk"),
    "tls_renewal": Entry(Aspect.ACCESS, _C, 70, "renewal.last_failure"),
    "tls_no_renewal": Entry(Aspect.ACCESS, _U, 40, "renewal.renews_by_itself"),
    "nginx_down": Entry(Aspect.DOWN, _C, 75, "master_pid"),
    "nginx_config": Entry(Aspect.CONFIG, _C, 75, "config_ok"),
    "nginx_not_reloaded": Entry(Aspect.CONFIG, _U, 50, "config_changed_at"),
    "nginx_port": Entry(Aspect.CONFIG, _C, 70, "servers"),
    "nginx_upstream": Entry(Aspect.DOWN, _Y, 62, "upstreams[{name}].servers"),
    "nginx_log": Entry(Aspect.ERRORS, _U, 45, "errors"),
    "nginx_dropped": Entry(Aspect.RESOURCE, _U, 50, "status.dropped"),
    "nginx_5xx": Entry(Aspect.ERRORS, _U, 45, "access.share_5xx"),
    "nginx_slow": Entry(Aspect.SLOW, _U, 45, "access.p95_ms"),
    "page_down": Entry(Aspect.DOWN, _Y, 58, "fault", passing=True),
    "js_exception": Entry(Aspect.CONTENT, _C, 65, "console"),
    "js_rejection": Entry(Aspect.CONTENT, _Y, 55, "console"),
    "console_error": Entry(Aspect.CONTENT, _U, 40, "console"),
    "request_failed": Entry(Aspect.ERRORS, _Y, 56, "failed", passing=True),
    "request_slow": Entry(Aspect.SLOW, _U, 40, "slowest"),
    "lcp": Entry(Aspect.SLOW, _U, 40, "lcp_ms"),
    "tti": Entry(Aspect.SLOW, _U, 40, "tti_ms"),
    "front_contradiction": Entry(Aspect.CONTENT, _U, 40, "stories"),
    # journal, queues, backups
    "oom_kill": Entry(Aspect.RESOURCE, _C, 80, "oom_kills"),
    "io_error": Entry(Aspect.RESOURCE, _C, 75, "faults"),
    "unit_failing": Entry(Aspect.DOWN, _C, 68, "events"),
    "log_errors": Entry(Aspect.ERRORS, _U, 40, "units"),
    "redis_loading": Entry(Aspect.DOWN, _U, 50, "loading"),
    "redis_memory": Entry(Aspect.RESOURCE, _C, 65, "memory_percent"),
    "redis_persistence": Entry(Aspect.ERRORS, _C, 65, "persistence"),
    "redis_replica": Entry(Aspect.DOWN, _Y, 60, "primary"),
    "queue_deep": Entry(Aspect.SLOW, _Y, 60, "queues"),
    "queue_no_consumers": Entry(Aspect.DOWN, _Y, 60, "queues"),
    "queue_down": Entry(Aspect.DOWN, _C, 70, "queues"),
    "queue_stuck": Entry(Aspect.SLOW, _Y, 60, "queues"),
    "rabbitmq_node_down": Entry(Aspect.DOWN, _C, 70, "nodes"),
    "rabbitmq_alarm": Entry(Aspect.RESOURCE, _C, 70, "nodes"),
    "rabbitmq_partition": Entry(Aspect.DOWN, _C, 70, "nodes"),
    "backup_missing": Entry(Aspect.CONFIG, _U, 40, "newest"),
    "backup_old": Entry(Aspect.CONFIG, _U, 40, "age_s"),
    "backup_incomplete": Entry(Aspect.CONFIG, _U, 40, "newest"),
    "backup_small": Entry(Aspect.CONFIG, _U, 40, "size_change"),
    # monitoring
    "prometheus_target_down": Entry(Aspect.DOWN, _C, 65, "targets"),
    "prometheus_config_bad": Entry(Aspect.CONFIG, _C, 75, "config_ok"),
    "prometheus_rule_failing": Entry(Aspect.CONFIG, _C, 65, "rules"),
    "prometheus_no_alertmanager": Entry(Aspect.CONFIG, _C, 65, "alertmanagers"),
    "prometheus_stale": Entry(Aspect.SLOW, _C, 65, "newest_age_s"),
    "prometheus_alert": Entry(Aspect.ERRORS, _U, 40, "alerts"),
    "alertmanager_config_bad": Entry(Aspect.CONFIG, _C, 75, "config_ok"),
    "alertmanager_notify_failing": Entry(Aspect.ERRORS, _C, 65, "integrations"),
    "alertmanager_alert": Entry(Aspect.ERRORS, _U, 40, "alerts"),
    "loki_not_ready": Entry(Aspect.DOWN, _C, 65, "ready", passing=True),
    "grafana_database": Entry(Aspect.ERRORS, _C, 70, "database"),
    "grafana_datasource_down": Entry(Aspect.CONFIG, _C, 65, "datasources"),
    "grafana_alert": Entry(Aspect.ERRORS, _U, 40, "alerts"),
    # groq
    "groq_authentication": Entry(Aspect.ACCESS, _C, 85, "newest.fault"),
    "groq_permission": Entry(Aspect.ACCESS, _C, 80, "newest.fault"),
    "groq_no_model": Entry(Aspect.CONFIG, _C, 85, "newest.fault"),
    "groq_model_not_listed": Entry(Aspect.CONFIG, _C, 75, "model_listed"),
    "groq_bad_request": Entry(Aspect.ERRORS, _C, 60, "newest.fault"),
    "groq_too_large": Entry(Aspect.ERRORS, _C, 65, "newest.fault"),
    "groq_rate_limited": Entry(Aspect.RESOURCE, _C, 80, "newest.fault"),
    "groq_capacity": Entry(Aspect.RESOURCE, _C, 70, "newest.fault"),
    "groq_cancelled": Entry(Aspect.ERRORS, _U, 45, "newest.fault"),
    "groq_server": Entry(Aspect.ERRORS, _C, 70, "newest.fault", passing=True),
    "groq_not_the_api": Entry(Aspect.CONFIG, _C, 70, "newest.fault"),
    "groq_timeout": Entry(Aspect.SLOW, _C, 65, "newest.fault", passing=True),
    "groq_dns": Entry(Aspect.DOWN, _C, 70, "newest.fault"),
    "groq_refused": Entry(Aspect.DOWN, _C, 70, "newest.fault"),
    "groq_reset": Entry(Aspect.DOWN, _C, 65, "newest.fault", passing=True),
    "groq_tls": Entry(Aspect.ACCESS, _C, 70, "newest.fault"),
    "groq_connection": Entry(Aspect.DOWN, _C, 65, "newest.fault", passing=True),
    "groq_slow_first_token": Entry(Aspect.SLOW, _C, 60, "newest.ttft_ms", passing=True),
    "groq_stalled": Entry(Aspect.SLOW, _C, 60, "newest.longest_gap_ms", passing=True),
    "groq_cut": Entry(Aspect.ERRORS, _C, 65, "newest.fault", passing=True),
    "groq_stream_error": Entry(Aspect.ERRORS, _C, 65, "newest.fault", passing=True),
    "groq_malformed": Entry(Aspect.ERRORS, _C, 65, "newest.fault", passing=True),
    "groq_incomplete": Entry(Aspect.ERRORS, _C, 65, "newest.fault", passing=True),
    "groq_response": Entry(Aspect.SLOW, _C, 65, "latency.p95"),
    "groq_slow": Entry(Aspect.SLOW, _C, 55, "newest.total_ms", passing=True),
    "groq_latency": Entry(Aspect.SLOW, _C, 65, "latency.p95"),
    "groq_first_token": Entry(Aspect.SLOW, _C, 65, "ttft.p95"),
    "groq_headroom_requests": Entry(Aspect.RESOURCE, _C, 55, "limits"),
    "groq_headroom_tokens": Entry(Aspect.RESOURCE, _U, 45, "limits"),
    "groq_application": Entry(Aspect.ERRORS, _C, 60, "passive"),
    "groq_budget_spent": Entry(Aspect.RESOURCE, _U, 30, "tokens_today"),
}


def entry_of(rule: str, kind: str, severity: Severity) -> Entry:
    """Return what is known of a rule; for one that is not in the table, what its kind and its severity suggest."""
    known = RULES.get(rule)
    if known is not None:
        return known
    grave = severity in (Severity.CRITICAL, Severity.HIGH)
    if kind in MONITORS:
        return Entry(Aspect.ERRORS, _C if grave else _U, 60, "")
    if kind in (Kind.REDIS, Kind.RABBITMQ):
        return Entry(Aspect.RESOURCE, _Y if grave else _U, 60, "")
    return Entry(Aspect.ERRORS, _Y if severity is Severity.CRITICAL else _U, 50, "")
