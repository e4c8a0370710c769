"""What the repairs of an nginx share: which one is meant, how it runs, how it is tested and reloaded, what proves a reload."""

from __future__ import annotations

import asyncio
import posixpath
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from debugtui.config.hosts import WebConfig
from debugtui.config.nginx_names import nginx_files
from debugtui.config.redaction import redact
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.source import Problem
from debugtui.model.target import Target
from debugtui.model.text import clean, line
from debugtui.remediation.base import (
    Done,
    Job,
    LiveCheck,
    LiveStep,
    PlanError,
    Sample,
    Settled,
    StaleError,
    StepError,
)
from debugtui.remediation.catalogue.system.common import as_root, before_of, privilege
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError
from debugtui.sources.nginx import logs, processes
from debugtui.sources.nginx.describe import Described, describe
from debugtui.sources.nginx.fetch import Files, fetch, tree_of
from debugtui.sources.nginx.tree import Tree

#: Seconds that one command on the host may take; that new workers may need; that they are then watched for.
LIMIT_S, TAKES_S, STAYS_S = 30, 20, 10
#: What scripts leave where the target was not what was seen, and where nginx refuses.
STALE, REFUSED = 90, 91
PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin:/sbin"

# Arguments: pid file, pid and start of the master as they were, error log. Tells the workers and the end of the log from
# before, then reloads; all in one go, so that it is the master that was seen. The start is the 20th field after the name.
RELOAD = rf"""
pid=$(head -c 20 "$1" 2>/dev/null | tr -cd 0-9)
start=$(sed 's/^.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)
if [ "$pid" != "$2" ] || [ "$start" != "$3" ]; then
  echo "the master is ${{pid:-none}}, started at ${{start:-?}}"
  exit {STALE}
fi
echo "workers $(cat "/proc/$pid/task/$pid/children" 2>/dev/null)"
echo "log $(stat -L -c %s -- "$4" 2>/dev/null)"
kill -HUP "$pid"
"""

# Arguments: main file, then -p and the prefix where the master has one.
TEST = f"""
PATH=$PATH:{PLACES}
main=$1
shift
nginx "$@" -t -q -c "$main" || exit {REFUSED}
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """An nginx as it was found.

    Attributes:
        name: of the target.
        config: its main file.
        files, tree, described: its configuration on the disk.
        look: its processes.
        started: start of the master, in ticks since the boot, as text; empty: none runs.
    """

    name: str
    config: str
    files: Files
    tree: Tree
    described: Described
    look: processes.Look
    started: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What `nginx -t` needs before it to see the same relative paths as the master."""
        words = self.look.command.split(" ")
        return ("-p", words[words.index("-p") + 1]) if "-p" in words[:-1] else ()

    @property
    def error_log(self) -> str:
        """The main error log; empty: none that is a file."""
        return self.described.error_logs[0] if self.described.error_logs else ""

    def data(self, before: Sequence[str]) -> dict[str, object]:
        """Return what steps and checks need of it, as plain values."""
        return {
            "config": self.config,
            "pid_file": self.described.pid,
            "master": self.look.master or 0,
            "started": self.started,
            "error_log": self.error_log,
            "prefix": list(self.prefix),
            "before": list(before),
        }


def resolve(eyes: Eyes, target: Target) -> tuple[str, str]:
    """Return (name, main file) of the nginx that a target means.

    Raises:
        PlanError: there is none of that name.
    """
    files = nginx_files(eyes.host)
    name = target.name.partition("/")[0] or "main"
    if name not in files:
        there = ", ".join(f"{eyes.host.name}/nginx/{one}" for one in files) or "none: nginx = in [[hosts.web]] names it"
        raise PlanError(f"there is no nginx {line(name, 60)!r} on {eyes.host.name} (there are: {there})")
    return name, files[name]


def web_of(eyes: Eyes, config: str) -> tuple[WebConfig, ...]:
    """Return the web addresses that an nginx serves."""
    return tuple(web for web in eyes.host.web if web.nginx == config)


async def see(eyes: Eyes, target: Target) -> Seen:
    """Look at an nginx.

    Raises:
        PlanError: there is none of that name.
        SourceError: its files cannot be read.
        LinkError: the link is not up.
    """
    name, config = resolve(eyes, target)
    files = await fetch(eyes.link, config)
    tree = await asyncio.to_thread(tree_of, files)
    described = describe(tree, posixpath.dirname(config))
    try:
        look = await processes.look(eyes.link, described.pid, ())
    except ValueError as error:
        raise SourceError(Problem(f"nginx on {eyes.host.name}: {error}")) from error
    started = ""
    if look.master is not None:
        script = "sed 's/^.*) //' \"/proc/$1/stat\" | cut -d' ' -f20"
        done = await eyes.run(["sh", "-c", script, "debugtui", str(look.master)], limit=100)
        started = done.stdout.decode("ascii", "replace").strip()
    return Seen(name, config, files, tree, described, look, started)


def read_local(path: str, most: int = 200_000) -> str:
    """Return a text file of this machine.

    Raises:
        PlanError: it cannot be read, or is too large, or no text.
    """
    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PlanError(f"{line(path, 200)} cannot be read here: {error.strerror}") from None
    if len(data) > most:
        raise PlanError(f"{line(path, 200)} is longer than {most} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise PlanError(f"{line(path, 200)} is no text") from None


def shown(text: str) -> str:
    """Return a file's text as a diff shows it: nothing secret, no control characters."""
    return redact(clean(text))


# --- guards


def running(seen: Seen) -> Guard:
    """Say whether a master runs that can be reloaded."""
    if seen.look.master is None:
        return Guard(
            "runs", GuardStatus.FAIL, "no master runs with this configuration: there is nothing to reload", seen.config
        )
    workers = f"master {seen.look.master}, {len(seen.look.workers)} workers, seen just now"
    return Guard("runs", GuardStatus.PASS, "its master runs", workers)


async def may(eyes: Eyes) -> tuple[tuple[str, ...], Guard]:
    """Return what stands before commands that need root, and whether we may."""
    return await privilege(eyes)


async def tested(eyes: Eyes, seen: Seen, before: Sequence[str]) -> Guard:
    """Say whether nginx accepts the files as they lie on the disk now."""
    done = await eyes.run(test_argv({**seen.data(before)}), timeout=LIMIT_S, limit=20_000)
    said = first_problem(done.stderr)
    if done.status == 0:
        return Guard("tested_now", GuardStatus.PASS, "nginx -t accepts the files as they are now", "tried just now")
    if done.status == REFUSED and "Permission denied" not in said:
        return Guard("tested_now", GuardStatus.UNKNOWN, "nginx -t refuses the files as they are now", said, critical=False)
    return Guard("tested_now", GuardStatus.UNKNOWN, "nginx -t cannot be run here", said, critical=False)


def ports(seen: Seen, new: Described) -> Guard:
    """Say whether the ports that a configuration listens on are free or already this nginx's.

    A port that somebody else owns is no reason to refuse: they may be about to give it up. It is said, it raises the risk, and
    a reload that does not take is rolled back.
    """
    sockets, mine = seen.look.sockets, {seen.look.master, *seen.look.workers}
    if sockets is None:
        return Guard(
            "ports_free", GuardStatus.UNKNOWN, "who owns which port cannot be seen", "the host has no ss", critical=False
        )
    wanted = {listen.port: listen.address for server in new.servers for listen in server.listens if listen.port}
    for socket in sockets:
        owners = {pid for _, pid in socket.owners}
        if socket.port in wanted and not owners & mine:
            name = f"{socket.owners[0][0]} ({socket.owners[0][1]})" if socket.owners else "somebody whom we may not see"
            why = f"{name} listens on {wanted[socket.port]}: unless it ends, the reload will not take"
            return Guard("ports_free", GuardStatus.UNKNOWN, why, "ss, seen just now", critical=False)
    listed = ", ".join(str(port) for port in sorted(wanted)[:8]) or "none"
    return Guard("ports_free", GuardStatus.PASS, "its ports are free or its own", f"{listed}; ss, seen just now")


# --- steps


def test_argv(data: Mapping[str, object]) -> list[str]:
    """Return the command that tests the files on the disk."""
    prefix, before = data["prefix"], data["before"]
    words = [str(word) for word in prefix] if isinstance(prefix, list) else []
    root = [str(word) for word in before] if isinstance(before, list) else []
    return as_root(root, ["sh", "-c", TEST, "debugtui-test", str(data["config"]), *words], LIMIT_S)


def test_step(job: Job) -> LiveStep:
    """Have nginx test the files, before anything takes them."""
    argv = test_argv(job.data)

    async def run(hands: Hands) -> Done:
        done = await hands.run(argv, timeout=LIMIT_S, limit=20_000)
        if done.status != 0:
            raise StepError(f"nginx -t refuses the new files: {first_problem(done.stderr)}", changed=False)
        return Done("nginx -t accepts the new files")

    async def settle(_eyes: Eyes) -> Settled:
        return Settled.DONE  # it changes nothing: whether it was asked makes no difference

    shown_as = shlex.join(["nginx", *_words(job.data["prefix"]), "-t", "-q", "-c", str(job.data["config"])])
    return LiveStep("Test the files", shown_as, False, LIMIT_S, None, run, settle)


def reload_argv(job: Job) -> list[str]:
    """Return the command that reloads the master that was seen."""
    data = job.data
    words = [str(data[name]) for name in ("pid_file", "master", "started", "error_log")]
    return as_root(before_of(job), ["sh", "-c", RELOAD, "debugtui-reload", *words], LIMIT_S)


def reload_step(job: Job, *, back: bool = False) -> LiveStep:
    """Reload, remembering the workers and the end of the error log from before."""
    prefix = "back_" if back else ""
    argv = reload_argv(job)

    async def run(hands: Hands) -> Done:
        sound = [] if back else await sound_pages(hands, str(job.data["config"]))
        done = await hands.command(argv, timeout_s=LIMIT_S)
        said = line(clean(done.stdout), 300)
        if done.status == STALE:
            raise StaleError(said) if not back else StepError(said, changed=None)
        if done.status != 0:
            raise StepError(f"the reload could not be asked for: {line(clean(done.stderr), 200) or said}")
        rows = {row.partition(" ")[0]: row.partition(" ")[2] for row in clean(done.stdout).splitlines()}
        workers = [int(word) for word in rows.get("workers", "").split() if word.isdigit()]
        end = rows.get("log", "").strip()
        facts: dict[str, object] = {f"{prefix}workers": workers, f"{prefix}log": int(end) if end.isdigit() else -1}
        if not back:
            facts["sound"] = sound
        return Done("asked for; whether it takes is watched", facts)

    async def settle(_eyes: Eyes) -> Settled:
        return Settled.UNKNOWN  # a reload leaves no mark of its own; the checks see whether it took

    command = f"kill -HUP {job.data['master']}  # the master of {job.data['config']}"
    return LiveStep("Reload", command, True, LIMIT_S, None, run, settle)


def first_problem(stderr: bytes) -> str:
    """Return what nginx says first, without its prefix."""
    rows = clean(stderr).strip().splitlines()
    found = next((row for row in rows if "[emerg]" in row), rows[0] if rows else "no word")
    return redact(line(found.partition("[emerg] ")[2] or found, 300))


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


# --- checks


async def sound_pages(eyes: Eyes, config: str) -> list[str]:
    """Return the names of the web addresses of this nginx that answer as expected now."""
    from debugtui.sources.web.source import WebSource

    webs = web_of(eyes, config)
    found = await asyncio.gather(*(WebSource(eyes.link, web).read(full=False) for web in webs))
    return [web.name for web, reading in zip(webs, found, strict=True) if reading.sound]


def reload_checks(job: Job, *, back: bool = False) -> tuple[LiveCheck, ...]:
    """Return what proves a reload: other workers under the same master, no new fault in its log, pages that answer as before.

    `nginx -t` and the reload itself return 0 also where nothing was taken, so neither is asked.
    """
    checks = [_workers_check(job, back), _log_check(job, back)]
    if not back:
        checks.append(pages_check(job))
    return tuple(checks)


def _workers_check(job: Job, back: bool) -> LiveCheck:
    data = job.data
    before = {int(str(pid)) for pid in _words(job.results.get("back_workers" if back else "workers"))}

    async def sample(eyes: Eyes) -> Sample:
        look = await processes.look(eyes.link, str(data["pid_file"]), ())
        if look.master != data["master"]:
            return Sample(False, f"the master is {look.master or 'gone'}, it was {data['master']}")
        old = before & set(look.workers)
        if not before:
            return Sample(None, "the workers from before are not known")
        if old or not look.workers:
            return Sample(False, f"workers from before serve still: {', '.join(map(str, sorted(old))) or 'none serves'}")
        return Sample(True, f"master {look.master}, new workers {', '.join(map(str, look.workers))}")

    why = "a reload that cannot be done leaves the old workers serving, and says nothing"
    return LiveCheck("new workers serve it", STAYS_S, why, sample, within_s=TAKES_S, every_s=1.0)


def _log_check(job: Job, back: bool) -> LiveCheck:
    path, start = str(job.data["error_log"]), job.results.get("back_log" if back else "log", -1)

    async def sample(eyes: Eyes) -> Sample:
        if not path or not isinstance(start, int) or start < 0:
            return Sample(True, "it keeps no error log that could be read")
        argv = as_root(before_of(job), ["tail", "-c", f"+{start + 1}", "--", path], LIMIT_S)
        done = await eyes.run(argv, limit=200_000)
        if done.status != 0:
            return Sample(None, line(clean(done.stderr), 200) or "the log cannot be read")
        text = done.stdout.decode("utf-8", "replace")
        bad = [words for _, level, words in logs.error_lines(text, UTC) if level in ("emerg", "alert")]
        return Sample(False, f"nginx says: {bad[-1]}") if bad else Sample(True, "no new [emerg] or [alert]")

    why = "what nginx could not do stands in its error log alone"
    return LiveCheck("nginx reports no fault", STAYS_S, why, sample, within_s=TAKES_S, every_s=1.0)


def pages_check(job: Job) -> LiveCheck:
    """Return the check that the web addresses that answered as expected before do so still."""
    wanted = _words(job.results.get("sound"))

    async def sample(eyes: Eyes) -> Sample:
        if not wanted:
            return Sample(True, "none of its addresses answered as expected before")
        now = await sound_pages(eyes, str(job.data["config"]))
        gone = [name for name in wanted if name not in now]
        return (
            Sample(False, f"no longer as expected: {', '.join(gone)}") if gone else Sample(True, f"{', '.join(wanted)} answer")
        )

    why = "what users saw before the change they have to see after it"
    return LiveCheck("its pages answer as before", STAYS_S, why, sample, within_s=TAKES_S, every_s=2.0)
