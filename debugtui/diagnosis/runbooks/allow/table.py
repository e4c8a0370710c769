"""The programs that a runbook may run, each with the arguments that are known only to look; docs/runbooks.md lists them."""

from __future__ import annotations

from debugtui.diagnosis.runbooks.allow import machine, network, reading, units
from debugtui.diagnosis.runbooks.allow.program import Program

PROGRAMS: dict[str, Program] = {
    program.name: program for room in (machine, reading, units, network) for program in room.PROGRAMS
}
