"""What the machine itself tells: processor, memory, disks, processes, clock."""

from __future__ import annotations

from collections.abc import Sequence, Set

from debugtui.diagnosis.runbooks.allow.files import place_fault, tree_fault
from debugtui.diagnosis.runbooks.allow.program import (
    FIELDS,
    NAME,
    TIME,
    Program,
    like,
    number,
    one_of,
)
from debugtui.diagnosis.runbooks.allow.words import ENDLESS, flags, listed, valued

#: Columns of ps that may be shown: an environment holds secrets.
_COLUMNS = listed(
    "pid ppid pgid sid tid user ruser uid group comm args cmd command pcpu %cpu c pmem %mem rss rsz vsz sz stat state s etime "
    "etimes time cputime times lstart start stime ni nice pri rtprio cls psr wchan nlwp thcount tty tt cgroup unit slice "
    "min_flt maj_flt oom oomadj pss uss"
)


def _ps_columns(value: str) -> str | None:
    for name in value.split(","):
        if name.partition("=")[0].partition(":")[0].strip().lower() not in _COLUMNS:
            return f"{name!r} is no column that may be shown (an environment holds secrets)"
    return None


def _ps_sort(value: str) -> str | None:
    wrong = [name for name in value.split(",") if name.lstrip("+-").lower() not in _COLUMNS]
    return f"{wrong[0]!r} is no column" if wrong else None


def _two_or_none(words: Sequence[str], seen: Set[str]) -> str | None:
    return f"an interval needs a count behind it, or {ENDLESS}" if len(words) == 1 else None


PROGRAMS = (
    Program(
        "df",
        "how full filesystems are, in space and inodes",
        flags("h H k m i T l P a", "human-readable si inodes print-type local portability all total"),
        valued(t=NAME, x=NAME, type=NAME, exclude_type=NAME, B=NAME, output=FIELDS),
        word=place_fault,
        most=8,
        not_this={"--sync": "it writes what waits in memory to the disks"},
    ),
    Program(
        "du",
        "what fills a folder",
        flags("s h x k m c S b", "summarize human-readable one-file-system total separate-dirs apparent-size bytes"),
        valued(d=number(4), max_depth=number(4), t=NAME, threshold=NAME, exclude=NAME),
        word=tree_fault,
        least=1,
        most=4,
        needs=(
            (flags("s d", "summarize max-depth"), "a line for each folder below has no end"),
            (flags("x", "one-file-system"), "other filesystems, network ones too, are not to be walked through"),
        ),
        heavy=True,
        not_this={"--files0-from": "it reads names from a file"},
    ),
    Program(
        "free",
        "memory and swap",
        flags("h b k m g w t", "human bytes kibi mebi gibi wide total si"),
        not_this=dict.fromkeys(("-s", "--seconds", "-c", "--count"), ENDLESS),
    ),
    Program("uptime", "load, and since when it runs", flags("p s", "pretty since")),
    Program("uname", "kernel", flags("a r s m n v", "all kernel-release")),
    Program(
        "ps",
        "processes by use of processor and memory",
        flags("e f F A a x l w ww T L H", "no-headers forest"),
        {**valued(o=_ps_columns, format=_ps_columns, sort=_ps_sort, cols=number(1_000)), "-k": _ps_sort}
        | valued(p=FIELDS, pid=FIELDS, ppid=FIELDS, C=NAME, u=FIELDS, U=FIELDS, user=FIELDS),
        word=like(r"a?u?x?f?w{0,4}", "some of the letters a, u, x, f, w (e shows environments, which hold secrets)"),
        most=1,
        not_this={"e": "it shows environments, which hold secrets"},
    ),
    Program(
        "top",
        "processes by use of processor, measured over a moment",
        flags("b c H i 1 S"),
        valued(n=number(3, least=1), d=number(5), o=_ps_sort, w=number(512, least=40), p=FIELDS, u=NAME),
        needs=((flags("b"), "it draws on a terminal else"), (flags("n"), f"{ENDLESS} else")),
    ),
    Program(
        "vmstat",
        "processor, swapping, blocked processes, by the second",
        flags("s w d D m a t n", "stats wide disk disk-sum slabs active timestamp one-header"),
        valued(S=one_of("k", "K", "m", "M")),
        word=number(10, least=1),
        most=2,
        words=_two_or_none,
    ),
    Program(
        "iostat",
        "how busy disks are, by the second",
        flags("x k m d c z y t N h s", "human"),
        word=number(10, least=1),
        most=2,
        words=_two_or_none,
        not_this={"word": "it takes an interval and a count"},
    ),
    Program(
        "lsblk",
        "disks and what is on them",
        flags("f o b p J n d a l i", "fs bytes paths json noheadings nodeps all list"),
        valued(output=FIELDS),
    ),
    Program(
        "findmnt",
        "what is mounted where, and how",
        flags("l n J D", "list noheadings json df"),
        valued(T=place_fault, target=place_fault, t=FIELDS, types=FIELDS, o=FIELDS, output=FIELDS),
        not_this=dict.fromkeys(("-p", "--poll"), ENDLESS),
    ),
    Program(
        "lsof",
        "open files, also deleted ones that still fill a disk (+L1), and who holds a port (-i)",
        frozenset({"-n", "-P", "-a", "-t", "-w", "-l", "-b", "-i", "-sTCP:LISTEN", "-sTCP:ESTABLISHED"}),
        {"-p": FIELDS, "-u": FIELDS, "-c": NAME, "-i": like(r"(?:TCP|UDP)?[@\w.]*(?::[\w,-]{1,60})?", "TCP:443 or :443")},
        word=lambda word: None if word == "+L1" else place_fault(word),
        most=4,
        heavy=True,
        not_this={
            **dict.fromkeys(("-r", "+r"), ENDLESS),
            "-D": "it writes a file",
            "-k": "it reads a kernel",
            "+D": "it walks through whole folders",
        },
    ),
    Program(
        "dmesg",
        "messages of the kernel",
        flags("T x k u t", "ctime decode kernel userspace"),
        valued(l=FIELDS, level=FIELDS, f=FIELDS, facility=FIELDS, since=TIME, until=TIME),
        not_this={
            **dict.fromkeys(("-C", "-c", "--clear", "--read-clear"), "it clears the messages"),
            **dict.fromkeys(("-n", "-E", "-D", "--console-level", "--console-on", "--console-off"), "it changes the console"),
            **dict.fromkeys(("-w", "--follow", "-W", "--follow-new"), ENDLESS),
        },
    ),
    Program("who", "who is logged in", flags("a b r u H")),
    Program("last", "who was logged in, when it was started", flags("x F i w"), valued(n=number(100, least=1))),
    Program(
        "date",
        "the host's clock",
        flags("u", "utc"),
        word=lambda word: None if word.startswith("+") and len(word) < 60 else "a date would set the clock",
        most=1,
        not_this=dict.fromkeys(("-s", "--set"), "it sets the clock"),
    ),
    Program(
        "timedatectl",
        "whether the clock is kept right",
        flags("", "no-pager all"),
        valued(p=FIELDS, property=FIELDS),
        word=one_of("status", "show", "timesync-status", "show-timesync"),
        least=1,
        most=1,
    ),
    Program("chronyc", "how far the clock is off", flags("n"), word=one_of("tracking", "sources"), least=1, most=1),
)
