"""What storing can fail with."""

from __future__ import annotations

from debugtui.model.source import Problem


class StorageError(Exception):
    """Something could not be written or read. `problem` is ready to show."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class OpenExecutionError(StorageError):
    """Another execution on the same target has not ended."""
