"""What log lines may tell, as data: a class, and the address or name that stands in the line. Nothing else of a line is used.

A match links a symptom to an address. It names no remediation and gives no parameter: what is proposed comes from readings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Says(StrEnum):
    """The classes of what a line tells."""

    REFUSED = "connection refused"
    TIMEOUT = "no answer in time"
    NO_NAME = "a name that is not found"
    AUTHENTICATION = "authentication failed"
    TOO_MANY = "too many connections"
    NO_SPACE = "no space left"
    OUT_OF_MEMORY = "out of memory"
    MISSING_SETTING = "a missing setting"
    DENIED = "permission denied"
    NOT_FOUND = "a missing program, module or file"
    CERTIFICATE = "a certificate error"
    API_REFUSES = "an API that refuses"
    API_LIMITS = "an API that limits"
    API_FAILS = "an API that fails"
    SCHEMA = "a missing table or column"
    LOCKED = "a lock that was waited for in vain"
    READ_ONLY = "a read-only database"
    STATEMENT_TIMEOUT = "a statement that was cancelled"
    PORT_TAKEN = "a port that is taken"
    TRACE = "an unhandled error"


@dataclass(frozen=True, slots=True)
class Match:
    """What one line told. `host`, `port`: the address in it, empty where none stands there."""

    says: Says
    host: str = ""
    port: str = ""


#: Characters of a line that are looked at.
LOOKED_AT = 600

# A name begins with a letter, an address is four numbers: a time of day is neither.
_HOST = r"(?P<host>\[[0-9a-fA-F:]{2,45}\]|\d{1,3}(?:\.\d{1,3}){3}|[A-Za-z](?:[\w.-]{0,100}\w)?)"
_PORT = r"(?P<port>\d{2,5})(?!\d|:\d)"
_AT = rf"(?:{_HOST}[:,]\s{{0,2}}(?:port\s)?{_PORT})"


_TEXTS: dict[Says, str] = {
    Says.NO_SPACE: r"no space left on device|ENOSPC|disk (?:is )?full|database or disk is full",
    Says.OUT_OF_MEMORY: r"out of memory|OutOfMemoryError|MemoryError\b|JavaScript heap|cannot allocate memory|oom-?kill",
    Says.TOO_MANY: (
        r"too many clients|too many connections|remaining connection slots|QueuePool limit|pool (?:is )?exhausted"
        r"|max client connections|could not obtain a connection"
    ),
    Says.READ_ONLY: r"read-only transaction|cannot execute \w{1,20} in a read-only",
    Says.STATEMENT_TIMEOUT: r"canceling statement due to statement timeout|statement timeout|57014",
    Says.LOCKED: r"lock timeout|deadlock detected|could not obtain lock|LockNotAvailable|55P03|40P01",
    Says.SCHEMA: (
        r"(?:relation|column|table|function) \"?[\w.\"]{1,80}\"? (?:does not exist|doesn't exist)|UndefinedTable"
        r"|UndefinedColumn|no such (?:table|column)"
    ),
    Says.AUTHENTICATION: (
        r"password authentication failed|authentication failed|no pg_hba\.conf entry|access denied for user|NOAUTH|WRONGPASS"
        r"|role \"[^\"]{1,80}\" (?:does not exist|is not permitted to log in)|account (?:is )?locked"
        r"|invalid (?:user ?name or )?password"
    ),
    Says.API_REFUSES: (
        r"\b(?:HTTP[/ ]\S{0,8} ?)?(?:401 Unauthorized|403 Forbidden)|invalid_api_key|AuthenticationError|PermissionDeniedError"
        r"|invalid api key"
    ),
    Says.API_LIMITS: r"\b429\b.{0,30}Too Many|rate_limit_exceeded|RateLimitError|Too Many Requests",
}
_LATER_TEXTS: dict[Says, str] = {
    Says.PORT_TAKEN: r"address already in use|EADDRINUSE|port is already allocated",
    Says.CERTIFICATE: (
        r"certificate (?:verify failed|has expired|is not valid|signed by unknown)|CERT_HAS_EXPIRED|SSLCertVerification"
        r"|x509: certificate|unable to get local issuer"
    ),
    Says.MISSING_SETTING: (
        r"(?:environment variable|env(?:ironment)? var|setting|variable|config(?:uration)?(?: key| option| file)?)"
        r"[^\n]{0,60}?(?:is )?(?:not set|missing|required|undefined|unset|must be set)"
        r"|(?:missing|required|undefined)[^\n]{0,30}?(?:environment variable|env var|setting|config)"
        r"|KeyError: '[A-Z][A-Z0-9_]{2,40}'|[A-Z][A-Z0-9_]{3,40}: (?:parameter|unbound)[^\n]{0,40}"
        r"|[A-Z][A-Z0-9]{1,20}_[A-Z0-9_]{1,40} (?:is |must be )?(?:not set|missing|required|set\b)"
    ),
    Says.NOT_FOUND: (
        r"ModuleNotFoundError|ImportError|Cannot find module|command not found|executable file not found|exec format error"
        r"|no such file or directory|: not found$"
    ),
    Says.DENIED: r"permission denied|EACCES|operation not permitted|EPERM",
    Says.API_FAILS: (
        r"\b50[0234]\b (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)|InternalServerError"
        r"|APIConnectionError|APIStatusError"
    ),
    Says.TRACE: r"Traceback \(most recent call last\)|panic: |Unhandled (?:exception|rejection|error)|Uncaught ",
}
_NOT_REACHED: tuple[tuple[Says, str], ...] = (
    (Says.REFUSED, rf"(?:connection to server at \"{_HOST}\"[^,]{{0,60}}, port {_PORT} failed: Connection refused)"),
    (Says.REFUSED, rf"(?:ECONNREFUSED|refused)[^\w]{{0,6}}(?:(?:to|by|at|while connecting to|connect(?:ing)?)\s)?{_AT}"),
    (Says.REFUSED, rf"{_AT}[^\n]{{0,80}}?(?:connection refused|ECONNREFUSED|actively refused|Errno 111)"),
    (Says.REFUSED, rf"host=['\"]{_HOST}['\"], port={_PORT}.{{0,200}}?refused"),
    (Says.REFUSED, rf"(?:connection refused|Err?no:? 111|ECONNREFUSED|failed \(111).{{0,200}}?(?:https?://|tcp://|@){_AT}"),
    (Says.REFUSED, r"connection refused|ECONNREFUSED|Errno 111"),
    (Says.TIMEOUT, rf"(?:ETIMEDOUT|timed? ?out)[^\n]{{0,160}}?(?:https?://|tcp://|@|to |at ){_AT}"),
    (Says.TIMEOUT, rf"{_AT}[^\n]{{0,80}}?(?:timed? ?out|timeout|i/o timeout|ETIMEDOUT)"),
    (Says.TIMEOUT, r"timed? ?out|TimeoutError|ETIMEDOUT|deadline exceeded|ReadTimeout"),
    (Says.NO_NAME, rf"could not translate host name \"{_HOST}\""),
    (Says.NO_NAME, rf"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_HOST}"),
    (Says.NO_NAME, rf"lookup {_HOST}(?: on \S{{1,60}})?: no such host"),
    (Says.NO_NAME, rf"host not found in upstream \"{_HOST}"),
    (Says.NO_NAME, r"name or service not known|temporary failure in name resolution|nodename nor servname|no such host"),
)

#: In this order: the first that is found counts. What names an address comes before what does not.
PATTERNS: tuple[tuple[Says, re.Pattern[str]], ...] = tuple(
    (says, re.compile(text, re.IGNORECASE)) for says, text in (*_TEXTS.items(), *_NOT_REACHED, *_LATER_TEXTS.items())
)


def match(text: str) -> Match | None:
    """Return what a line tells; None where it tells nothing that is known."""
    head = text[:LOOKED_AT]
    for says, pattern in PATTERNS:
        found = pattern.search(head)
        if found is not None:
            groups = {key: value for key, value in found.groupdict().items() if value}
            return Match(says, groups.get("host", "").strip("[]").lower(), groups.get("port", ""))
    return None


# --- nginx -------------------------------------------------------------------------------------------------------------------

_UPSTREAM = re.compile(r'upstream: "(?:[a-z]{1,12}://)?(?:unix:)?([^/"\s]{1,200})')
_FAILS: tuple[tuple[str, bool, re.Pattern[str]], ...] = (
    ("nothing accepts connections at", False, re.compile(r"connect\(\) failed \(111|connection refused", re.IGNORECASE)),
    ("there is no way to", False, re.compile(r"no route to host|network is unreachable|host is unreachable", re.IGNORECASE)),
    ("no answer in time from", True, re.compile(r"upstream timed out", re.IGNORECASE)),
    ("no live servers left of", False, re.compile(r"no live upstreams", re.IGNORECASE)),
    ("the connection is closed by", False, re.compile(r"prematurely closed|reset by peer", re.IGNORECASE)),
    ("the name cannot be found of", False, re.compile(r"could not be resolved|host not found", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Failing:
    """An upstream that nginx complains of. `slow`: it answers, but not in time."""

    words: str
    address: str
    slow: bool


def upstream_of(text: str) -> Failing | None:
    """Return what a line of nginx's error log says of an upstream; None where it says nothing of one."""
    head = text[:LOOKED_AT]
    found = _UPSTREAM.search(head)
    for words, slow, pattern in _FAILS:
        if pattern.search(head) is not None and (found is not None or "upstream" in head):
            return Failing(words, found[1] if found is not None else "", slow)
    return None
