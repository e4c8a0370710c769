"""Stands in for a server that is not there: answers every client with the reason, as PostgreSQL itself would say it."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

# Frontend/backend protocol 3.0: request codes that ask for encryption, answered with N for no.
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_LONGEST_STARTUP = 10_000
_LIMIT = 10.0

#: SQLSTATE: system_error, and cannot_connect_now.
SYSTEM_ERROR, STARTING = "58000", "57P03"


class AbsentPostgres:
    """Listens on the socket of the missing server."""

    def __init__(self, path: Path, reason: str, *, code: str = SYSTEM_ERROR) -> None:
        """Prepare; `reason` is one sentence, `code` the SQLSTATE."""
        self._path, self._reason, self._code = path, reason, code
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._refuse, self._path)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._path.unlink(missing_ok=True)
            self._server = None

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_LIMIT):
                while await self._asks_for_encryption(reader):
                    writer.write(b"N")
                writer.write(refusal(self._reason, self._code))
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
            return  # not a PostgreSQL client
        finally:
            writer.close()

    @staticmethod
    async def _asks_for_encryption(reader: asyncio.StreamReader) -> bool:
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        if not 8 <= length <= _LONGEST_STARTUP:
            raise ValueError("no startup message")
        body = await reader.readexactly(length - 4)
        return struct.unpack("!I", body[:4])[0] in (_SSL_REQUEST, _GSS_REQUEST)


def refusal(reason: str, code: str) -> bytes:
    """Return an ErrorResponse: FATAL, the SQLSTATE, the reason."""
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", code), ("M", reason))
    body = b"".join(f"{kind}{text}\0".encode() for kind, text in fields) + b"\0"
    return b"E" + struct.pack("!I", len(body) + 4) + body
