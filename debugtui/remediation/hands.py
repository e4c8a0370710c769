"""Write access to one host, for the steps of one approved plan. Only the engine makes it.

Write credentials are opened when a step asks for them, for that step, and closed after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from debugtui.config.secrets import resolve
from debugtui.hosts.link import CommandResult
from debugtui.model.execution import Approval
from debugtui.model.plan import Plan
from debugtui.model.source import Problem
from debugtui.remediation.eyes import CALL_LIMIT, Eyes, Surroundings
from debugtui.sources.base import SourceError

if TYPE_CHECKING:
    import asyncpg

    from debugtui.remediation.engine_writer import EngineWriter
    from debugtui.remediation.libvirt_calls import LibvirtCalls

T = TypeVar("T")

#: Seconds to open a write connection.
CONNECT_LIMIT = 8.0


class NotApprovedError(RuntimeError):
    """A fault of ours: somebody wanted to write without an approval of that plan."""


class Hands(Eyes):
    """Eyes that may also change things, for one step of one plan.

    Attributes:
        plan: the approved plan.
        step: the number of the step, from 1; `0` for the rollback's preparation; rollback steps are `r1`, `r2`...
        results: what earlier steps left (`Done.facts`).
        tell: says on the screen what is going on, one line.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        plan: Plan,
        approval: Approval,
        step: str,
        results: Mapping[str, object],
        tell: Callable[[str], None],
    ) -> None:
        if approval.digest != plan.digest or approval.plan != plan.id or approval.fingerprint != plan.before.fingerprint:
            raise NotApprovedError(f"no approval of {plan.id}")
        super().__init__(surroundings)
        self.plan = plan
        self.step = step
        self.results = dict(results)
        self.tell = tell
        self._writer: EngineWriter | None = None
        self._libvirt_write: LibvirtCalls | None = None

    @property
    def mark(self) -> str:
        """What names this step on the target: `debugtui:<plan>/<step>`; also the application name of its database session."""
        return f"debugtui:{self.plan.id[-10:].lower()}/{self.step}"

    async def close(self) -> None:
        """Release everything. Safe to call twice."""
        writer, self._writer = self._writer, None
        libvirt, self._libvirt_write = self._libvirt_write, None
        with contextlib.suppress(Exception):
            if writer is not None:
                await writer.close()
            if libvirt is not None:
                await libvirt.close()
        await super().close()

    # --- the host itself

    async def command(self, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b"") -> CommandResult:
        """Run a command that changes the host, detached from this connection; return what it left.

        It runs on even where the link is lost, at most `timeout_s` seconds, and leaves its output and status on the host under
        this step's mark. Called again for the same step it is not run again: what it left is returned.

        Raises:
            CommandTimeoutError: the host ended it.
            LinkError: the link broke; it may still run there (`remote.detached.look` tells).
        """
        from debugtui.remediation.remote import detached

        return await detached.run(self.link, self.mark, argv, timeout_s=timeout_s, stdin=stdin)

    # --- PostgreSQL

    @asynccontextmanager
    async def repair(self, database: str, settings: Mapping[str, str] | None = None) -> AsyncIterator[asyncpg.Connection[Any]]:
        """Open a connection with the repair role, in autocommit, and close it after the block.

        `application_name` is this step's mark. From PostgreSQL 14 on the server ends the statement within two seconds after we
        are gone. Send one statement per message.

        Args:
            database: its configured name.
            settings: set for the session, each in a message of its own, `statement_timeout` and the like.

        Raises:
            SourceError: no repair role is configured, or it cannot connect.
            SecretError: its password cannot be had.
            LinkError: the link is not up.
        """
        from debugtui.remediation.repair_session import open_repair

        configured = self.database(database)
        if configured.repair_dsn is None:
            raise SourceError(
                Problem(f"no repair role is configured for {database}", "repair_dsn in [[hosts.postgres]] names it")
            )
        password = None
        if configured.repair_password is not None:
            password = await resolve(
                configured.repair_password,
                name=f"repair password of {self.host.name}/postgres/{database}",
                purpose=f"to apply {self.plan.remediation} to {self.plan.target}",
                asker=self.around.asker,
            )
        connection = await open_repair(self.link, configured.repair_dsn, password, self.mark, settings or {})
        try:
            yield connection
        finally:
            try:
                await connection.close(timeout=1.0)
            except Exception:  # noqa: BLE001 - whatever closing says, the connection must go
                connection.terminate()

    # --- Docker

    async def engine(self) -> EngineWriter:
        """Return a client of the engine that can also POST and DELETE; it is closed with this object."""
        from debugtui.remediation.engine_writer import EngineWriter

        async with self._opening:
            if self._writer is None:
                self._writer = await EngineWriter.open(self.link, self.docker_socket)
            return self._writer

    # --- libvirt

    async def libvirt_write(self, function: Callable[[Any], T], limit: float = CALL_LIMIT) -> T:
        """As `libvirt`, with a read-write `virConnect`. After a SourceError libvirt may have done it all the same."""
        async with self._opening:
            if self._libvirt_write is None:
                self._libvirt_write = self._open_libvirt_write()
        return await self._libvirt_write.call(function, limit)

    def _open_libvirt_write(self) -> LibvirtCalls:
        from debugtui.remediation.libvirt_calls import LinkCalls

        if self.around.libvirt is not None:
            return self.around.libvirt(True)
        return LinkCalls(self.link, self.libvirt_uri, write=True)
