"""What a cause is called: one sentence, from the figures of its reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from debugtui.diagnosis.anomaly import ROUTE, Anomaly
from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.patterns import Says
from debugtui.model.source import Kind
from debugtui.model.text import line

#: Longest title, in characters.
TITLE = 160

_NO_MEMORY = "ran out of memory"


def title_of(cause: Anomaly, clues: Sequence[Clue], dead: str = "") -> str:
    """Return the title of a finding.

    Args:
        cause: the anomaly at fault.
        clues: what the logs of the thing tell.
        dead: the address at which nothing answers, where that is what is wrong.
    """
    told = cause.fact("title")
    make = _TITLES.get(cause.rule)
    text = told or (make(cause, dead) if make is not None else _plain(cause))
    why = "" if cause.rule in _BY_ITSELF else next((_WHY[clue.says] for clue in clues if clue.says in _WHY), "")
    return line(f"{text}{f': {why}' if why and cause.target.kind == Kind.DOCKER else ''}", TITLE)


#: What was done to a container from outside: its own log has no say in why.
_BY_ITSELF = frozenset(
    {"container_paused", "container_stopped", "container_removed", "oom_killed", "container_moved", "silent"}
)

#: What a log tells of why its own process fails; in our words, never in the log's.
_WHY = {
    Says.REFUSED: "its log says that a connection is refused",
    Says.NO_NAME: "its log says that a name is not found",
    Says.READ_ONLY: "its log says that its database is read-only",
    Says.MISSING_SETTING: "its log says that a setting is missing",
    Says.NOT_FOUND: "its log says that a program, module or file is missing",
    Says.DENIED: "its log says that it may not do something",
    Says.NO_SPACE: "its log says that no space is left",
    Says.PORT_TAKEN: "its log says that its port is taken",
    Says.AUTHENTICATION: "its log says that a login is refused",
    Says.SCHEMA: "its log says that a table or column is missing",
    Says.OUT_OF_MEMORY: "its log says that memory ran out",
}


def _plain(cause: Anomaly) -> str:
    name = cause.node.name or cause.node.host
    if cause.target.kind in ROUTE or name in cause.says or cause.target.kind == Kind.GROQ:
        return cause.says
    return f"{name}: {cause.says}"


def _loop(cause: Anomaly, _: str) -> str:
    name, code = cause.target.name, cause.fact("exit_code")
    if cause.fact("oom"):
        return f"{name} {_NO_MEMORY} again and again{_limit(cause)}"
    return f"{name} crashes again and again" + (f" (exit code {code})" if code else "")


def _oom(cause: Anomaly, _: str) -> str:
    return f"{cause.target.name} {_NO_MEMORY}{_limit(cause)}"


def _limit(cause: Anomaly) -> str:
    limit = cause.fact("limit")
    return f" at its limit of {int(limit) >> 20} MiB" if limit.isdigit() and int(limit) else ""


def _upstream(cause: Anomaly, dead: str) -> str:
    where = dead or cause.fact("address")
    return f"nothing accepts connections at {where}, where nginx {cause.node.name} passes requests" if where else _plain(cause)


def _vm(cause: Anomaly, _: str) -> str:
    error = cause.fact("error")
    return f"{cause.target.name} is paused by an I/O error" + (f": {error} for its disk {cause.fact('path')}" if error else "")


def _disk(cause: Anomaly, _: str) -> str:
    return f"{cause.says} on {cause.target.host}"


def _asset(cause: Anomaly, _: str) -> str:
    asset = cause.fact("asset")
    return f"the page {cause.node.name} names {asset}, which is not there" if asset else _plain(cause)


def _remade(cause: Anomaly, dead: str) -> str:
    since = f", and nothing accepts connections at {dead} since" if dead else ", and what needs it fails since"
    return f"{cause.says}{since}"


_TITLES: dict[str, Callable[[Anomaly, str], str]] = {
    "crash_loop": _loop,
    "oom_killed": _oom,
    "nginx_upstream": _upstream,
    "nginx_passing": _upstream,
    "vm_io_error": _vm,
    "container_remade": _remade,
    "disk": _disk,
    "inodes": _disk,
    "request_failed": _asset,
    "container_exited": lambda cause, _: f"{cause.target.name} {cause.says}",
    "overload": lambda cause, _: f"{cause.target.host}: {cause.says}",
    "cpu": lambda cause, _: f"{cause.target.host}: {cause.says}",
    "memory": lambda cause, _: f"{cause.target.host}: {cause.says}",
}
