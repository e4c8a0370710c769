"""Removes secrets from texts before they are shown, stored or sent.

Two layers: values that were resolved in this process are removed literally wherever they turn up, and what looks like a secret
by its form or by the name before it is removed as well. Where it is in doubt, too much is removed rather than too little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "•••"

#: A shorter secret is not removed literally: it would tear holes into every word that holds it.
SHORTEST = 4

_PASSES = 20

_NAME = (
    r"(?:passw(?:or)?d|passphrase|(?<=[_-])pass|pwd|secrets?|tokens?|credentials?|(?<=[_-])auth"
    r"|(?:api|access|private|secret|account|signing|encryption|auth|master|shared)[_-]?keys?"
    r"|(?<!primary[_-])(?<!foreign[_-])(?<!public[_-])(?<!partition[_-])(?<!sort[_-])(?<!cache[_-])(?<=[_-])keys?)"
)
# Names that only speak about a secret: its file, its age, its kind.
_ABOUT = (
    r"(?:file|path|dir|encryption|expiry|expires|expiration|ttl|timeout|lifetime|age|length|policy|type|name|id|count|limit"
    r"|required|enabled|usage|sock|socket)"
)
_QUOTED = r"\\+\"[^\"\\\n]*\\*\"?|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.|'')*'?"
# A quote inside a bare value belongs to it where a word goes on behind it.
_VALUE = rf"(?:{_QUOTED}|\[[^\]\n]*\]?|(?:[^\s\"'<>`]|[\"'`](?=\w))+)"

_ASSIGNMENT = re.compile(
    rf"(?P<name>{_NAME})(?P<suffix>(?:[_-][\w-]{{0,60}}|hash|value|s)?)"
    rf"(?P<sign>\\*[\"'\]]{{0,2}}[ \t]*(?:=>|:=|==?|:)[ \t]*)(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_YAML = re.compile(
    rf"^(?P<before>[ \t]{{0,200}}(?:-[ \t]{{1,20}})?[\"']?[\w.-]{{0,80}}?"
    rf"(?P<name>{_NAME})(?P<suffix>(?:[_-][\w-]{{0,60}})?)[\"']?:[ \t]+)"
    r"(?P<value>[^\s|>][^\n]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION = re.compile(rf"((?<![\w-])--[\w-]{{0,40}}?{_NAME}[ \t]+)({_QUOTED}|[^\s\"'-][^\s\"']*)", re.IGNORECASE)
_HEADER = re.compile(
    r"((?:authorization|x-api-key|x-auth-token|(?:set-)?cookie)\\*[\"']?[ \t]*[:=][ \t]*\\*[\"']?)([^\n\"'\\]+)", re.IGNORECASE
)
_BEARER = re.compile(r"(\bbearer[ \t]+)([\w.~+/=-]{6,})", re.IGNORECASE)
_URL = re.compile(r"(://[^\s:/?#@\"'<>]{0,256}:)((?!\d{1,5}[/?#\s])[^\s\"'<>]{1,1024})(@)")
_SQL = re.compile(
    r"(\b(?:password|identified[ \t]+by)\s+)((?:E|U&|N)?'(?:[^']|'')*'?|\$(\w*)\$.*?(?:\$\3\$|\Z)|\"[^\"\n]*\"?)",
    re.IGNORECASE | re.DOTALL,
)
_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)(.*?)(-----END [A-Z0-9 ]{0,40}-----|\Z)", re.DOTALL)
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:gsk_\w{12,}|gh[pousr]_\w{12,}|github_pat_\w{12,}|glpat-[\w-]{12,}|xox[a-z]-[\w-]{8,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{12,}|sk-[\w-]{12,}|[rs]k_(?:live|test)_\w{8,}|AIza[\w-]{30,}|hvs\.[\w-]{12,}|hf_\w{20,}"
    r"|npm_\w{20,}|pypi-[\w-]{20,}|AGE-SECRET-KEY-1\w{20,}|eyJ[\w-]{6,500}\.[\w-]{6,8000}\.[\w-]*)"
)
_WEBHOOK = re.compile(r"(hooks\.slack\.com/\w{1,20}/|api\.telegram\.org/bot|discord(?:app)?\.com/api/webhooks/)([^\s\"'<>]+)")

_SHAPE_SIGNS = (
    "gsk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA", "ASIA", "sk-", "k_live_", "k_test_",
    "AIza", "hvs.", "hf_", "npm_", "pypi-", "AGE-SECRET-KEY", "eyJ",
)  # fmt: skip
_NUMBER = re.compile(r"\d{1,9}(?:\.\d+)?[,;)}\]]*")
_ABOUT_END = re.compile(rf"[_-]{_ABOUT}$", re.IGNORECASE)

_secrets: tuple[str, ...] = ()


def register(secret: str) -> None:
    """Have a secret, and its usual written forms, removed from every text that is redacted from now on."""
    global _secrets
    secret = "".join(secret)  # a plain text, where a `Secret` came
    forms = set(_secrets)
    for part in {secret, secret.strip(), *secret.splitlines()}:
        forms.update(form for form in _written(part) if len(form) >= SHORTEST and form.strip("• "))
    _secrets = tuple(sorted(forms, key=lambda form: (-len(form), form)))


def forget_all() -> None:
    """Forget every registered secret; for tests and for the end of a demo."""
    global _secrets
    _secrets = ()


def _written(secret: str) -> Iterable[str]:
    """Yield a secret as it stands in URLs, JSON, SQL and Python texts."""
    if len(secret) < SHORTEST:
        return
    raw = secret.encode("utf-8", errors="surrogatepass")
    yield secret
    yield quote(raw, safe="")
    yield quote(raw)
    yield quote_plus(raw)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield secret.replace("'", "''")
    yield repr(secret)[1:-1]


def redact(text: str) -> str:
    """Return `text` with every secret in it replaced by a mask. Redacting twice changes nothing more."""
    text = "".join(text) if type(text) is not str else text
    for _ in range(_PASSES):
        redacted = _once(text)
        if redacted == text:
            return text
        text = redacted
    return MASK  # made to keep us busy: nothing of it is shown


def hide(text: str) -> str:
    """Return `text` without the secrets that were resolved in this run: the quick part of `redact`, for what is painted."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def _once(text: str) -> str:
    low = text.lower()
    if "://" in text and "@" in text:
        text = _URL.sub(_keep_ends, text)
    if (
        "pass" in low or "key" in low or "token" in low or "secret" in low or "auth" in low or "pwd" in low
        or "credential" in low or "bearer" in low or "cookie" in low or "identified" in low
    ):  # fmt: skip
        text = _named(text)
    if "hooks.slack" in text or "api.telegram" in text or "/api/webhooks/" in text:
        text = _WEBHOOK.sub(_mask_second, text)
    for sign in _SHAPE_SIGNS:
        if sign in text:
            text = _SHAPES.sub(MASK, text)
            break
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def _named(text: str) -> str:
    text = _PEM.sub(_keep_ends, text)
    text = _HEADER.sub(_mask_second, text)
    text = _BEARER.sub(_mask_second, text)
    text = _SQL.sub(_mask_quoted, text)
    text = _YAML.sub(_mask_yaml, text)
    text = _ASSIGNMENT.sub(_mask_assignment, text)
    return _OPTION.sub(_mask_second, text)


def _keep_ends(match: re.Match[str]) -> str:
    return f"{match[1]}{MASK}{match[3]}"


def _mask_second(match: re.Match[str]) -> str:
    return f"{match[1]}{_masked(match[2])}"


def _mask_quoted(match: re.Match[str]) -> str:
    return f"{match[1]}'{MASK}'"


def _mask_yaml(match: re.Match[str]) -> str:
    value = match["value"]
    counts = match["name"].lower() in ("token", "tokens") and _NUMBER.fullmatch(value.split(maxsplit=1)[0])
    if counts or value[0] in "\"'{[\\" or _speaks_about(match["name"], match["suffix"], value):
        return match[0]  # quoted values and tables are the assignment's business
    return f"{match['before']}{MASK}"


def _mask_assignment(match: re.Match[str]) -> str:
    value = match["value"]
    if _speaks_about(match["name"], match["suffix"], value):
        return match[0]
    return f"{match['name']}{match['suffix']}{match['sign']}{_masked(value)}"


def _masked(value: str) -> str:
    """Return the mask in the quotes of the value, so that the text around it still reads as JSON or SQL."""
    if value[0] == "\\" and '"' in value:
        quote_mark = value[: value.index('"') + 1]
        return f"{quote_mark}{MASK}{quote_mark}"
    if value[0] in "\"'":
        return f"{value[0]}{MASK}{value[0]}"
    return MASK


def _speaks_about(name: str, suffix: str, value: str) -> bool:
    """Return whether an assignment only speaks about a secret: counts tokens, names a file, is the working directory."""
    name = name.lower()
    if name == "pwd":
        return value.startswith("/")
    if name in ("token", "tokens") and _NUMBER.fullmatch(value):
        return True
    if _ABOUT_END.search(suffix):
        return True
    return value.strip("\"'\\,;(){}[]") in ("", "null", "None", "~", "true", "false")


# The name of a variable of an environment tells more than a word in running text does, so less suffices here.
_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|private|apikey|accesskey|(?:^|[_-])(?:pass|keys?|auth|pwd|pw|salt|pepper|cookie)(?:$|[_-])"
    r"|[a-z](?:pass|pwd)$",
    re.IGNORECASE,
)
_HARMLESS_NAMES = frozenset({"PWD", "OLDPWD", "GPG_KEY", "GPG_KEYS"})
_CHECKSUM_NAME = re.compile(r"SHA\d*|HASH|DIGEST|CHECKSUM|COMMIT|REVISION|VERSION", re.IGNORECASE)
_RANDOM = re.compile(r"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])(?=\D*\d)[\w+=-][\w+/=-]{27,}|[0-9a-f]{32,}|[0-9A-F]{32,}", re.ASCII)


def redact_env(env: Iterable[str]) -> list[str]:
    """Return `NAME=value` entries with the values masked whose name or form is that of a secret. Names always stay."""
    return [_redact_entry(entry) for entry in env]


def _redact_entry(entry: str) -> str:
    name, sign, value = entry.partition("=")
    if not sign or not value:
        return redact(entry)
    random = _RANDOM.fullmatch(value) and not _CHECKSUM_NAME.search(name)
    if name.upper() not in _HARMLESS_NAMES and (random or _secret_name(name, value)):
        return f"{redact(name)}={MASK}"
    return f"{redact(name)}={redact(value)}"


def _secret_name(name: str, value: str) -> bool:
    if not _SECRET_NAME.search(name) or _ABOUT_END.search(name):
        return False
    return not (name.lower().endswith(("token", "tokens")) and _NUMBER.fullmatch(value))
