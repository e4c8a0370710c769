"""What is known of a web address, its certificate and its page, as names and values."""

from __future__ import annotations

from datetime import datetime

from debugtui.model.chrome import ChromeReading
from debugtui.model.tls import Certificate, TlsReading
from debugtui.screens.rows.common import seconds_since
from debugtui.screens.rows.web import Address, days_cell, web_state
from debugtui.themes.tones import Tone
from debugtui.widgets.facts import Fact
from debugtui.widgets.format import age, latency, share, size


def web_facts(address: Address) -> list[Fact]:
    """Return what the probe found."""
    web = address.web
    if web is None:
        return [("state", "not read yet", "dim")]
    state, timing = web_state(web), web.timing
    facts: list[Fact] = [("state", web.fault_says or f"{web.status} {web.reason}".strip(), state.tone)]
    for match in web.matches:
        words = f"as expected ({match.wanted})" if match.ok else f"{match.found}, expected {match.wanted}"
        facts.append((match.what, words, "" if match.ok else "bad"))
    facts += [
        ("address", web.url, ""),
        *((f"redirect {step.status}", step.url, "") for step in web.redirects),
        ("connect", latency(timing.connect_ms), ""),
        ("TLS handshake", latency(timing.tls_ms), ""),
        ("first byte", latency(timing.first_byte_ms), "warn" if (timing.first_byte_ms or 0) > web.first_byte_budget_ms else ""),
        ("total", latency(timing.total_ms), ""),
        ("last 10 minutes", f"p50 {latency(web.p50_ms)}, p95 {latency(web.p95_ms)}, failed {share(web.failed_share)}", ""),
        ("answer", f"{web.http_version} {web.server or 'an unnamed server'}, {size(web.size_bytes)}", "dim"),
    ]
    if address.tls is not None:
        days = days_cell(address.tls)
        facts.append(("certificate", days.text, days.tone))
    if address.chrome is not None:
        page = address.chrome
        tone: Tone = "bad" if page.errors or page.failed or page.fault else "ok"
        facts.append(("browser", page.fault or f"{len(page.errors)} errors, {len(page.failed)} failed requests", tone))
    return facts


def tls_facts(tls: TlsReading | None) -> list[Fact]:
    """Return what is known of a certificate."""
    if tls is None:
        return [("certificate", "a plain address has none, or it was not read yet", "dim")]
    if tls.served is None:
        return [("handshake", tls.fault or "none yet", "bad" if tls.fault else "dim"), ("address", tls.address, "")]
    facts: list[Fact] = [
        ("trusted", "yes" if tls.trusted else tls.distrust or "not known", "ok" if tls.trusted else "bad"),
        ("for this name", *_judged(tls.name_matches, f"yes ({tls.server_name})", f"no: it is not for {tls.server_name}")),
        *_certificate(tls.served, days_cell(tls).tone),
        ("same as on disk", *_judged(tls.same_as_disk, "yes", "NO: another one lies on the disk; a reload serves it")),
    ]
    if tls.disk is not None:
        key = _judged(tls.disk.key_matches, "the key fits", "the key does NOT fit")
        facts.append(("on disk", f"{tls.disk.path}, serial {tls.disk.certificate.serial}, {key[0]}", key[1]))
    facts.append(("chain", " < ".join(one.subject for one in tls.chain) or "-", ""))
    facts.append(("agreed on", f"{tls.protocol} {tls.cipher}".strip(), "dim"))
    if tls.renewal is not None:
        by_itself = {True: "renews by itself", False: "does NOT renew by itself", None: "not known whether it renews by itself"}
        words = f"certbot {tls.renewal.name}: {by_itself[tls.renewal.renews_by_itself]}"
        facts.append(("renewal", words, "warn" if tls.renewal.renews_by_itself is False else ""))
        if tls.renewal.last_failure:
            facts.append(("newest attempt", tls.renewal.last_failure, "bad"))
    return facts + [(f"without {gap.feature}", str(gap.problem), "dim") for gap in tls.gaps]


def _judged(value: bool | None, yes: str, no: str) -> tuple[str, Tone]:
    if value is None:
        return "not known", "dim"
    return (yes, "ok") if value else (no, "bad")


def _certificate(one: Certificate, tone: Tone) -> list[Fact]:
    left = f"{one.days_left:.1f} days left" if one.days_left >= 0 else f"ended {-one.days_left:.1f} days ago"
    return [
        ("ends", f"{one.not_after:%Y-%m-%d %H:%M} UTC, {left}", tone),
        ("subject", one.subject, ""),
        ("names", ", ".join(one.names) or "-", ""),
        ("issuer", one.issuer + (" (itself)" if one.self_signed else ""), ""),
        ("serial", one.serial, "dim"),
        ("key", one.key_type, "dim"),
    ]


def page_facts(page: ChromeReading | None, now: datetime) -> list[Fact]:
    """Return what the browser measured."""
    if page is None:
        return [("page", "not opened yet, or chrome = true is not configured for this address", "dim")]

    def timed(value: float | None, budget: float) -> tuple[str, Tone]:
        late = value is not None and value > budget
        return f"{latency(value)} (budget {latency(budget)})", "warn" if late else ""

    facts: list[Fact] = [
        ("page", page.fault or f"{page.status or '-'}  {page.title}", "bad" if page.fault else ""),
        ("largest paint", *timed(page.lcp_ms, page.lcp_budget_ms)),
        ("interactive", *timed(page.tti_ms, page.tti_budget_ms)),
        ("first paint", latency(page.fcp_ms), ""),
        ("loaded", latency(page.load_ms), ""),
        ("layout shift", "-" if page.cls is None else f"{page.cls:.3f}", "warn" if (page.cls or 0) > 0.1 else ""),
        ("requests", f"{page.requests}, {len(page.failed)} failed, {len(page.slow)} slow", "bad" if page.failed else ""),
        ("checked", f"{age(seconds_since(page.taken_at, now))} ago in {latency(page.took_ms)}", "dim"),
    ]
    if page.picture is not None:
        facts.append(("screenshot", page.picture.path, "dim"))
    return facts
