"""What a container's configuration says of its place among the others: ports, names, and what it connects to.

Environments hold passwords. Of a value nothing is kept but scheme, host, port and the name of a database, each of a
strict form; a value in which these cannot be told from a password beyond doubt is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from debugtui.config.redaction import redact, redact_env
from debugtui.sources.docker.fields import Object, items, obj, text

DEPENDS_LABEL = "com.docker.compose.depends_on"
#: Labels that speak to this program, by what follows.
OWN_LABELS = "debugtui."
SAID = ("service", "owner", "contact", "runbook", "dashboard")

#: Most hints, ports and names kept of one container.
MOST = 20
#: Longest value looked into, and longest label kept, in characters.
VALUE_LIMIT, LABEL_LIMIT = 2_000, 300

_URL = re.compile(r"(?:jdbc:)?(?P<scheme>[a-z][a-z0-9]{1,14})(?:\+[a-z0-9]{1,20})?://(?P<rest>[^\s,;]*)", re.IGNORECASE)
_SCHEMES = {
    "postgres": "postgresql", "postgresql": "postgresql", "pgsql": "postgresql", "redis": "redis", "rediss": "rediss",
    "amqp": "amqp", "amqps": "amqps", "http": "http", "https": "https", "mysql": "mysql", "mariadb": "mysql",
    "mongodb": "mongodb", "tcp": "tcp",
}  # fmt: skip
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:.]{2,45}\]")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_$.-]{0,62}")
_FOLDER = re.compile(r"/[\w./-]{1,100}")
_KEYWORD = re.compile(r"(?:^|\s)(host|port|dbname)=([^\s'\"]+)")
_VARIABLE = re.compile(r"[A-Za-z_][\w.-]{0,100}")

_HOST_VARIABLE = re.compile(r"(?P<of>.*[A-Za-z]_?)HOST(?:NAME)?", re.IGNORECASE)
_NOT_OF_OTHERS = re.compile(
    r"(?:HTTP|APP|SERVER|WEB|LISTEN|BIND|UVICORN|SERVICE|ALLOWED|VIRTUAL|MY|LOCAL|DOCKER)_?", re.IGNORECASE
)
_ADDRESS_VARIABLE = re.compile(r".*(?:_ADDR|_ADDRESS|_ENDPOINT|_SERVERS?|_UPSTREAM|_BROKERS?|_TARGET)S?", re.IGNORECASE)
_KINDS = (
    (re.compile(r"PG|POSTGRES|(?:^|_)DB|DATABASE", re.IGNORECASE), "postgresql"),
    (re.compile(r"REDIS|VALKEY", re.IGNORECASE), "redis"),
    (re.compile(r"RABBIT|AMQP", re.IGNORECASE), "amqp"),
    (re.compile(r"MYSQL|MARIADB", re.IGNORECASE), "mysql"),
    (re.compile(r"MONGO", re.IGNORECASE), "mongodb"),
)
_DEFAULT_PORTS = {"postgresql": "5432", "redis": "6379", "amqp": "5672", "mysql": "3306", "mongodb": "27017"}
_OWN_PORT = re.compile(r"(?:HTTP_|APP_|SERVER_|WEB_|LISTEN_|BIND_|UVICORN_|SERVICE_)?PORT", re.IGNORECASE)
_OWN_ADDRESS = re.compile(r"(?:GUNICORN_)?(?:LISTEN|BIND|HTTP)(?:_ADDR(?:ESS)?)?", re.IGNORECASE)
_GROQ_KEY = re.compile(r".*GROQ.*KEY.*|.*KEY.*GROQ.*", re.IGNORECASE)


def connects_of(env: Any) -> tuple[str, ...]:
    """Return what an environment says is connected to: `NAME scheme://host:port/database`, or `NAME groq:` for a key."""
    variables = _variables(env)
    found: dict[str, None] = {}
    for name, value in variables.items():
        for hint in _hints(name, value, variables):
            found[f"{name} {hint}"] = None
    return tuple(found)[:MOST]


def _variables(env: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in items(env)[:500]:
        name, sign, value = entry.partition("=") if isinstance(entry, str) else ("", "", "")
        if sign and len(value) <= VALUE_LIMIT and _VARIABLE.fullmatch(name) and redact(name) == name:
            found[name] = value
    return found


def _hints(name: str, value: str, variables: Mapping[str, str]) -> Iterator[str]:
    if _GROQ_KEY.fullmatch(name) and value and "://" not in value:
        yield "groq:"
        return
    urls = list(_URL.finditer(value))
    if urls:
        ends = (*(match.start() for match in urls[1:]), len(value))
        for match, end in list(zip(urls, ends, strict=True))[:5]:
            scheme = _SCHEMES.get(match["scheme"].lower(), "")
            if scheme and "@" not in value[match.end() : end]:  # else a password goes on behind a space or a comma
                yield from _of_url(scheme, match["rest"])
        return
    words = dict(_KEYWORD.findall(value))
    if "host" in words and ("dbname" in words or "port" in words):
        yield from _written("postgresql", words["host"], words.get("port", "5432"), words.get("dbname", ""))
        return
    of_others = _HOST_VARIABLE.fullmatch(name)
    if of_others is not None and not _NOT_OF_OTHERS.fullmatch(of_others["of"]):
        of = of_others["of"]
        scheme = _scheme_of(of)
        port = variables.get(f"{of}PORT", "") or _DEFAULT_PORTS.get(scheme, "")
        names = (variables.get(f"{of}{end}", "") for end in ("NAME", "DB", "DATABASE", "DBNAME"))
        host, colon, own = value.rpartition(":")
        yield from _written(scheme, host if colon else value, own if colon else port, next((one for one in names if one), ""))
    elif _ADDRESS_VARIABLE.fullmatch(name):
        for part in value.split(",")[:5]:
            host, _, port = part.strip().rpartition(":")
            yield from _written(_scheme_of(name), host, port, "")


def _scheme_of(name: str) -> str:
    return next((scheme for pattern, scheme in _KINDS if pattern.search(name)), "tcp")


def _of_url(scheme: str, rest: str) -> Iterator[str]:
    """Yield what a URL names, behind its scheme. A password may hold any sign, so one that may be in sight ends it."""
    before, at, after = rest.partition("@")
    if "@" in after or (at and re.search(r"[/?#]", before)):
        return
    plain = re.split(r"[?#]", after if at else rest, maxsplit=1)[0]
    place, _, path = plain.partition("/")
    keep = scheme in ("postgresql", "mysql", "mongodb", "redis", "rediss")
    for one in place.split(",")[:3]:
        head, colon, port = one.rpartition(":")
        named = colon and not one.endswith("]")
        yield from _written(
            scheme, head if named else one, port if named else _DEFAULT_PORTS.get(scheme, ""), path if keep else ""
        )


def _written(scheme: str, host: str, port: str, database: str) -> Iterator[str]:
    """Yield a hint where each of its parts has the form that it must have, and nothing of it looks like a secret."""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        return
    if _FOLDER.fullmatch(host) and scheme == "postgresql":
        host = quote(host, safe="")
    elif not _HOST.fullmatch(host):
        return
    if scheme == "tcp" and not port:
        return
    name = database.strip("/")
    safe = redact_env([f"PLACE={host}"]) == [f"PLACE={host}"] and redact(name) == name
    if safe and (not name or _NAME.fullmatch(name)):
        yield f"{scheme}://{host}{f':{port}' if port else ''}{f'/{name}' if name else ''}"


def listens_of(config: Object) -> tuple[int, ...]:
    """Return the TCP ports that the image exposes, and those that the environment says it listens on."""
    found: dict[int, None] = {}
    for exposed in list(obj(config.get("ExposedPorts")))[:MOST]:
        number, _, protocol = str(exposed).partition("/")
        if protocol in ("", "tcp"):
            _port(found, number)
    for name, value in _variables(config.get("Env")).items():
        if _OWN_PORT.fullmatch(name):
            _port(found, value)
        elif _OWN_ADDRESS.fullmatch(name):
            _port(found, value.rpartition(":")[2])
    return tuple(found)[:MOST]


def _port(found: dict[int, None], number: str) -> None:
    if number.isascii() and number.isdigit() and len(number) < 6 and 0 < int(number) < 65_536:
        found[int(number)] = None


def published_of(host_config: Object) -> tuple[str, ...]:
    """Return the ports that a container publishes while it runs: `127.0.0.1:8080->80/tcp`."""
    found: dict[str, None] = {}
    for inner, bindings in list(obj(host_config.get("PortBindings")).items())[:MOST]:
        for binding in items(bindings)[:MOST]:
            address, outer = text(obj(binding).get("HostIp"), 60), text(obj(binding).get("HostPort"), 10)
            if outer.isdigit():
                place = f"[{address}]" if ":" in address else address or "0.0.0.0"  # noqa: S104 - shown, not bound
                found[f"{place}:{outer}->{text(inner, 20)}"] = None
    return tuple(found)[:MOST]


def aliases_of(networks: Object) -> tuple[str, ...]:
    """Return the names that a container has in its networks."""
    found: dict[str, None] = {}
    for network in list(networks.values())[:MOST]:
        for name in (*items(obj(network).get("Aliases")), *items(obj(network).get("DNSNames"))):
            if text(name, 100):
                found[text(name, 100)] = None
    return tuple(found)[:MOST]


def addresses_of(networks: Object) -> tuple[str, ...]:
    """Return the addresses that a container has in its networks."""
    found = (text(obj(network).get(key), 60) for network in networks.values() for key in ("IPAddress", "GlobalIPv6Address"))
    return tuple(dict.fromkeys(address for address in found if address))[:MOST]


def depends_on(label: str) -> tuple[str, ...]:
    """Return the services of the label that Compose writes: `db:service_healthy:false,redis:service_started:false`."""
    names = (part.partition(":")[0].strip() for part in label.split(","))
    return tuple(dict.fromkeys(name for name in names if name))[:MOST]


def own_labels(labels: Object) -> tuple[tuple[str, str], ...]:
    """Return the labels that speak to this program, without any secret in them."""
    found = ((key, redact(text(labels.get(f"{OWN_LABELS}{key}"), LABEL_LIMIT))) for key in SAID)
    return tuple((key, value) for key, value in found if value)
