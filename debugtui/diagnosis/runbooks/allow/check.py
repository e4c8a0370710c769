"""Whether a command only looks. Asked when a runbook is loaded, and again with the values of a target before it is sent."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.config.faults import nearest
from debugtui.diagnosis.runbooks.allow.program import NotAllowedError
from debugtui.diagnosis.runbooks.allow.refused import REFUSED
from debugtui.diagnosis.runbooks.allow.table import PROGRAMS

__all__ = ["ENVIRONMENT", "MOST", "NotAllowedError", "check_command", "real_command"]

#: Most arguments, and most characters of one.
MOST, LONGEST = 40, 1_000

#: The whole environment of a command: programs of the system's own folders, in English, with no pager and nobody's settings.
ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin",
    "LC_ALL=C",
    "PAGER=cat",
    "SYSTEMD_PAGER=cat",
    "SYSTEMD_COLORS=0",
    "COLUMNS=200",
)


def check_command(argv: Sequence[str]) -> None:
    """See that a command is a program of the list with arguments that only look.

    Raises:
        NotAllowedError: it is not.
    """
    if not argv or not argv[0]:
        raise NotAllowedError("a command is a list of a program and its arguments")
    name, arguments = argv[0], argv[1:]
    program = PROGRAMS.get(name)
    if program is None:
        raise NotAllowedError(_stranger(name))
    if len(arguments) > MOST:
        raise NotAllowedError(f"{name} has more than {MOST} arguments")
    for argument in arguments:
        if not argument or len(argument) > LONGEST or not argument.isprintable():
            raise NotAllowedError(f"{name}: an argument is empty, longer than {LONGEST} characters, or holds hidden signs")
    program.check(arguments)


def _stranger(name: str) -> str:
    if "/" in name:
        return f"{name!r}: a program is called by its name; it is found in the system's own folders"
    if name in REFUSED:
        return f"{name!r} is not allowed: {REFUSED[name]}"
    near = nearest(name, tuple(PROGRAMS))
    return f"{name!r} is no program of the allow list" + (f"; did you mean {near!r}?" if near else "")


def real_command(argv: Sequence[str]) -> tuple[str, ...]:
    """Return what is sent: the command in a fixed environment, at the lowest priority where it may read much."""
    slowly = ("nice", "-n", "19") if PROGRAMS[argv[0]].heavy else ()
    return ("env", "-i", *ENVIRONMENT, *slowly, *argv)
