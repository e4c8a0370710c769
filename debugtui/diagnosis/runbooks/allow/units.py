"""What services tell: journal, units, the files of nginx."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set

from debugtui.diagnosis.runbooks.allow.files import place_fault
from debugtui.diagnosis.runbooks.allow.program import (
    FIELDS,
    NAME,
    TIME,
    Program,
    any_text,
    like,
    number,
)
from debugtui.diagnosis.runbooks.allow.words import ENDLESS, LINES, flags, valued

_SYSTEMCTL = (
    "status", "show", "is-active", "is-failed", "is-enabled", "list-units", "list-timers", "list-jobs", "list-sockets",
    "list-unit-files", "list-dependencies", "is-system-running",
)  # fmt: skip


def _systemctl_words(words: Sequence[str], seen: Set[str]) -> str | None:
    if words[0] not in _SYSTEMCTL:
        return f"only {', '.join(_SYSTEMCTL)} may stand first: other verbs change something"
    if words[0] == "show" and not seen & {"-p", "--property"}:
        return "show needs -p with the properties: all of them hold environments, and with them secrets"
    return None


def _property(value: str) -> str | None:
    for name in value.split(","):
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]{1,60}", name) or "Environment" in name or "Credential" in name:
            return "it has to be names of properties, without those of environments and credentials"
    return None


PROGRAMS = (
    Program(
        "journalctl",
        "lines of the journal of systemd",
        flags("r k q b x a", "no-pager reverse dmesg quiet utc no-hostname disk-usage list-boots boot all"),
        {
            **valued(u=NAME, unit=NAME, n=number(LINES, least=1), lines=number(LINES, least=1), t=NAME, identifier=NAME),
            **valued(p=NAME, priority=NAME, S=TIME, since=TIME, U=TIME, until=TIME, g=any_text, grep=any_text),
            **valued(o=NAME, output=NAME, D=place_fault, directory=place_fault, boot=like(r"-?\d{1,3}", "a number")),
        },
        word=like(r"[A-Z_]{2,40}=[^\n]{1,200}", "a field and its value, such as _PID=1"),
        most=4,
        needs=((flags("n S", "lines since disk-usage list-boots"), "a journal is read from its beginning else"),),
        not_this={
            **dict.fromkeys(("-f", "--follow"), ENDLESS),
            **dict.fromkeys(("--vacuum-time", "--vacuum-size", "--vacuum-files"), "it deletes journals"),
            "--rotate": "it closes journals and begins new ones",
            **dict.fromkeys(("--flush", "--sync", "--relinquish-var", "--smart-relinquish-var"), "it writes journals"),
            "--cursor-file": "it writes a file",
            **dict.fromkeys(("--setup-keys", "--update-catalog"), "it writes to the system"),
            **dict.fromkeys(("-M", "--machine", "--root", "--image"), "it looks at another system"),
        },
    ),
    Program(
        "systemctl",
        "state of units",
        flags("a l q", "no-pager failed all full plain no-legend quiet reverse"),
        {
            **valued(n=number(LINES), lines=number(LINES), o=NAME, output=NAME, p=_property, property=_property),
            **valued(t=FIELDS, type=FIELDS, state=FIELDS),
        },
        word=NAME,
        least=1,
        most=9,
        words=_systemctl_words,
        not_this={
            **dict.fromkeys(("-H", "--host", "-M", "--machine", "--root", "--image"), "it looks at another system"),
            "--force": "it changes units",
        },
    ),
    Program(
        "nginx",
        "whether its files are sound (-t), and what they say with everything included (-T)",
        flags("t T v V q"),
        valued(c=place_fault),
        needs=((flags("t T v V"), "without it a server is started"),),
        stderr=True,
        not_this={
            "-s": "it signals the running server",
            "-g": "it sets directives",
            "-p": "it writes below another folder",
            "-e": "it opens another log",
        },
    ),
)
