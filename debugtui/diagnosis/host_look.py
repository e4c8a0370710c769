"""One constant script that looks at a host in trouble: what is busy, stopped, takes space. It only reads, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debugtui.diagnosis.looked import Looked
from debugtui.diagnosis.surroundings import Process, Space, Stopped
from debugtui.model.text import line

#: The first argument is where the Docker engine stores everything, or empty.
SCRIPT = r"""
LC_ALL=C; export LC_ALL
limit=; command -v timeout >/dev/null 2>&1 && limit='timeout 2'
echo '==ps'
$limit ps -eo pid=,etimes=,cputimes=,rss=,comm= --sort=-cputimes 2>/dev/null | head -n 12
echo '==stopped'
$limit ps -eo stat=,pid=,args= 2>/dev/null | grep '^[Tt]' | cut -c 1-600 | head -n 20
echo '==space'
mount_of() { df -P "$1" 2>/dev/null | { read -r _; read -r _ _ _ _ _ where; echo "$where"; }; }
one() {
    [ -d "$2" ] || return 0
    size=$($limit du -skx "$2" 2>/dev/null) || return 0
    echo "$1 ${size%%[!0-9]*} $(mount_of "$2")"
}
one journal /var/log/journal
one journal /run/log/journal
one packages /var/cache/apt/archives
if [ -n "$1" ] && [ -d "$1/containers" ]; then
    where=$(mount_of "$1")
    $limit find "$1/containers" -maxdepth 2 -name '*-json.log' -size +1024k -exec ls -s --block-size=1024 {} + 2>/dev/null |
        head -n 20 | while read -r size path; do echo "log $size $where $path"; done
fi
echo '==end'
"""


def command(docker_root: str) -> tuple[str, ...]:
    """Return program and arguments."""
    return ("sh", "-c", SCRIPT, "sh", docker_root)


def parse(host: str, text: str, names: dict[str, str]) -> Looked:
    """Return the busy and the stopped processes, and what takes space; lines that are not understood are left out.

    Args:
        host: whose answer it is.
        text: the answer.
        names: of containers by the first twelve letters of their ids.
    """
    section = ""
    rows: dict[str, list[str]] = {"==ps": [], "==stopped": [], "==space": []}
    for row in text.splitlines():
        if row.startswith("=="):
            section = row.strip()
        elif section in rows:
            rows[section].append(row)
    return Looked(
        spaces=tuple(_spaces(host, rows["==space"], names)),
        processes=tuple(_processes(host, rows["==ps"])),
        stopped=tuple(_stopped(host, rows["==stopped"])),
    )


def _stopped(host: str, rows: Sequence[str]) -> Iterator[Stopped]:
    for row in rows:
        words = row.split(None, 2)
        if len(words) == 3 and words[1].isascii() and words[1].isdigit():
            yield Stopped(host, int(words[1]), line(words[2], 600))


def _processes(host: str, rows: Sequence[str]) -> Iterator[Process]:
    for row in rows:
        words = row.split(None, 4)
        if len(words) != 5 or not all(word.isascii() and word.isdigit() for word in words[:4]):
            continue
        pid, elapsed, used, rss = (int(word) for word in words[:4])
        if elapsed > 0:
            yield Process(host, pid, line(words[4], 60), min(10_000.0, 100.0 * used / elapsed), float(elapsed), rss * 1024)


def _spaces(host: str, rows: Sequence[str], names: dict[str, str]) -> Iterator[Space]:
    for row in rows:
        words = row.split(" ", 3)
        if len(words) < 3 or not (words[1].isascii() and words[1].isdigit()) or not words[2].startswith("/"):
            continue
        what, size, mount = words[0], int(words[1]) * 1024, line(words[2], 200)
        if what != "log":
            yield Space(host, mount, what, size)
        elif len(words) == 4 and (name := names.get(words[3].rpartition("/")[2][:12])):
            yield Space(host, mount, what, size, name)
