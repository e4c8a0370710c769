"""One look at an nginx on its host: master, workers, sockets, and the ends of its logs. One command, and what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from debugtui.hosts.link import Link
from debugtui.model.text import line

LIMIT_S, TAIL = 12.0, 300_000

# Arguments: pid file, bytes of a log's end, then log files. /proc alone is asked: programs such as pgrep may be missing.
# A title with spaces follows the last field; the master is known by its program's name, since its pid file may be stale.
SCRIPT = r"""
pidfile=$1 most=$2
shift 2
LC_ALL=C
export LC_ALL
echo "==now $(date +%s.%N) $(date +%z) $(cut -d' ' -f1 /proc/uptime) $(getconf CLK_TCK 2>/dev/null || echo 100)"
pid=$(head -c 20 "$pidfile" 2>/dev/null | tr -cd 0-9)
case $(cat "/proc/$pid/comm" 2>/dev/null) in nginx*) ;; *) pid= ;; esac
echo "==master $pid"
if [ -n "$pid" ]; then
  tr '\0' ' ' < "/proc/$pid/cmdline"; echo
  for child in $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); do
    printf '==worker %s %s ' "$child" "$(sed 's/^.*) //' "/proc/$child/stat" 2>/dev/null | cut -d' ' -f20)"
    tr '\0' ' ' < "/proc/$child/cmdline" 2>/dev/null; echo
  done
fi
echo "==sockets"
ss -H -ltnp 2>/dev/null || echo none
for file in "$@"; do
  echo
  if [ -r "$file" ]; then echo "==log $file"; tail -c "$most" -- "$file"; else echo "==unreadable $file"; fi
done
echo
echo "==end"
"""


@dataclass(frozen=True, slots=True)
class Socket:
    """A TCP socket that listens. `owners`: (program, pid) of who holds it; empty where we may not see."""

    address: str
    port: int
    owners: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found.

    Attributes:
        now, zone: the host's clock (UTC) and its zone as `+0200`.
        master: its pid; None: none runs.
        command: the master's command line.
        workers: pids of the workers that take connections.
        started_at: when the oldest of them began (UTC): one that was started anew after a crash took no new configuration.
        sockets: None: ss is missing.
        logs: text of each log's end; what cannot be read is missing here.
    """

    now: datetime
    zone: str
    master: int | None
    command: str
    workers: tuple[int, ...]
    started_at: datetime | None
    sockets: tuple[Socket, ...] | None
    logs: dict[str, str]


async def look(link: Link, pid_file: str, logs: Sequence[str]) -> Look:
    """Look now.

    Raises:
        LinkError: the link is not up, or the command did not end.
        ValueError: the answer is not whole.
    """
    argv = ["sh", "-c", SCRIPT, "debugtui", pid_file, str(TAIL), *logs]
    done = await link.run(argv, timeout=LIMIT_S, limit=TAIL * (len(logs) + 1) + 200_000)
    return parse(done.stdout.decode("utf-8", "replace"))


def parse(text: str) -> Look:
    """Read what the script printed.

    Raises:
        ValueError: it is not whole.
    """
    head, _, rest = text.partition("==sockets\n")
    rows = head.splitlines()
    if not rows or not rows[0].startswith("==now ") or not rest.rstrip().endswith("==end"):
        raise ValueError("the answer is not whole")
    seconds, zone, uptime, ticks = (*rows[0].removeprefix("==now ").split(" "), "", "", "")[:4]
    now = _moment(seconds)
    master = rows[1].removeprefix("==master ").strip() if len(rows) > 1 else ""
    command = line(rows[2].strip(), 300) if master and len(rows) > 2 else ""
    workers, starts = _workers(rows, now, float(uptime or 0), float(ticks or 100))
    sockets, logs = _rest(rest)
    return Look(now, zone, int(master) if master else None, command, workers, min(starts, default=None), sockets, logs)


def _moment(text: str) -> datetime:
    """Read what date printed, `1764370000.123456789`.

    A date without nanoseconds (BusyBox) tells the second that has begun: its end is taken, so that no worker seems older than
    a file that was written just before it began.
    """
    whole, _, part = text.partition(".")
    return datetime.fromtimestamp(int(whole) + (float(f"0.{part}") if part.isascii() and part.isdigit() else 0.999), UTC)


def _workers(rows: list[str], now: datetime, uptime: float, ticks: float) -> tuple[tuple[int, ...], list[datetime]]:
    pids: list[int] = []
    starts: list[datetime] = []
    for row in rows:
        words = row.split(" ", 3)
        if not row.startswith("==worker ") or len(words) < 4 or "worker process" not in words[3] or "shutting" in words[3]:
            continue
        if words[1].isdigit():
            pids.append(int(words[1]))
        if words[2].isdigit():
            starts.append(now - timedelta(seconds=max(0.0, uptime - int(words[2]) / ticks)))
    return tuple(pids), starts


def _rest(text: str) -> tuple[tuple[Socket, ...] | None, dict[str, str]]:
    logs: dict[str, list[str]] = {}
    sockets: list[Socket] = []
    known, into = True, None
    for row in text.split("\n"):
        if row.startswith(("==log ", "==unreadable ", "==end")):
            into = logs.setdefault(row.removeprefix("==log "), []) if row.startswith("==log ") else []
        elif into is not None:
            into.append(row)
        elif row == "none":
            known = False
        elif (socket := _socket(row)) is not None:
            sockets.append(socket)
    return tuple(sockets) if known else None, {path: "\n".join(rows) for path, rows in logs.items()}


def _socket(row: str) -> Socket | None:
    words = row.split()
    if len(words) < 5 or words[0] != "LISTEN":
        return None
    address, _, port = words[3].rpartition(":")
    if not (port.isascii() and port.isdigit()):
        return None
    owners = []
    for part in row.partition("users:(")[2].split("),("):
        name, pid = part.partition('"')[2].partition('"')[0], part.partition("pid=")[2].partition(",")[0]
        if pid.isascii() and pid.isdigit():
            owners.append((line(name, 40), int(pid)))
    return Socket(address.strip("[]").partition("%")[0], int(port), tuple(owners))
