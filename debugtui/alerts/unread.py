"""Which rules a reading cannot judge, because the part of it that they look at could not be read."""

from __future__ import annotations

from debugtui.model.nginx import NginxReading
from debugtui.model.postgres import PostgresReading
from debugtui.model.source import Reading
from debugtui.model.system import SystemReading
from debugtui.model.tls import TlsReading


def unread(reading: Reading | None) -> frozenset[str]:
    """Return the names of those rules: that they find nothing does not end an alert of theirs."""
    parts: dict[str, object] = {}
    if isinstance(reading, SystemReading):
        parts = {"unit_failed": reading.failed_units}
    elif isinstance(reading, PostgresReading):
        parts = {
            "slot_lost": reading.slots,
            "replica_lag": reading.replicas,
            "archiver": reading.archiver,
            "index_invalid": reading.indexes,
            "pending_restart": reading.settings,
        }
    elif isinstance(reading, NginxReading):
        parts = {"nginx_config": reading.config_ok}
    elif isinstance(reading, TlsReading):
        # Without a handshake nothing is known of what is served.
        parts = dict.fromkeys(("tls_expired", "tls_name", "tls_untrusted", "tls_stale"), reading.served)
        parts["tls_key"] = reading.disk
    return frozenset(rule for rule, part in parts.items() if part is None)
