"""One step of a runbook's file: what it looks at, how that is judged, what each verdict means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from debugtui.config.faults import fault, nearest, raise_faults
from debugtui.config.fields import Flag, Number, Seconds, Table
from debugtui.diagnosis.runbooks import fill
from debugtui.diagnosis.runbooks.allow.check import NotAllowedError, check_command
from debugtui.diagnosis.runbooks.comparing import Comparison, comparison
from debugtui.diagnosis.runbooks.fields import Id, KindName, Pattern, Prose, Remediation, Thresholds, known
from debugtui.diagnosis.runbooks.paths import Part, check_path, parts_of
from debugtui.diagnosis.runbooks.sql import NotReadingError, check_reading
from debugtui.model.source import Kind

#: The steps that run on, or ask, something.
STEP_KINDS = ("reading", "command", "sql", "logs", "query", "http", "note")
#: How one figure comes out of several.
TAKES = ("worst", "count", "sum", "max", "min", "first", "last")
#: The servers that a step of the kind `http` may ask by their configuration.
SERVERS = (Kind.PROMETHEUS, Kind.LOKI, Kind.ALERTMANAGER, Kind.GRAFANA, Kind.WEB)
#: The outcomes that a step may speak about.
OUTCOMES = ("ok", "warning", "critical", "unknown")


class Judge(Table):
    """How a figure is found in what came, and from where on it is bad.

    Attributes:
        of: what is judged. `sql`: a column; `http`: `status`, `ms` or `body`; `command`: `output` or `status`.
        pattern: finds figures in a text: its first group, else the whole match.
        json_path: finds them in a JSON answer: `data.activeTargets[health!=up]`.
        take: how one comes out of several.
        percent_of: a path, or a key of the same row behind a dot (`.limit`); the figure becomes its percentage.
        age: the figure is a time: its age in seconds is judged.
        warning, critical: thresholds; one that holds is enough.
        none: the verdict where nothing was found.
        unit: of the figure, for people.
    """

    of: str = ""
    pattern: Pattern | None = None
    json_path: str | None = None
    take: Annotated[str, AfterValidator(known(TAKES))] = "worst"
    percent_of: str | None = None
    age: Flag = False
    warning: Thresholds = ()
    critical: Thresholds = ()
    none: Annotated[str, AfterValidator(known(OUTCOMES))] | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _fits(self) -> Judge:
        if not self.warning and not self.critical:
            raise fault("needs warning or critical: a check that cannot fail is none")
        if self.pattern is not None and self.json_path is not None:
            raise fault("finds figures by pattern or by json_path, not by both")
        for path in (self.json_path, (self.percent_of or "").removeprefix(".")):
            if path:
                parts_of(path)
        return self

    @property
    def thresholds(self) -> tuple[tuple[str, tuple[Comparison, ...]], ...]:
        """The verdicts from the worst on, each with what leads to it."""
        return (
            ("critical", tuple(comparison(one) for one in self.critical)),
            ("warning", tuple(comparison(one) for one in self.warning)),
        )


class Outcome(Table):
    """What a verdict means, and what then.

    Attributes:
        means: what it means.
        do: what to do, one thing a line.
        next: id of the step to look at next.
        remediations: full names of what would answer it.
    """

    means: Prose | None = None
    do: tuple[Prose, ...] = ()
    next: str | None = None
    remediations: tuple[Remediation, ...] = ()


class Step(Table):
    """One step.

    Attributes:
        id: its own name in the runbook.
        title: what it looks at.
        why: why that matters.
        kind: `reading`, `command`, `sql`, `logs`, `query`, `http` or `note`.
        on: the kind of the things that it is run on; told from its parameters where it is left out.
        read: `reading`: the kind of source, a dot, a path.
        about: the key, column, label or named group that names what a row is about: a remediation is then for that.
        argv: `command`: a program and its arguments.
        sql: `sql`: one statement that only reads.
        params: `sql`: values of $1, $2...
        log: `logs`: `container`, `unit` or `nginx`.
        lines: `logs`: most lines that are read.
        since: `logs`: only lines as young as this.
        only: `logs`: only lines that match are kept.
        query: `query`: PromQL.
        url: `http`: an address as seen from the host.
        server: `http`: a configured server instead.
        path: `http`: what is asked of that server.
        text: `note`: what a person does or decides.
        timeout: `command`: seconds that it may take.
        judge: how it is judged; None: a person reads it.
        then: what each verdict means.
    """

    id: Id
    title: Prose
    why: Prose
    kind: Annotated[str, AfterValidator(known(STEP_KINDS))]
    on: KindName | None = None
    read: str | None = None
    about: str | None = None
    argv: tuple[str, ...] | None = None
    sql: str | None = None
    params: tuple[str, ...] = ()
    log: Literal["container", "unit", "nginx"] | None = None
    lines: Number = Field(default=500, ge=1, le=5_000)
    since: Seconds | None = Field(default=None, gt=0)
    only: Pattern | None = None
    query: str | None = None
    url: str | None = None
    server: Annotated[str, AfterValidator(known(SERVERS))] | None = None
    path: str | None = None
    text: Prose | None = None
    timeout: Seconds = Field(default=10.0, ge=1, le=60)
    judge: Judge | None = None
    then: dict[str, Outcome] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Step:
        raise_faults("step", _strangers(self))
        fill.used(self.texts())
        _CHECKS[self.kind](self)
        for name in self.then:
            if name not in OUTCOMES:
                raise fault(f"then speaks of {', '.join(OUTCOMES)}", nearest(name, OUTCOMES))
        if self.judge is None and set(self.then) & {"ok", "warning", "critical"}:
            raise fault("then has verdicts that nothing judges: it needs a judge")
        return self

    def texts(self) -> Iterator[str]:
        """Yield every text that may hold parameters."""
        yield from (self.argv or ())
        yield from self.params
        for one in (self.read, self.query, self.url, self.path):
            yield one or ""

    @property
    def source(self) -> Kind:
        """The kind of source that a reading is of."""
        return Kind((self.read or "").partition(".")[0])

    @property
    def parts(self) -> tuple[Part, ...]:
        """The path behind that kind."""
        return parts_of((self.read or "").partition(".")[2])


#: Which keys belong to which kind of step, the needed ones first.
KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "reading": (("read",), ("about", "on")),
    "command": (("argv",), ("on", "timeout", "about")),
    "sql": (("sql",), ("params", "about")),
    "logs": (("log",), ("lines", "since", "only")),
    "query": (("query",), ("on", "about")),
    "http": ((), ("url", "server", "path", "on")),
    "note": (("text",), ()),
}
_COMMON = {"id", "title", "why", "kind", "judge", "then"}


def _strangers(step: Step) -> Iterator[tuple[tuple[str | int, ...], str, str | None]]:
    needed, possible = KEYS[step.kind]
    for key in needed:
        if getattr(step, key) is None:
            yield (key,), f"missing: a step of the kind {step.kind} needs it", None
    for key in step.model_fields_set - _COMMON - {*needed, *possible}:
        yield (key,), f"a step of the kind {step.kind} has no such key", nearest(key, (*needed, *possible))


def _check_reading(step: Step) -> None:
    kind, _, path = (step.read or "").partition(".")
    if kind not in tuple(Kind):
        raise fault("read begins with a kind of source: postgres.locks", nearest(kind, tuple(Kind)))
    parts = parts_of(path)
    check_path(Kind(kind), parts)
    if step.judge is not None:
        if step.judge.pattern or step.judge.json_path or step.judge.of:
            raise fault("a reading is judged by its path: it needs no of, pattern or json_path")
        whole = step.judge.percent_of
        if whole:
            beside = parts[:-1] if whole.startswith(".") else ()
            check_path(Kind(kind), (*beside, *parts_of(whole.removeprefix("."))))


def _check_command(step: Step) -> None:
    try:
        check_command(fill.argv(step.argv or (), fill.SAMPLE))
    except NotAllowedError as error:
        raise fault(str(error)) from None
    if step.argv and fill.PLACE.search(step.argv[0]):
        raise fault("a program is named by the runbook, never by a target")
    _of(step, "output", "status")


def _check_sql(step: Step) -> None:
    if fill.PLACE.search(step.sql or ""):
        raise fault("a parameter never stands inside SQL: write $1, and params = ['{session}']")
    try:
        check_reading(step.sql or "")
    except NotReadingError as error:
        raise fault(str(error)) from None


def _check_logs(step: Step) -> None:
    if step.judge is not None and (step.judge.of or step.judge.json_path or step.judge.percent_of):
        raise fault("a log is judged by a pattern, or by how many lines there are (take = 'count')")


def _check_query(step: Step) -> None:
    query = step.query or ""
    if not 0 < len(query) <= 2_000 or not query.isprintable():
        raise fault("a query has 1 to 2000 signs on one line")
    fill.check_promql(query)


def _check_http(step: Step) -> None:
    if (step.url is None) == (step.server is None):
        raise fault("needs url or server, one of them")
    if step.url is not None:
        if step.path is not None:
            raise fault("path goes with server")
        if not re.match(r"https?://[^@/?#]+(?:[/?#][^@]*)?$|\{(?:url|base_url)\}", step.url):
            raise fault("must be http:// or https:// without a user, or begin with {url}")
    if step.path is not None and not step.path.startswith("/"):
        raise fault("path begins with a slash")
    _of(step, "status", "ms", "body")


def _check_note(step: Step) -> None:
    if step.judge is not None:
        raise fault("a note is judged by a person")


def _of(step: Step, *known: str) -> None:
    if step.judge is not None and step.judge.of and step.judge.of not in known:
        raise fault(f"of is one of {', '.join(known)}", nearest(step.judge.of, known))


_CHECKS: dict[str, Callable[[Step], None]] = {
    "reading": _check_reading,
    "command": _check_command,
    "sql": _check_sql,
    "logs": _check_logs,
    "query": _check_query,
    "http": _check_http,
    "note": _check_note,
}
