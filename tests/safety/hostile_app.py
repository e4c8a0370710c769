"""The screen on a world whose every name, message and log line is hostile; started in a pseudo-terminal by the tests.

The sources clean what they read; here they do not, so that the last door, the widgets, is what is tested.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from debugtui.app import DebugTui
from debugtui.fleet.fleet import Fleet, HostParts
from debugtui.model.source import Kind, Problem
from debugtui.sources.base import SourceError
from tests.screens.world import LOCKS, container, docker, libvirt, postgres, session, system, vm
from tests.unit.fakes import FakeLink, FakeSource

HOSTILE = (
    "[@click=app.quit]x[/]",
    "[/nope]",
    "a\x1b]52;c;T1dORUQ=\x07b",
    "a\x1b[2Jb\x1b]0;OWNED\x07",
    "a\x9d0;OWNED8bit\x9cb\x9b2J",
    "a\u202egnp.exe\u2066b",
    "a\x00b\x07c\x08d\x7fe\u200bf\ufeffg",
    "z" * 90_000,
    "漢字🙂" * 30,
    "a\udcffb",
)


def hostile_fleet() -> Fleet:
    """Return one host full of hostile text."""
    vms = [vm(f"{number} {text}", title=text, reason=text) for number, text in enumerate(HOSTILE)]
    containers = [
        container(f"{number} {text}", project=text, image=text, status=text, error=text) for number, text in enumerate(HOSTILE)
    ]
    sessions = tuple(session(100 + number, "active", text, 5, application=text) for number, text in enumerate(HOSTILE))
    locks = tuple(replace(node, application=text, query=text, lock_on=text) for node, text in zip(LOCKS, HOSTILE, strict=False))
    parts = [
        (FakeSource(Kind.SYSTEM, answer=system(HOSTILE[2], 71.0)), True),
        (FakeSource(Kind.LIBVIRT, answer=libvirt(HOSTILE[3], *vms)), True),
        (FakeSource(Kind.DOCKER, answer=docker(*containers)), True),
        (FakeSource(Kind.POSTGRES, "coach", postgres(sessions=sessions, locks=locks)), True),
        (FakeSource(Kind.POSTGRES, "broken", SourceError(Problem(HOSTILE[3], HOSTILE[4]))), True),
    ]
    return Fleet([HostParts(FakeLink("kvm-01"), parts), HostParts(FakeLink(f"b {HOSTILE[2]}"), parts[:1])], refresh=1.0)


if __name__ == "__main__":
    app = DebugTui(fleet=hostile_fleet())
    app.run()
    sys.exit(app.return_code or 0)
