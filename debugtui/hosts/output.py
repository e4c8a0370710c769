"""What a command writes, kept up to a limit while it arrives."""

from __future__ import annotations


class Output:
    """Keeps the first `limit` bytes and drops the rest at once, so that memory stays bounded."""

    __slots__ = ("_data", "_limit", "truncated")

    def __init__(self, limit: int) -> None:
        self._data = bytearray()
        self._limit = limit
        #: Whether something was dropped.
        self.truncated = False

    def add(self, data: bytes) -> None:
        """Take what arrived."""
        room = self._limit - len(self._data)
        if len(data) > room:
            self.truncated = True
            data = data[: max(0, room)]
        self._data += data

    def __bytes__(self) -> bytes:
        return bytes(self._data)
