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
from debugtui.remediation.remote.place import MOST, PLACE, RUN, STAYS, key_of

#: Seconds for one short command on the host, seconds that one of them waits there for the end, and seconds after the command's
#: own limit until we no longer wait for its result.
LIMIT, WAIT, GRACE = 15.0, 4, 20.0
#: Bytes of standard input that a slow link carries in a second.
_SLOW = 50_000
#: Days that a result is kept on the host.
KEPT_DAYS = 7

# Arguments: key, seconds, bytes of standard input, most bytes kept of each output, the command. Standard input is kept in a
# file first, and nothing is started with a part of it: a link that is cut looks like its end. mkdir makes it start once.
START = (
    PLACE
    + STAYS
    + rf"""
job=$dir/$1 limit=$2 size=$3 most=$4
shift 4
if [ -d "$job" ]; then echo exists; exit 0; fi
find "$dir" -mindepth 1 -maxdepth 1 -mtime +{KEPT_DAYS} -exec rm -rf {{}} + 2>/dev/null
input=$(mktemp "$dir/input.XXXXXX") || {{ echo "unusable $dir: it cannot be written"; exit 0; }}
cat > "$input"
if [ "$(wc -c < "$input")" -ne "$size" ]; then rm -f "$input"; echo "cut: a part of the input is missing"; exit 0; fi
if ! mkdir "$job" 2>/dev/null; then
  rm -f "$input"
  if [ -d "$job" ]; then echo exists; else echo "unusable $job"; fi
  exit 0
fi
mv "$input" "$job/stdin" || {{ echo "unusable $job"; exit 0; }}
setsid sh -c '
job=$1 limit=$2 most=$3 mask=$4
shift 4
echo $$ > "$job/pid.new" && mv "$job/pid.new" "$job/pid" || exit 1
"""
    + RUN
    + r"""
' debugtui-detached "$job" "$limit" "$most" "$mask" "$@" < /dev/null > /dev/null 2>&1 &
echo started
"""
)

# Arguments: key, seconds to wait for its end. Says none, running, lost, timed_out or `ended STATUS`. A folder without a process
# is a start that was cut off: after a minute it is certain that none comes.
LOOK = (
    PLACE
    + r"""
job=$dir/$1
[ -d "$job" ] || { echo none; exit 0; }
tries=$(($2 * 5)) again=
while :; do
  if [ -f "$job/status" ]; then
    code=$(cat "$job/status")
    if [ "$code" = timed_out ]; then echo timed_out; else echo "ended $code"; fi
    exit 0
  fi
  if [ -f "$job/pid" ]; then
    if grep -qs -- "$1" "/proc/$(cat "$job/pid")/cmdline"; then again=
    elif [ -n "$again" ]; then echo lost; exit 0
    else again=yes; sleep 0.2; continue; fi
  elif [ -n "$(find "$job" -prune -mmin +1 2>/dev/null)" ]; then echo lost; exit 0; fi
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
    """What the host says of a detached command. lost: it is gone without a result (killed, or a full disk)."""

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
    link: Link, mark: str, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"", limit: int = MOST
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
    if not argv:
        raise ValueError("a command needs a program")
    words = [key_of(mark), str(max(1, round(timeout_s))), str(len(stdin)), str(limit)]
    started = await _ask(link, START, *words, *argv, stdin=stdin)
    if started not in ("started", "exists"):
        raise LinkError(Problem(f"nothing can be started detached on {link.host}: {line(started, 200) or 'no answer'}"))
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


async def look(link: Link, mark: str, *, wait: int = 0, limit: int = MOST) -> Look:
    """Return what is known of a detached command; wait for its end for `wait` seconds.

    none means that the host knows nothing of it: never started, or forgotten, or started before the host's last boot.

    Raises:
        LinkError: the host could not be asked.
    """
    key = key_of(mark)
    answer = await _ask(link, LOOK, key, str(wait))
    word, _, status = answer.partition(" ")
    if word not in JobState.__members__.values() or (word == JobState.ENDED and not (status.isascii() and status.isdigit())):
        raise LinkError(Problem(f"{link.host} does not tell of detached commands: {line(answer, 200) or 'no answer'}"))
    if word != JobState.ENDED:
        return Look(JobState(word))
    outputs = []
    for name in ("out", "err"):
        read = ["sh", "-c", READ, "debugtui-read", key, name, str(limit)]
        outputs.append((await link.run(read, timeout=LIMIT, limit=limit)).stdout)
    return Look(JobState.ENDED, CommandResult(int(status), outputs[0], outputs[1], any(len(data) >= limit for data in outputs)))


async def forget(link: Link, mark: str) -> None:
    """Remove what a command left on the host.

    Raises:
        LinkError: the host could not be asked.
    """
    await _ask(link, FORGET, key_of(mark))


async def _ask(link: Link, script: str, *arguments: str, stdin: bytes = b"") -> str:
    limit = LIMIT + len(stdin) / _SLOW
    done = await link.run(["sh", "-c", script, "debugtui", *arguments], timeout=limit, stdin=stdin, limit=4_096)
    return clean(done.stdout, 500).strip() or line(done.stderr, 300)
