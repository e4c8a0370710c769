"""Joins the two halves of what is known of a request: the list knows its fate, the page's own clock its times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from debugtui.hosts.link import LinkError
from debugtui.model.chrome import PageRequest
from debugtui.model.text import line
from debugtui.sources.chrome.addresses import host_and_port, shown, split
from debugtui.sources.chrome.answers import Entry, items, number, text

#: What a browser says of an address that its proxy did not reach; our proxy knows more.
PROXY_FAILED = "net::ERR_SOCKS_CONNECTION_FAILED"

_KINDS = {"navigation": "document", "xmlhttprequest": "fetch", "css": "style", "link": "style"}

# Words of systems and of SSH servers about an address that could not be reached, and the browser's own name for each.
_REASONS = (
    ("refused", "net::ERR_CONNECTION_REFUSED"),
    ("name or service", "net::ERR_NAME_NOT_RESOLVED"),
    ("not known", "net::ERR_NAME_NOT_RESOLVED"),
    ("name is not found", "net::ERR_NAME_NOT_RESOLVED"),
    ("no address", "net::ERR_NAME_NOT_RESOLVED"),
    ("resolv", "net::ERR_NAME_NOT_RESOLVED"),
    ("no answer", "net::ERR_CONNECTION_TIMED_OUT"),
    ("timed out", "net::ERR_CONNECTION_TIMED_OUT"),
    ("unreachable", "net::ERR_ADDRESS_UNREACHABLE"),
    ("no route", "net::ERR_ADDRESS_UNREACHABLE"),
)


def reason(error: LinkError | None) -> str:
    """Return the browser's name for why our proxy did not reach an address."""
    said = error.problem.says.lower() if error is not None else ""
    return next((name for sign, name in _REASONS if sign in said), "net::ERR_CONNECTION_FAILED")


def failure_of(entry: Entry, failures: Mapping[tuple[str, int], LinkError], policies: Mapping[str, str]) -> str:
    """Return why a request was not answered; empty where it was. `policies`: what forbids which address."""
    if entry.pending:
        return f"blocked ({policies[entry.url]})" if entry.url in policies else "timed out"
    if entry.failure == PROXY_FAILED:
        return reason(failures.get(host_and_port(entry.url)))
    blocked = "BLOCKED" in entry.failure or entry.failure in ("csp", "mixed-content", "net::ERR_UNSAFE_PORT")
    return f"blocked ({entry.failure})" if blocked else entry.failure


def elsewhere(entries: Iterable[Entry], allowed: Callable[[str], bool]) -> dict[str, int]:
    """Return the hosts that the page asked for and that we do not go to, with how often."""
    hosts: dict[str, int] = defaultdict(int)
    for entry in entries:
        host = host_and_port(entry.url)[0]
        if entry.failure == PROXY_FAILED and not allowed(host):
            hosts[line(host, 100)] += 1
    return dict(hosts)


def joined(
    entries: Sequence[Entry],
    collected: Mapping[str, Any],
    failures: Mapping[tuple[str, int], LinkError],
    allowed: Callable[[str], bool],
) -> list[PageRequest]:
    """Return the requests with their times, in their order.

    Left out: what went to hosts where we do not go, and the icon that browsers ask for unasked where it does not exist.
    """
    times: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    navigation = collected.get("nav")
    for item in [*([navigation] if isinstance(navigation, dict) else []), *items(collected, "resources")]:
        times[_bare(text(item, "url"))].append(item)
    origin = number(collected, "origin")
    seen = collected.get("seen")
    blocked = items(seen, "blocked") if isinstance(seen, dict) else []
    policies = {text(item, "url"): line(text(item, "by"), 50) or "policy" for item in blocked}
    found = []
    for entry in entries:
        known = times.get(_bare(entry.url))
        time: Mapping[str, Any] = known.pop(0) if known else {}
        host = host_and_port(entry.url)[0]
        unasked = entry.status == 404 and split(entry.url).path == "/favicon.ico" and not collected.get("icon")
        if unasked or (entry.failure == PROXY_FAILED and not allowed(host)):
            continue
        found.append(_request(entry, time, origin, failure_of(entry, failures, policies)))
    return found


def _bare(url: str) -> str:
    """Without the fragment, which never leaves the browser."""
    return url.partition("#")[0][:2000]


def _request(entry: Entry, time: Mapping[str, Any], origin: float | None, failure: str) -> PageRequest:
    kind = text(time, "kind")
    start, sent, first = number(time, "start"), number(time, "sent"), number(time, "first")
    at = None
    if origin is not None and start is not None and origin < 1e14:
        at = datetime.fromtimestamp(origin / 1000, UTC) + timedelta(milliseconds=start)
    return PageRequest(
        entry.method,
        shown(entry.url),
        line(_KINDS.get(kind, kind), 30),
        entry.status,
        failure,
        _rounded(number(time, "ms")),
        _rounded(first - sent) if first and sent and first >= sent else None,
        int(size) if not failure and (size := number(time, "size")) is not None and time.get("status") else None,
        at,
    )


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)
