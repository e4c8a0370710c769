"""How each kind of step looks at one thing. Every look has a time limit and bounded output, and none of them writes."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from debugtui.config.models import Config
from debugtui.diagnosis.runbooks import fill, judge
from debugtui.diagnosis.runbooks.aim import WHOLE_HOST, Place
from debugtui.diagnosis.runbooks.allow.check import check_command, real_command
from debugtui.diagnosis.runbooks.allow.table import PROGRAMS
from debugtui.diagnosis.runbooks.answers import of_answer, samples
from debugtui.diagnosis.runbooks.comparing import LOOKED_AT, expression
from debugtui.diagnosis.runbooks.paths import Leaf, leaves, parts_of
from debugtui.diagnosis.runbooks.seen import Seen, leaves_table, not_here, shown, table, unseen
from debugtui.diagnosis.runbooks.servers import Servers
from debugtui.diagnosis.runbooks.sql import check_reading
from debugtui.diagnosis.runbooks.step import Judge, Step
from debugtui.fleet.fleet import Fleet
from debugtui.hosts.link import CommandResult, Link, LinkError
from debugtui.model.clock import Clock
from debugtui.model.jsonable import jsonable
from debugtui.model.runbook import StepVerdict
from debugtui.model.source import Freshness, Kind, LinkState, Problem, Reading, SourceStatus
from debugtui.model.target import NO_HOSTS, Target
from debugtui.model.text import clean, decode, line
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    from debugtui.sources.docker.source import DockerSource
    from debugtui.sources.nginx.source import NginxSource
    from debugtui.sources.postgres.session import Session
    from debugtui.sources.postgres.source import PostgresSource

#: Bytes kept of what a command writes; seconds for a log; rows of a statement; bytes of a page.
BYTES, LOG_S, ROWS, PAGE = 64_000, 15.0, 200, 2_000_000


class Looks:
    """Looks at things through the links and sources of a fleet; holds what it opened until it is closed."""

    def __init__(self, fleet: Fleet, config: Config, servers: Servers, clock: Clock) -> None:
        self._fleet, self._config, self._servers, self._clock = fleet, config, servers, clock
        self._sessions: dict[Target, Session | SourceError] = {}
        self._turns: dict[Target, asyncio.Lock] = {}
        self._documents: dict[int, tuple[Reading, object]] = {}

    async def close(self) -> None:
        """Close what was opened. Safe to call twice."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            if not isinstance(session, SourceError):
                await session.close()
        await self._servers.close()

    async def at(self, step: Step, place: Place) -> Seen:
        """Look.

        Raises:
            SourceError, LinkError, TimeoutError: what the thing, or the way to it, said.
            UnfilledError, ValueError: the step cannot be run there.
            KeyError: there is no such host.
        """
        looks = {
            "reading": self._reading,
            "command": self._command,
            "sql": self._sql,
            "logs": self._logs,
            "query": self._query,
            "http": self._http,
        }
        return await looks[step.kind](step, place)

    def _link(self, place: Place) -> Link:
        """Return the link of the host that a place stands on; what stands on none has no commands."""
        return self._fleet.link(_host(place))

    # --- readings

    async def _reading(self, step: Step, place: Place) -> Seen:
        parts = fill.path(step.parts, place.values)
        ran = f"{place.target.host}/{step.source.value}: {fill.text(step.read or '', place.values)}"
        status = self._status(step.source, place.target)
        if status is None:
            return not_here(f"nothing of the kind {step.source.value} is watched at {place.target.host}")
        if status.freshness is Freshness.OFF:
            return not_here(f"{step.source.value} is off on {status.host}: {status.problem or 'not there'}")
        if status.reading is None or status.freshness is Freshness.LOST:
            return unseen(f"{status.name} cannot be read: {status.problem or 'nothing was read yet'}", ran)
        document = await self._document(status.reading)
        figures = judge.figures(leaves(document, parts))
        of = self._whole(document, step.judge)
        output = await asyncio.to_thread(leaves_table, figures.leaves, parts[-1].name)
        old = self._old(status, status.reading)
        return Seen(ran, output, figures, of, old=old, none=StepVerdict.OK)

    def _status(self, kind: Kind, target: Target) -> SourceStatus | None:
        name = None if kind in WHOLE_HOST else target.name
        for host in self._fleet.view().hosts:
            if host.name == target.host:
                return next((one for one in host.of_kind(kind) if name in (None, one.name)), None)
        return None

    async def _document(self, reading: Reading) -> object:
        """Return a reading as JSON, as `check --json` shows it; made once."""
        kept = self._documents.get(id(reading))
        if kept is None or kept[0] is not reading:
            kept = (reading, await asyncio.to_thread(jsonable, reading))
            self._documents = {**dict(list(self._documents.items())[-20:]), id(reading): kept}
        return kept[1]

    @staticmethod
    def _whole(document: object, wanted: Judge | None) -> float | None:
        if wanted is None or wanted.percent_of is None or wanted.percent_of.startswith("."):
            return None
        for leaf in leaves(document, parts_of(wanted.percent_of)):
            if isinstance(leaf, Leaf) and isinstance(leaf.value, int | float):
                return float(leaf.value)
        return None

    def _old(self, status: SourceStatus, reading: Reading) -> str:
        if status.freshness is not Freshness.STALE:
            return ""
        seconds = (self._clock.now() - reading.taken_at).total_seconds()
        return f"the reading is {seconds:.0f} s old" + (f" ({status.problem.says})" if status.problem else "")

    # --- commands

    async def _command(self, step: Step, place: Place) -> Seen:
        argv = fill.argv(step.argv or (), place.values)
        done = await self._run(place, argv, step.timeout)
        wanted = step.judge
        text = decode(done.stdout) + (f"\n{decode(done.stderr)}" if done.stderr.strip() else "")
        ran = _ran(place, argv)
        if done.status in (126, 127) and not done.stdout:
            return unseen(f"{argv[0]} is not installed on {_host(place)}", ran)
        output = await asyncio.to_thread(shown, text)
        if done.status:
            output = f"{output}\n(exit status {done.status})".lstrip()
        if done.truncated:
            output += "\n… (more was written than is kept)"
        if wanted is None:
            return Seen(ran, output)
        if wanted.of == "status":
            return Seen(ran, output, judge.Figures((Leaf(float(done.status), {}),)))
        said = text if PROGRAMS[argv[0]].stderr else decode(done.stdout)
        found = await asyncio.to_thread(judge.in_text, clean(said), wanted.pattern)
        if not found.leaves and done.stderr.strip() and (done.status or not done.stdout.strip()):
            # Nothing but a complaint (no journal, no permission): that nothing was found says nothing then.
            return Seen(ran, output, problem=line(clean(done.stderr).strip().splitlines()[0], 300))
        return Seen(ran, output, found)

    async def _run(self, place: Place, argv: Sequence[str], timeout: float) -> CommandResult:
        """Run a command that is seen to only look; asked here, again, with the values of the target in it."""
        check_command(argv)
        return await self._link(place).run(real_command(argv), timeout=timeout, limit=BYTES)

    # --- SQL

    async def _sql(self, step: Step, place: Place) -> Seen:
        statement = check_reading(step.sql or "")
        params = [fill.text(one, place.values) for one in step.params]
        told = f"   $1... = {', '.join(params)}" if params else ""
        ran = f"{place.target}: {' '.join(statement.split())}{told}"
        rows = await self._rows(place.target, statement, params)
        more = len(rows) > ROWS
        kept = rows[:ROWS]
        output = await asyncio.to_thread(table, kept) + ("\n… (more rows)" if more else "")
        found = judge.in_rows(kept, step.judge.of) if step.judge is not None else None
        if found is not None and found.unknown:
            return Seen(ran, output, problem=f"the answer has no column {step.judge.of if step.judge else ''!r}")
        return Seen(ran, output, found, none=StepVerdict.OK)

    async def _rows(self, target: Target, statement: str, params: Sequence[str]) -> list[Mapping[str, object]]:
        import asyncpg

        async with self._turns.setdefault(target, asyncio.Lock()):
            session = await self._session(target)
            try:
                rows = await session.some(statement, *params, most=ROWS + 1)
            except (asyncpg.QueryCanceledError, TimeoutError) as error:
                raise SourceError(Problem("the statement took longer than it may", line(str(error), 200))) from error
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, UnicodeError, ValueError) as error:
                raise SourceError(Problem(line(str(error) or type(error).__name__, 300))) from error
            finally:
                if session.closed:
                    self._sessions.pop(target, None)
        return [{str(name): value for name, value in row.items()} for row in rows]

    async def _session(self, target: Target) -> Session:
        """Return the session of a database; one that could not be opened is not tried again by each step."""
        session = self._sessions.get(target)
        if session is None:
            source = self._fleet.source(target.host, Kind.POSTGRES, target.name)
            if source is None or not hasattr(source, "connect_anew"):
                raise SourceError(Problem(f"there is no {target} in the configuration"))
            try:
                session = await cast("PostgresSource", source).connect_anew()
            except SourceError as error:
                session = error
            self._sessions[target] = session
        if isinstance(session, SourceError):
            raise session
        return session

    # --- logs

    async def _logs(self, step: Step, place: Place) -> Seen:
        looks = {"container": self._container_lines, "unit": self._unit_lines, "nginx": self._nginx_lines}
        async with asyncio.timeout(LOG_S):
            ran, rows = await looks[step.log or "unit"](step, place)
        kept = await asyncio.to_thread(_only, rows, step)
        text = "\n".join(kept)
        output = await asyncio.to_thread(shown, text, end=True)
        if step.only is not None:
            output = f"{output}\n({len(kept)} of {len(rows)} lines match)".lstrip()
        found = None
        if step.judge is not None:
            found = await asyncio.to_thread(judge.in_text, text, step.judge.pattern)
        return Seen(ran, output or "no lines", found, none=StepVerdict.OK)

    async def _container_lines(self, step: Step, place: Place) -> tuple[str, list[str]]:
        name = place.values.get("container", "")
        source = self._fleet.source(place.target.host, Kind.DOCKER)
        if source is None or not hasattr(source, "logs"):
            raise SourceError(Problem(f"no Docker is watched on {place.target.host}"))
        if not name:
            raise fill.UnfilledError("container")
        rows: list[str] = []
        async for batch in cast("DockerSource", source).logs(name, tail=step.lines, since=self._since(step), follow=False):
            rows += (row.text for row in batch)
        since = f", {step.since:.0f} s" if step.since else ""
        return f"{place.target}: the last {step.lines} lines of the log{since}", rows

    def _since(self, step: Step) -> datetime | None:
        return self._clock.now() - timedelta(seconds=step.since) if step.since else None

    async def _unit_lines(self, step: Step, place: Place) -> tuple[str, list[str]]:
        unit = place.values.get("unit")
        if not unit:
            raise fill.UnfilledError("unit")
        since = [f"--since=-{step.since:.0f}s"] if step.since else []
        argv = fill.argv(
            ["journalctl", "--no-pager", "-o", "short-iso", "-n", str(step.lines), *since, "-u", "{unit}"], place.values
        )
        return _ran(place, argv), await self._lines_of(place, argv)

    async def _nginx_lines(self, step: Step, place: Place) -> tuple[str, list[str]]:
        source = self._fleet.source(place.target.host, Kind.NGINX, place.target.name)
        if source is None or not hasattr(source, "error_logs"):
            raise SourceError(Problem(f"no nginx is watched at {place.target}"))
        paths = (await cast("NginxSource", source).error_logs())[:4]
        if not paths:
            raise SourceError(Problem("its error log is no file"))
        argv = ("tail", "-q", "-n", str(step.lines), *paths)
        return _ran(place, argv), await self._lines_of(place, argv)

    async def _lines_of(self, place: Place, argv: Sequence[str]) -> list[str]:
        done = await self._run(place, argv, LOG_S - 1)
        says = clean(done.stderr).strip().splitlines()
        if not done.stdout and (done.status or says):
            raise SourceError(Problem(line(says[0], 300) if says else f"{argv[0]} ended with status {done.status}"))
        return [row for row in clean(done.stdout).splitlines() if not row.startswith("-- ")]  # journalctl's own remarks

    # --- Prometheus and HTTP

    async def _query(self, step: Step, place: Place) -> Seen:
        query = fill.promql(step.query or "", place.values)
        ran = f"{place.target}: {query}"
        answer = await self._servers.of(place.target).get("/api/v1/query", {"query": query})
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, dict) or not isinstance(data.get("result"), list):
            return unseen("it does not answer as a Prometheus", ran)
        rows = list(samples(data))
        found = judge.in_rows(rows, "value") if rows else judge.Figures()
        return Seen(ran, await asyncio.to_thread(table, rows) if rows else "no series", found)

    def _reaches(self, place: Place, error: SourceError | LinkError) -> bool:
        if isinstance(error, SourceError):
            return True
        host = place.target.host if place.target.host not in NO_HOSTS else _host(place)
        return self._fleet.link(host).status.state is LinkState.UP

    async def _http(self, step: Step, place: Place) -> Seen:
        if step.server is not None:
            api, path = self._servers.of(place.target), fill.url(step.path or "", place.values)
        else:
            api, path = self._servers.address(fill.url(step.url or "", place.values), _host(place)), ""
        ran = f"{place.target}: GET {api.url}{path}"
        begun = self._clock.monotonic()
        try:
            status, body = await api.fetch(path, most=PAGE)
        except (SourceError, LinkError) as error:
            # Nobody answers there, which is an answer, and never a good one; but only while the way to the host itself stands.
            if step.judge is None or step.judge.none in (None, "ok") or not self._reaches(place, error):
                raise
            return Seen(ran, problem=str(error.problem), instead=StepVerdict(step.judge.none))
        ms = 1000 * (self._clock.monotonic() - begun)
        head = f"{status} in {ms:.0f} ms, {len(body)} bytes"
        output = f"{head}\n{await asyncio.to_thread(shown, body[:BYTES])}"
        if step.judge is None:
            return Seen(ran, output)
        if status >= 400 and (step.judge.json_path or step.judge.pattern or step.judge.of == "body"):
            return Seen(ran, output, problem=f"it answers {status}")
        return Seen(ran, output, await asyncio.to_thread(of_answer, step.judge, status, ms, body))


def _host(place: Place) -> str:
    host = place.values.get("host")
    if not host:
        raise fill.UnfilledError("host")
    return host


def _ran(place: Place, argv: Sequence[str]) -> str:
    return f"{_host(place)}$ {shlex.join(argv)}"


def _only(rows: Sequence[str], step: Step) -> list[str]:
    if step.only is None:
        return list(rows)
    wanted = expression(step.only)
    return [row for row in rows if wanted.search(row[:LOOKED_AT])]
