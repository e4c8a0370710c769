"""What answers faults of web addresses, certificates, pages and nginx."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.diagnosis.anomaly import Anomaly
from debugtui.diagnosis.explain import Root
from debugtui.diagnosis.surroundings import Surroundings
from debugtui.model.diagnosis import Offer
from debugtui.model.source import Kind
from debugtui.model.target import Target


def offers(root: Root, around: Surroundings) -> Iterator[Offer]:
    """Yield what answers the fault; each is planned for the nginx that serves the address."""
    cause = root.cause
    nginx = around.nginx_of(cause.target)
    if nginx is None:
        return
    if cause.target.kind == Kind.TLS:
        yield from _certificate(cause, nginx)
    elif cause.target.kind == Kind.CHROME:
        if cause.rule in ("js_exception", "js_rejection", "request_failed") and around.has_release(nginx):
            yield Offer("nginx.rollback_release", nginx)
    elif cause.target.kind == Kind.NGINX:
        yield from _nginx(cause, nginx)
    elif cause.fact("status") in ("403", "404", "410") or cause.rule == "web_body":
        if around.has_release(nginx):
            yield Offer("nginx.rollback_release", nginx)
        yield Offer("nginx.edit_config", nginx)


def _certificate(cause: Anomaly, nginx: Target) -> Iterator[Offer]:
    """What lies newer on the disk only has to be taken; else it is renewed, where certbot knows it."""
    if cause.rule == "tls_stale" or cause.fact("disk") == "newer":
        yield Offer("nginx.reload", nginx)
        return
    if cause.rule in ("tls_expired", "tls_expires", "tls_renewal") and cause.fact("lineage"):
        yield Offer("nginx.renew_certificate", nginx, (("name", cause.fact("lineage")),))
    yield Offer("nginx.edit_config", nginx)


def _nginx(cause: Anomaly, nginx: Target) -> Iterator[Offer]:
    if cause.rule in ("nginx_down", "silent"):
        yield Offer("system.restart_unit", Target(nginx.host, "system", "nginx.service"))
    elif cause.rule == "nginx_not_reloaded":
        yield Offer("nginx.reload", nginx)
    elif cause.rule in ("nginx_config", "nginx_port"):
        yield Offer("nginx.edit_config", nginx)
    elif cause.rule in ("nginx_upstream", "nginx_passing"):
        if cause.fact("partly"):
            yield Offer("nginx.drain_upstream", nginx, (("server", cause.fact("address")),))
        yield Offer("nginx.edit_config", nginx, (("file", cause.fact("file")),) if cause.fact("file") else ())
