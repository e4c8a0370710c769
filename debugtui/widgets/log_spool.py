"""Bytes put away in a file without a name: it is in no folder, only this process can read it, and it ends with it.

The file is a ring of a fixed size: what is put into it last takes the place of what lies there longest.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class Spool:
    """A ring of bytes on the disk. Reading is safe from any thread."""

    def __init__(self, folder: Path, size: int) -> None:
        """Make the file.

        Args:
            folder: on whose disk it lies.
            size: bytes that it holds at most.

        Raises:
            OSError: it cannot be made there.
        """
        self._size = size
        self._next = 0
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as the spool is
        os.fchmod(self._file.fileno(), 0o600)

    @property
    def floor(self) -> int:
        """Places before this one are overwritten."""
        return self._next - self._size

    def put(self, data: bytes | bytearray) -> int:
        """Put bytes away and return their place, which never comes again.

        Raises:
            OSError: the disk is full, or they are more than the spool holds.
        """
        if len(data) > self._size:
            raise OSError("more than the spool holds")
        place = self._next
        if place % self._size + len(data) > self._size:  # never in two parts: on at the beginning
            place += self._size - place % self._size
        view = memoryview(data)
        at = place % self._size
        # What is overwritten counts as gone before it is: nobody may read a mixture.
        self._next = place + len(data)
        while view:
            written = os.pwrite(self._file.fileno(), view, at)
            view, at = view[written:], at + written
        return place

    def get(self, place: int, length: int) -> bytes | None:
        """Return bytes that were put away; None where they are gone."""
        if place < self.floor:
            return None
        try:
            data = os.pread(self._file.fileno(), length, place % self._size)
        except (OSError, ValueError):  # a bad disk, or closed meanwhile
            return None
        return data if len(data) == length and place >= self.floor else None

    def close(self) -> None:
        """Give the disk back. Safe to call twice."""
        self._file.close()
