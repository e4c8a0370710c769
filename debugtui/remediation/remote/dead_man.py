"""A revert that the host runs by itself, unless it is told in time that all is well.

It is armed before a step whose half-done state would hurt. When the link is lost, or we are killed, nobody tells, and the host
reverts. Whether it fired or was told is decided once, by making one symbolic link whose text is the answer: never both, and
whoever comes second reads at once what the first one made of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.hosts.link import CommandResult, Link, LinkError
from debugtui.model.source import Problem
from debugtui.model.text import clean, line
from debugtui.remediation.remote.place import PLACE, RUN, STAYS, key_of

#: Seconds for one command on the host; seconds that the revert itself may take; most bytes kept of each of its outputs.
LIMIT, REVERT_LIMIT, MOST = 15.0, 120, 20_000

# Arguments: key, seconds, seconds for the revert, most bytes kept, the revert. It answers only when the host is waiting; what
# does not come to wait is told off, so that it cannot fire later.
ARM = (
    PLACE
    + STAYS
    + r"""
job=$dir/$1
if ! mkdir "$job" 2>/dev/null; then echo exists; exit 0; fi
after=$2 limit=$3 most=$4
shift 4
setsid sh -c '
job=$1 after=$2 limit=$3 most=$4 mask=$5
shift 5
echo $$ > "$job/armed.new" && mv "$job/armed.new" "$job/armed" || exit 1
sleep "$after"
ln -s fired "$job/decided" 2>/dev/null || exit 0
"""
    + RUN
    + r"""
' debugtui-dead-man "$job" "$after" "$limit" "$most" "$mask" "$@" < /dev/null > /dev/null 2>&1 &
tries=50
while [ ! -f "$job/armed" ]; do
  tries=$((tries - 1))
  if [ "$tries" -le 0 ]; then
    ln -s told "$job/decided" 2>/dev/null
    echo "it does not wait"
    exit 0
  fi
  sleep 0.1
done
echo armed
"""
)

# Argument: key. Says disarmed, fired or none. Its process is ended only if the number still is of that process.
DISARM = (
    PLACE
    + r"""
job=$dir/$1
[ -d "$job" ] || { echo none; exit 0; }
if ln -s told "$job/decided" 2>/dev/null; then
  pid=$(cat "$job/armed" 2>/dev/null)
  [ -n "$pid" ] && grep -qs -- "$1" "/proc/$pid/cmdline" && kill -- "-$pid" 2>/dev/null
  echo disarmed
  exit 0
fi
case $(readlink "$job/decided") in told) echo disarmed;; fired) echo fired;; *) echo "unusable $job";; esac
"""
)

# Argument: key. Says armed, lost, fired, disarmed or none, and after `fired` the status of the revert where it has ended.
LOOK = (
    PLACE
    + r"""
job=$dir/$1
[ -d "$job" ] || { echo none; exit 0; }
if [ ! -L "$job/decided" ]; then
  if grep -qs -- "$1" "/proc/$(cat "$job/armed" 2>/dev/null)/cmdline"; then echo armed; exit 0; fi
  sleep 0.2
  if [ ! -L "$job/decided" ]; then echo lost; exit 0; fi
fi
if [ "$(readlink "$job/decided")" = told ]; then echo disarmed; exit 0; fi
echo "fired $(cat "$job/status" 2>/dev/null)"
"""
)

# Arguments: key, `out` or `err`.
READ = PLACE + 'head -c 20000 "$dir/$1/$2"\n'


async def arm(link: Link, mark: str, argv: Sequence[str], after_s: int) -> None:
    """Have the host run `argv` in `after_s` seconds; return when it is waiting.

    One mark is armed once. After a LinkError the host may wait all the same: the revert has to be harmless where there is
    nothing to revert.

    Raises:
        LinkError: the host could not be told, or does not wait.
    """
    if not argv or after_s < 1:
        raise ValueError("a revert needs a program, and a second at least")
    answer = await _ask(link, ARM, key_of(mark), str(after_s), str(REVERT_LIMIT), str(MOST), *argv)
    if answer != "armed":
        raise LinkError(Problem(f"no revert waits on {link.host}: {line(answer, 200) or 'no answer'}"))


async def disarm(link: Link, mark: str) -> bool:
    """Tell the host that all is well; False: it has reverted, or is about to, or knows of no revert (it was restarted).

    Raises:
        LinkError: the host could not be told; it will revert.
    """
    answer = await _ask(link, DISARM, key_of(mark))
    if answer not in ("disarmed", "fired", "none"):
        raise LinkError(Problem(f"{link.host} does not tell whether it reverted: {line(answer, 200) or 'no answer'}"))
    return answer == "disarmed"


async def look(link: Link, mark: str) -> str:
    """Return `armed`, `fired`, `disarmed`, `none`, or `lost`: it was armed, and the process that waited is gone.

    Raises:
        LinkError: the host could not be asked.
    """
    return (await _look(link, key_of(mark)))[0]


async def report(link: Link, mark: str) -> CommandResult | None:
    """Return what the revert left; None where it has not run to its end, or the host ended it.

    Raises:
        LinkError: the host could not be asked.
    """
    key = key_of(mark)
    word, status = await _look(link, key)
    if word != "fired" or not (status.isascii() and status.isdigit()):
        return None
    out, err = [
        (await link.run(["sh", "-c", READ, "debugtui", key, name], timeout=LIMIT, limit=MOST)).stdout for name in ("out", "err")
    ]
    return CommandResult(int(status), out, err)


async def _look(link: Link, key: str) -> tuple[str, str]:
    answer = await _ask(link, LOOK, key)
    word, _, status = answer.partition(" ")
    if word not in ("armed", "fired", "disarmed", "none", "lost"):
        raise LinkError(Problem(f"{link.host} does not tell whether it reverted: {line(answer, 200) or 'no answer'}"))
    return word, status


async def _ask(link: Link, script: str, *arguments: str) -> str:
    done = await link.run(["sh", "-c", script, "debugtui", *arguments], timeout=LIMIT, limit=4_096)
    return clean(done.stdout, 500).strip() or line(done.stderr, 300)
