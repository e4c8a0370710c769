"""Answers the script by which the system source reads a host, from the demo's figures."""

from __future__ import annotations

from collections.abc import Sequence

from debugtui.demo.host_figures import HostFigures
from debugtui.demo.shell import Answer


class SystemScript:
    """One host's answers."""

    def __init__(self, figures: HostFigures) -> None:
        self._figures = figures

    def answer(self, script: str, arguments: Sequence[str]) -> Answer | None:
        """Answer the script; None where it is another one."""
        return None
