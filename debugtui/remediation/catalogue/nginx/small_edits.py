"""Changes of one file that need no new file from the operator: an upstream's server out or in, headers, gzip, a limit.

Each makes the new text from the old one by a pure function, so that what is approved and what is written are the same.
"""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from debugtui.hosts.link import LinkError
from debugtui.model.nginx import NginxReading
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import FleetView, LinkState
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
    Draft,
    Factor,
    Job,
    LiveCheck,
    LiveStep,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Spec,
    Undo,
)
from debugtui.remediation.catalogue.nginx import common, edit
from debugtui.remediation.catalogue.nginx.common import Seen
from debugtui.remediation.catalogue.system.common import as_root, before_of
from debugtui.remediation.eyes import Eyes
from debugtui.sources.nginx.describe import address_of
from debugtui.sources.nginx.tree import Directive, everywhere, walk

_GUARDS = ("file_of_nginx", "parses", "runs", "tested_now", "ports_free", "privilege")
_RATE = re.compile(r"[1-9]\d{0,5}r/[sm]", re.ASCII)
ZONE = "debugtui_shed"


class SmallEdit(Remediation):
    """A change of one file that is made from its text."""

    @abstractmethod
    def place(self, seen: Seen, params: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Return the file, and what `changed` needs beside its text.

        Raises:
            PlanError: the parameters mean nothing, or several things, there.
        """

    @abstractmethod
    def changed(self, text: str, data: Mapping[str, object]) -> str:
        """Return the new text. Pure.

        Raises:
            PlanError: the text is not what it was made for.
        """

    @abstractmethod
    def problem(self, params: Mapping[str, str]) -> str:
        """Return the problem in one sentence."""

    async def more_guards(self, eyes: Eyes, seen: Seen, data: Mapping[str, object]) -> tuple[Guard, ...]:
        """Return guards of its own."""
        return ()

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Look at the nginx, and make the new text."""
        seen = await common.see(eyes, target)
        file, data = self.place(seen, params)
        draft = await edit.draft_edit(eyes, target, seen, file, lambda old: self.changed(old, data), self.problem(params))
        guards = (*draft.guards, *await self.more_guards(eyes, seen, data))
        return replace(draft, data={**draft.data, **data}, guards=guards)

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Write, test, reload."""
        return edit.edit_steps(job, lambda old: self.changed(old, job.data))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The old bytes, reloaded."""
        return edit.edit_undo(job)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The reload took, and the file is the new one."""
        return (*common.reload_checks(job), edit.file_check(job, "new", "the file is the new one"))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The file is as before, and the reload took."""
        return (*common.reload_checks(job, back=True), edit.file_check(job, "was", "the file is as before"))


class DrainUpstream(SmallEdit):
    """Marks one server of an upstream as down, or takes the mark away."""

    spec = Spec(
        name="nginx.drain_upstream",
        title="Take a server out",
        summary="Marks one server of an upstream as down, or takes it in again, and sees that nginx leaves it.",
        target="HOST/nginx/NAME",
        parameters=(
            Parameter("server", "its address as configured, 127.0.0.1:8081; UPSTREAM/ADDRESS where several have it"),
            Parameter("back", "yes takes it in again", required=False, default="no"),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="The old bytes, tested and reloaded: the server is in, or out, as before.",
        guards=(*_GUARDS, "others_answer"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """An nginx one of whose servers does not answer."""
        if target.kind != "nginx":
            return None
        reading = _reading(view, target)
        dead = [one.address for up in reading.upstreams for one in up.servers if one.answers is False] if reading else []
        if dead:
            return Offer(self.spec.name, target, True, f"{dead[0]} accepts no connections", (("server", dead[0]),), rank=5)
        return Offer(self.spec.name, target, True, "takes one server of an upstream out", rank=45)

    def problem(self, params: Mapping[str, str]) -> str:
        """Return the problem."""
        server = line(params["server"], 100)
        return f"{server} is out, and can serve again" if _yes(params) else f"{server} must not get requests"

    def place(self, seen: Seen, params: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Find the server's line."""
        upstream, slash, address = params["server"].rpartition("/")
        found = [
            (up.args[0], one)
            for http in walk(seen.tree.directives, "http")
            for up in walk(http.block, "upstream")
            for one in walk(up.block, "server")
            if up.args and one.args and one.args[0] == address and (not slash or up.args[0] == upstream)
        ]
        if len(found) != 1:
            there = ", ".join(f"{up.name}/{one.address}" for up in seen.described.upstreams for one in up.servers) or "none"
            what = "several upstreams have" if found else "no upstream has"
            raise PlanError(f"{what} a server {line(params['server'], 100)!r} (there are: {line(there, 300)})")
        name, directive = found[0]
        others = [
            one.address
            for up in seen.described.upstreams
            for one in up.servers
            if up.name == name and one.address != address and not one.down
        ]
        data = {"line": directive.line, "address": address, "back": _yes(params), "upstream": name, "others": others}
        return directive.file, data

    def changed(self, text: str, data: Mapping[str, object]) -> str:
        """Add or remove `down` on the server's line."""
        rows, at = text.split("\n"), int(str(data["line"])) - 1
        pattern = re.compile(rf"(\bserver\s+{re.escape(str(data['address']))})((?:\s+[^;#]*?)?)\s*;")
        match = pattern.search(rows[at]) if at < len(rows) else None
        if match is None:
            raise PlanError(f"line {at + 1} does not hold the whole of server {data['address']}: write the new file by hand")
        words = [word for word in match[2].split() if word != "down"]
        words += [] if data["back"] else ["down"]
        rows[at] = rows[at][: match.start()] + " ".join([match[1], *words]) + ";" + rows[at][match.end() :]
        return "\n".join(rows)

    async def more_guards(self, eyes: Eyes, seen: Seen, data: Mapping[str, object]) -> tuple[Guard, ...]:
        """Say whether the others of the upstream accept connections."""
        others = data["others"] if isinstance(data["others"], list) else []
        if data["back"]:
            answers = await _accepts(eyes, str(data["address"]))
            status = GuardStatus.PASS if answers else GuardStatus.FAIL if answers is False else GuardStatus.UNKNOWN
            return (
                Guard("others_answer", status, "the server itself accepts connections" if answers else "it does not answer"),
            )
        found = await asyncio.gather(*(_accepts(eyes, str(other)) for other in others))
        well = sum(answer is True for answer in found)
        if not well:
            why = "no other server of the upstream accepts connections: users would get 502"
            return (Guard("others_answer", GuardStatus.FAIL, why, ", ".join(map(str, others)) or "there is no other"),)
        why = (
            f"{well} of {len(others)} other servers accept connections; whether they carry the load is for the operator to say"
        )
        return (Guard("others_answer", GuardStatus.PASS, why, "tried just now"),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """As any change; and nginx holds no connection to a server that is out."""
        return super().checks(job) if job.data["back"] else (*super().checks(job), _left_check(job))


def _left_check(job: Job) -> LiveCheck:
    address = str(job.data["address"])

    async def sample(eyes: Eyes) -> Sample:
        argv = as_root(before_of(job), ["ss", "-Htnp", "state", "established", "dst", address], common.LIMIT_S)
        done = await eyes.run(argv, limit=200_000)
        if done.status != 0:
            return Sample(None, "ss cannot tell")
        held = sum('"nginx"' in row for row in done.stdout.decode("utf-8", "replace").splitlines())
        return Sample(held == 0, f"nginx holds {held} connections to {address}")

    why = "old workers may finish what they began; after that nothing goes there"
    return LiveCheck("nginx has left it", common.STAYS_S, why, sample, within_s=60.0, every_s=2.0)


class AddHeaders(SmallEdit):
    """Adds compression and the usual security headers to one server."""

    spec = Spec(
        name="nginx.add_headers",
        title="Add headers and gzip",
        summary="Adds compression, security headers, or both to one server block, and proves that the reload took.",
        target="HOST/nginx/NAME",
        parameters=(
            Parameter("server", "one of its server names"),
            Parameter("what", "gzip, headers or both", required=False, default="both"),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says="The old bytes, tested and reloaded.",
        guards=_GUARDS,
    )

    #: No Content-Security-Policy and no HSTS: both can lock users out, the second for months, so neither is a routine.
    HEADERS = (
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
    )
    GZIP = (
        "gzip on;",
        "gzip_vary on;",
        "gzip_min_length 1024;",
        "gzip_types text/plain text/css application/javascript application/json image/svg+xml;",
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Any nginx."""
        return Offer(self.spec.name, target, True, "takes a server name", rank=75) if target.kind == "nginx" else None

    def problem(self, params: Mapping[str, str]) -> str:
        """Return the problem."""
        return f"{line(params['server'], 100)} sends its pages without {_what(params)}"

    def place(self, seen: Seen, params: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Find the server, and what it lacks."""
        server = server_of(seen, params["server"])
        rows: list[str] = []
        if _what(params) in ("gzip", "both") and not any(True for _ in everywhere(server.block, "gzip")):
            rows += self.GZIP
        if _what(params) in ("headers", "both"):
            present = {one.args[0].lower() for one in walk(server.block, "add_header") if one.args}
            rows += [f'add_header {name} "{value}" always;' for name, value in self.HEADERS if name.lower() not in present]
        return server.file, {"line": server.line, "rows": list(rows)}

    def changed(self, text: str, data: Mapping[str, object]) -> str:
        """Insert the lines behind the opening brace."""
        return insert_behind_brace(text, int(str(data["line"])), data["rows"])


class ShedLoad(SmallEdit):
    """Limits the rate of requests to one location."""

    spec = Spec(
        name="nginx.shed_load",
        title="Limit requests to a location",
        summary="Lets each client make so many requests to one location and answers 429 beyond that.",
        target="HOST/nginx/NAME",
        parameters=(
            Parameter("location", "its path as configured, /api/"),
            Parameter("rate", "requests of one client, 10r/s or 60r/m"),
            Parameter("burst", "requests beyond the rate that wait", required=False, default="20"),
            Parameter("server", "one of its server names, where several have the location", required=False),
        ),
        risk=(2, 3),
        undo=Undo.EXACT,
        undo_says="The old bytes, tested and reloaded: nobody is limited any more.",
        guards=_GUARDS,
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Any nginx; first of all one that answers with 5xx."""
        if target.kind != "nginx":
            return None
        reading = _reading(view, target)
        share = reading.access.share_5xx if reading and reading.access else 0.0
        why = f"{100 * share:.0f} % of the requests fail" if share > 0.05 else "takes a location and a rate"
        return Offer(self.spec.name, target, True, why, rank=30 if share > 0.05 else 65)

    def problem(self, params: Mapping[str, str]) -> str:
        """Return the problem."""
        return f"more requests reach {line(params['location'], 100)} than can be served"

    def place(self, seen: Seen, params: Mapping[str, str]) -> tuple[str, dict[str, object]]:
        """Find the location."""
        rate, burst = params["rate"], params.get("burst", "20")
        if not _RATE.fullmatch(rate):
            raise PlanError(f"a rate is written 10r/s or 60r/m, not {line(rate, 40)!r}")
        if not (burst.isascii() and burst.isdigit() and len(burst) < 6):
            raise PlanError(f"a burst is a number, not {line(burst, 40)!r}")
        if list(everywhere(seen.tree.directives, "limit_req")):
            raise PlanError("this nginx limits requests already: change those limits with nginx.edit_config")
        found = [
            (server, location)
            for http in walk(seen.tree.directives, "http")
            for server in walk(http.block, "server")
            if not params.get("server") or params["server"] in _names(server)
            for location in walk(server.block, "location")
            if location.args and location.args[-1] == params["location"] and location.file == server.file
        ]
        if len(found) != 1:
            what = "several servers have" if found else "no server has"
            raise PlanError(f"{what} a location {line(params['location'], 100)!r} (server= says whose)")
        server, location = found[0]
        main = next((one.line for one in walk(seen.tree.directives, "http") if one.file == server.file), 0)
        zone = f"limit_req_zone $binary_remote_addr zone={ZONE}:10m rate={rate};"
        limit = [f"limit_req zone={ZONE} burst={burst} nodelay;", "limit_req_status 429;"]
        return server.file, {"line": location.line, "rows": limit, "zone": zone, "http": main}

    def changed(self, text: str, data: Mapping[str, object]) -> str:
        """Insert the limit in the location, and the zone where `http` begins, or at the top of an included file."""
        text = insert_behind_brace(text, int(str(data["line"])), data["rows"])
        if data["http"]:
            return insert_behind_brace(text, int(str(data["http"])), [data["zone"]])
        return f"{data['zone']}\n{text}"

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """As any change; some users are sent away on purpose."""
        draft = await super().draft(eyes, target, params)
        interruption = Factor(2, "clients beyond the rate get 429")
        return replace(draft, factors=replace(draft.factors, interruption=interruption))


def insert_behind_brace(text: str, number: int, rows: object) -> str:
    """Return the text with lines inserted behind the brace that opens on line `number` (from 1), indented as what follows it.

    Raises:
        PlanError: no block opens there in one line.
    """
    lines, at = text.split("\n"), number - 1
    if at >= len(lines) or "{" not in lines[at]:
        raise PlanError(f"line {number} opens no block in one line: write the new file by hand")
    found = [str(row) for row in rows] if isinstance(rows, list) else []
    head, brace, rest = lines[at].partition("{")
    indent = re.match(r"\s*", head)
    inner = f"{indent[0] if indent else ''}    "
    tail = [f"{inner}{rest.strip()}"] if rest.strip() else []
    lines[at : at + 1] = [f"{head}{brace}", *(f"{inner}{row}" for row in found), *tail] if found else [lines[at]]
    return "\n".join(lines)


def server_of(seen: Seen, name: str) -> Directive:
    """Return the server block of a name.

    Raises:
        PlanError: none or several have it.
    """
    servers = [server for http in walk(seen.tree.directives, "http") for server in walk(http.block, "server")]
    found = [server for server in servers if name in _names(server)]
    if len(found) != 1:
        there = ", ".join(sorted({one for server in servers for one in _names(server)})) or "none has a name"
        raise PlanError(f"{'several servers are' if found else 'no server is'} called {line(name, 100)!r} (there are: {there})")
    return found[0]


def _names(server: Directive) -> set[str]:
    return {word for one in walk(server.block, "server_name") for word in one.args}


def _yes(params: Mapping[str, str]) -> bool:
    value = params.get("back", "no")
    if value not in ("yes", "no"):
        raise PlanError(f"back is yes or no, not {line(value, 40)!r}")
    return value == "yes"


def _what(params: Mapping[str, str]) -> str:
    value = params.get("what", "both")
    if value not in ("gzip", "headers", "both"):
        raise PlanError(f"what is gzip, headers or both, not {line(value, 40)!r}")
    return value


def _reading(view: FleetView, target: Target) -> NginxReading | None:
    for host in view.hosts:
        for source in host.sources:
            if host.name == target.host and isinstance(source.reading, NginxReading) and source.name == target.name:
                return source.reading
    return None


async def _accepts(eyes: Eyes, address: str) -> bool | None:
    found = address_of(address)
    if found is None:
        return None
    try:
        async with asyncio.timeout(3.0):
            await eyes.link.reach_tcp(*found)
    except (LinkError, TimeoutError):
        return False if eyes.link.status.state is LinkState.UP else None
    return True
