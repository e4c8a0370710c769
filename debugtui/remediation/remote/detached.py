"""Commands that run on the host detached from our connection, and leave their result there.

A lost link does not cut them in half: a command in the foreground of a channel would die at its next output, or run on unseen,
and signals through the channel are refused for root. The host itself ends them at their time limit. One mark is started once:
asked for again, what it left is returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from debugtui.hosts.link import CommandResult, CommandTimeoutError, Link, LinkError
from debugtui.model.source import Problem
from debugtui.model.text import clean, line
from debugtui.remediation.remote.place import PLACE, key_of

#: Seconds for one short command on the host, seconds that one of them waits there for the end, and seconds after the command's
#: own limit until we no longer wait for its result.
LIMIT, WAIT, GRACE = 15.0, 4, 20.0

# Arguments: key, seconds, the command. Standard input is kept in a file first. mkdir is what makes it start once. What is older
# than a week is of no use to anybody.
START = (
    PLACE
    + r"""
job=$dir/$1
if ! mkdir "$job" 2>/dev/null; then echo exists; exit 0; fi
find "$dir" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} + 2>/dev/null
cat > "$job/stdin" || { echo "unusable $job"; exit 0; }
limit=$2
shift 2
setsid sh -c '
job=$1 limit=$2
shift 2
timeout -k 5 "$limit" "$@" < "$job/stdin" > "$job/out" 2> "$job/err"
echo $? > "$job/status.new"
mv "$job/status.new" "$job/status"
' debugtui-detached "$job" "$limit" "$@" < /dev/null > /dev/null 2>&1 &
echo $! > "$job/pid.new"
mv "$job/pid.new" "$job/pid"
echo started
"""
)

# Arguments: key, seconds to wait for its end. Says none, running, lost, or `ended STATUS`.
LOOK = (
    PLACE
    + r"""
job=$dir/$1
[ -d "$job" ] || { echo none; exit 0; }
tries=$(($2 * 5))
while :; do
  if [ -f "$job/status" ]; then echo "ended $(cat "$job/status")"; exit 0; fi
  pid=$(cat "$job/pid" 2>/dev/null)
  if [ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null; then
    sleep 0.2
    if [ -f "$job/status" ]; then continue; fi
    echo lost
    exit 0
  fi
  if [ "$tries" -le 0 ]; then echo running; exit 0; fi
  tries=$((tries - 1))
  sleep 0.2
done
"""
)

# Arguments: key, `out` or `err`, most bytes.
READ = PLACE + 'head -c "$3" "$dir/$1/$2"\n'

# Argument: key.
FORGET = PLACE + 'rm -rf "${dir:?}/$1"\n'


class JobState(StrEnum):
    """What the host says of a detached command. lost: it is gone without a result (a restart of the host, or killed)."""

    NONE = "none"
    RUNNING = "running"
    ENDED = "ended"
    TIMED_OUT = "timed_out"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a detached command; `result` where it ended."""

    state: JobState
    result: CommandResult | None = None


async def run(
    link: Link, mark: str, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"", limit: int = 1_000_000
) -> CommandResult:
    """Run a command detached, and wait for its result; see `Hands.command`.

    Args:
        link: the host's link.
        mark: names it; one mark is started once.
        argv: the command.
        timeout_s: seconds after which the host ends it.
        stdin: for its standard input.
        limit: most bytes kept of each output.

    Raises:
        CommandTimeoutError: the host ended it, or has not told of its end in time.
        LinkError: the link broke, or the host has no place for its result; or the command is gone without a result.
    """
    seconds = str(max(1, round(timeout_s)))
    started = await _ask(link, START, key_of(mark), seconds, *argv, stdin=stdin)
    if started not in ("started", "exists"):
        raise LinkError(Problem(f"nothing can be started detached on {link.host}: {line(started, 200)}"))
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s + GRACE
    wait = 1
    while loop.time() < until:
        seen = await look(link, mark, wait=wait, limit=limit)
        wait = WAIT
        if seen.state is JobState.ENDED and seen.result is not None:
            return seen.result
        if seen.state is JobState.TIMED_OUT:
            raise CommandTimeoutError(Problem(f"{line(argv[0], 100)} did not end within {timeout_s:g} s; the host ended it"))
        if seen.state in (JobState.LOST, JobState.NONE):
            raise LinkError(Problem(f"{line(argv[0], 100)} on {link.host} is gone without a result"))
    raise CommandTimeoutError(Problem(f"{line(argv[0], 100)}: {link.host} has not told of its end within {timeout_s:g} s"))


async def look(link: Link, mark: str, *, wait: int = 0, limit: int = 1_000_000) -> Look:
    """Return what is known of a detached command; wait for its end for `wait` seconds.

    Raises:
        LinkError: the host could not be asked.
    """
    key = key_of(mark)
    answer = await _ask(link, LOOK, key, str(wait))
    word, _, status = answer.partition(" ")
    if word != JobState.ENDED:
        if word not in JobState.__members__.values():
            raise LinkError(Problem(f"{link.host} does not tell of detached commands: {line(answer, 200) or 'no answer'}"))
        return Look(JobState(word))
    code = int(status) if status.isdigit() else 255
    if code in (124, 137):  # timeout(1): ended by TERM, or by KILL
        return Look(JobState.TIMED_OUT)
    outputs = []
    for name in ("out", "err"):
        read = ["sh", "-c", READ, "debugtui-read", key, name, str(limit)]
        outputs.append((await link.run(read, timeout=LIMIT, limit=limit)).stdout)
    return Look(JobState.ENDED, CommandResult(code, outputs[0], outputs[1], any(len(data) >= limit for data in outputs)))


async def forget(link: Link, mark: str) -> None:
    """Remove what a command left on the host."""
    await _ask(link, FORGET, key_of(mark))


async def _ask(link: Link, script: str, *arguments: str, stdin: bytes = b"") -> str:
    done = await link.run(["sh", "-c", script, "debugtui", *arguments], timeout=LIMIT, stdin=stdin, limit=4_096)
    return clean(done.stdout, 500).strip() or line(done.stderr, 300)
