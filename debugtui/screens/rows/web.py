"""The web pane: one line for each address, from what the probe, the certificate and the browser say; one for each nginx."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from debugtui.model.chrome import ChromeReading
from debugtui.model.nginx import NginxReading
from debugtui.model.source import HostView, Kind, SourceStatus
from debugtui.model.tls import TlsReading
from debugtui.model.web import WebReading
from debugtui.screens.rows.common import problem_rows
from debugtui.themes.tones import Tone
from debugtui.widgets.format import latency
from debugtui.widgets.table_rows import Cell, Column, Row

#: Certificates that end within so many days are pointed out, and marked as bad.
SOON_DAYS, NOW_DAYS = 21.0, 7.0

KINDS = (Kind.WEB, Kind.NGINX, Kind.TLS, Kind.CHROME)

COLUMNS = (
    Column("name", "name", min_width=6),
    Column("state", "state", width=9),
    Column("time", "time", width=6, align="right", priority=1),
    Column("tls", "tls", width=4, align="right", priority=2),
    Column("js", "js", width=3, align="right", priority=3),
    Column("failed", "bad", width=4, align="right", priority=4),
    Column("lcp", "lcp", width=6, align="right", priority=5),
    Column("p95", "p95", width=6, align="right", priority=6),
)


@dataclass(frozen=True, slots=True)
class Address:
    """What is known of one web address."""

    web: WebReading | None = None
    tls: TlsReading | None = None
    chrome: ChromeReading | None = None


def web_rows(hosts: Sequence[HostView]) -> list[Row]:
    """Return the rows of the pane; the keys are targets, `HOST/web/NAME` and `HOST/nginx/NAME`."""
    rows: list[Row] = []
    several = sum(any(source.kind in KINDS for source in host.sources) for host in hosts) > 1
    for host in hosts:
        for name in dict.fromkeys(source.name for source in host.of_kind(Kind.WEB)):
            rows += [row for kind in (Kind.WEB, Kind.TLS, Kind.CHROME) for row in _problems(host, kind, name)]
            label = f"{host.name}/{name}" if several else name
            rows += _address(f"{host.name}/web/{name}", label, address_of(host, name))
        for source in host.of_kind(Kind.NGINX):
            rows += problem_rows(source)
            if isinstance(source.reading, NginxReading):
                rows.append(_nginx(f"{host.name}/nginx/{source.name}", source, several))
    return rows


def _problems(host: HostView, kind: Kind, name: str) -> list[Row]:
    return [row for source in host.of_kind(kind) if source.name == name for row in problem_rows(source)]


def address_of(host: HostView, name: str) -> Address:
    """Return what a host's sources say of one web address."""
    found: dict[Kind, object] = {
        source.kind: source.reading for kind in KINDS for source in host.of_kind(kind) if source.name == name
    }
    web, tls, chrome = found.get(Kind.WEB), found.get(Kind.TLS), found.get(Kind.CHROME)
    return Address(
        web if isinstance(web, WebReading) else None,
        tls if isinstance(tls, TlsReading) else None,
        chrome if isinstance(chrome, ChromeReading) else None,
    )


def web_state(reading: WebReading) -> Cell:
    """Return how an address answers, in one word: its status, or why there was none."""
    if reading.fault is not None:
        return Cell(f"{reading.fault.value}!"[:9], "bad")
    wrong = [match for match in reading.matches if not match.ok]
    if any(match.what == "status" for match in wrong):
        return Cell(f"{reading.status}!", "bad" if (reading.status or 0) >= 500 else "warn")
    if wrong:
        return Cell(f"{wrong[0].what.partition(' ')[0]}!", "warn")
    return Cell(str(reading.status), "ok")


def days_cell(reading: TlsReading | None) -> Cell:
    """Return the days that a certificate has left; what is wrong with it otherwise colours them too."""
    if reading is None:
        return Cell("")
    if reading.served is None:
        return Cell("bad" if reading.fault else "-", "bad" if reading.fault else "dim")
    days = reading.served.days_left
    wrong = reading.name_matches is False or reading.same_as_disk is False
    tone: Tone = "bad" if days < NOW_DAYS or wrong else "warn" if days < SOON_DAYS or reading.trusted is False else ""
    return Cell("over" if days < 0 else f"{int(days)}d", tone)


def _address(key: str, label: str, address: Address) -> list[Row]:
    web, chrome = address.web, address.chrome
    if web is None and address.tls is None and chrome is None:
        return []
    total = web.timing.total_ms if web else None
    slow = web is not None and (web.timing.first_byte_ms or 0.0) > web.first_byte_budget_ms
    errors, failed = (len(chrome.errors), len(chrome.failed)) if chrome else (0, 0)
    lcp = chrome.lcp_ms if chrome else None
    cells = (
        Cell(label),
        web_state(web) if web else Cell("-", "dim"),
        Cell(latency(total), "warn" if slow else ""),
        days_cell(address.tls),
        Cell(
            "" if chrome is None else "!" if chrome.fault else str(errors),
            "bad" if errors or (chrome and chrome.fault) else "dim",
        ),
        Cell("" if chrome is None else str(failed), "bad" if failed else "dim"),
        Cell(latency(lcp) if chrome else "", "warn" if chrome and (lcp or 0.0) > chrome.lcp_budget_ms else ""),
        Cell(latency(web.p95_ms) if web else ""),
    )
    days = address.tls.served.days_left if address.tls and address.tls.served else None
    return [Row(key, cells, sort=(label, cells[1].text, total, days, errors, failed, lcp))]


def nginx_state(reading: NginxReading) -> Cell:
    """Return how an nginx stands, in one word."""
    if reading.master_pid is None:
        return Cell("down!", "bad")
    if reading.config_ok is False:
        return Cell("config!", "bad")
    if any(listen.ours is False and listen.owner for server in reading.servers for listen in server.listens):
        return Cell("port!", "bad")
    share = reading.access.share_5xx if reading.access else 0.0
    if reading.access and reading.access.requests >= 20 and share > 0.01:
        return Cell(f"5xx {100 * share:.0f} %", "bad" if share > 0.1 else "warn")
    return Cell("old conf", "warn") if reading.not_taken else Cell("serving", "ok")


def _nginx(key: str, source: SourceStatus, several: bool) -> Row:
    reading = source.reading
    assert isinstance(reading, NginxReading)  # noqa: S101 - asked just before
    access = reading.access
    label = f"nginx {source.host}/{source.name}" if several else f"nginx {source.name}"
    cells = (
        Cell(label),
        nginx_state(reading),
        Cell(f"{access.requests_s:.0f}/s" if access else "", "dim"),
        Cell(""),
        Cell(""),
        Cell(str(sum(group.count for group in reading.errors)) if reading.errors else "", "warn"),
        Cell(""),
        Cell(latency(access.p95_ms) if access else ""),
    )
    return Row(key, cells, sort=(label, cells[1].text))
