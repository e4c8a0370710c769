"""Addresses of pages and requests: shown without secrets, and judged by whether they belong to the watched site."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit, urlunsplit

from debugtui.config.redaction import MASK, redact, redact_env
from debugtui.model.text import line

#: Characters kept of an address.
_LIMIT = 500

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# Second levels under which countries hand out names to anybody (co.uk, com.au): their children are strangers to each other.
_SHARED = frozenset({"ac", "co", "com", "edu", "gob", "gov", "govt", "gouv", "ne", "net", "or", "org"})


def split(url: str) -> SplitResult:
    """Split an address; one that cannot be split has no parts but its path."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return SplitResult("", "", url, "", "")
    return parts


def host_and_port(url: str) -> tuple[str, int]:
    """Return the host in lower case, and the port, given or the scheme's; ("", 0) where the address has none."""
    parts = split(url)
    return (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def shown(url: str) -> str:
    """Return an address that is safe to show: credentials and what looks secret in the query removed, and not too long."""
    if url.startswith("data:"):
        return line(url.partition(",")[0], 100)
    parts = split(url)
    if not parts.scheme:
        return line(redact(url), _LIMIT)
    place = parts.netloc.rpartition("@")[2]
    path = "/".join(_piece(piece) for piece in parts.path.split("/"))
    return line(urlunsplit((parts.scheme, place, path, _pairs(parts.query), _pairs(parts.fragment))), _LIMIT)


def _piece(text: str) -> str:
    return MASK if redact(text) != text else text


def _pairs(query: str) -> str:
    """Mask values, pair by pair: a secret takes no harmless neighbour with it."""
    return "&".join(redact_env(query.split("&"))) if query else ""


def same_site(host: str, page: str) -> bool:
    """Return whether requests to a host belong to a page: the page's own host, its subdomains, or siblings of it.

    `www.shop.example`, `api.shop.example` and `shop.example` are one site, as are the names of loopback. It knows no list
    of public suffixes, so it is careful: a parent such as `com` or `co.uk` is never shared.
    """
    host, page = host.strip("[]").rstrip(".").lower(), page.strip("[]").rstrip(".").lower()
    if host == page or (_loopback(host) and _loopback(page)):
        return True
    if _address(host) or _address(page):
        return False
    base = page
    parent = page.partition(".")[2]
    if "." in parent and not (parent.count(".") == 1 and parent.partition(".")[0] in _SHARED):
        base = parent
    return host == base or host.endswith(f".{base}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)
