"""Where the reading stands that raised an alert: the tab of the target's detail screen, by rule."""

from __future__ import annotations

from debugtui.model.source import Kind

#: Kind of the target -> tab -> rules. What is not named here opens the first tab.
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    Kind.SYSTEM: {"filesystems": ("disk", "inodes"), "sources": ("source_lost", "link_lost")},
    Kind.LIBVIRT: {"disks": ("vm_io_error",)},
    Kind.POSTGRES: {
        "locks": ("lock_chain",),
        "activity": ("idle_in_transaction", "long_query"),
        "statements": ("query_slow",),
        "indexes": ("index_invalid",),
        "replication": ("archiver", "slot_lost", "replica_lag"),
        "settings": ("pending_restart",),
        "server": ("connections", "wraparound"),
    },
    Kind.WEB: {"state": ("web_slow", "web_p95", "web_flapping")},
    Kind.TLS: {
        "certificate": (
            "tls_down", "tls_expired", "tls_expires", "tls_name", "tls_untrusted", "tls_key", "tls_stale", "tls_renewal",
            "tls_no_renewal",
        )
    },
    Kind.CHROME: {
        "console": ("js_exception", "js_rejection", "console_error"),
        "requests": ("request_failed", "request_slow"),
        "stories": ("front_contradiction",),
        "page": ("page_down", "lcp", "tti"),
    },
    Kind.NGINX: {"servers": ("nginx_port",), "upstreams": ("nginx_upstream",), "errors": ("nginx_log",)},
    Kind.GROQ: {
        "latency": ("groq_latency", "groq_first_token", "groq_slow", "groq_response"),
        "application": ("groq_application",),
        "calls": (
            "groq_timeout", "groq_reset", "groq_cut", "groq_stalled", "groq_slow_first_token", "groq_malformed",
            "groq_incomplete", "groq_stream_error",
        ),
    },
}  # fmt: skip


def tab_of(rule: str, kind: str) -> str:
    """Return the tab that shows why a rule speaks of a target of this kind; empty: the first one."""
    for tab, rules in PLACES.get(kind, {}).items():
        if rule in rules:
            return tab
    return ""
