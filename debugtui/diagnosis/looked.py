"""What a second look brought, beside the readings."""

from __future__ import annotations

from dataclasses import dataclass

from debugtui.diagnosis.clues import Clue
from debugtui.diagnosis.surroundings import Process, Space, Stopped


@dataclass(frozen=True, slots=True)
class Looked:
    """What targeted looks found: lines of logs, what takes space, busy processes, stopped ones. Empty: nobody looked again."""

    clues: tuple[Clue, ...] = ()
    spaces: tuple[Space, ...] = ()
    processes: tuple[Process, ...] = ()
    stopped: tuple[Stopped, ...] = ()
