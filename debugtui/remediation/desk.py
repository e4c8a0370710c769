"""The repair desk: what the screen and the command line ask for plans, approvals and executions. One for each run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from debugtui.config import paths
from debugtui.config.ask import Asker
from debugtui.config.models import Config
from debugtui.config.nginx_names import nginx_files
from debugtui.hosts.link import Link
from debugtui.model.clock import Clock, SystemClock
from debugtui.model.execution import Approval, Decision, Execution, Progress, State
from debugtui.model.plan import Plan
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.remediation import registry
from debugtui.remediation.approvals import current_person, make_approval, make_rollback_approval, read_second
from debugtui.remediation.base import Offer, PlanError, Spec, Undo
from debugtui.remediation.eyes import Eyes, Surroundings
from debugtui.remediation.place import host_of
from debugtui.remediation.planner import make_plan

if TYPE_CHECKING:
    from debugtui.remediation.engine import Engine
    from debugtui.remediation.libvirt_calls import LibvirtCalls
    from debugtui.storage.audit import AuditLog
    from debugtui.storage.journal import Journal

Tell = Callable[[Progress], None]
Decide = Callable[[Progress], Awaitable[Decision]]

#: What has no repair of its own: the kind of thing that is repaired for it.
_THROUGH: Final = {"backup": "postgres", "journal": "system"}


class Desk:
    """Plans, approves and executes. It owns the journal; links and readings belong to the caller."""

    def __init__(
        self,
        config: Config,
        asker: Asker,
        link_of: Callable[[str], Link],
        view: Callable[[str], Awaitable[FleetView]],
        *,
        operator: str = "",
        state: Path | None = None,
        clock: Clock | None = None,
        dwell: float = 1.0,
        libvirt: Callable[[str], Callable[[bool], LibvirtCalls]] | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            config: the whole configuration.
            asker: who asks the operator for a secret.
            link_of: the link of a host, by name.
            view: readings of a host, not older than a few seconds.
            operator: what the operator calls themselves; the login where empty.
            state: directory of journal, audit log and records; the user's own where None.
            clock: time.
            dwell: factor of every waiting time of a verification; 1 but in tests.
            libvirt: for a host, how libvirt is opened; None: through its link.
        """
        self._config = config
        self._asker = asker
        self._link_of = link_of
        self._view = view
        self._operator = operator
        self._state = state
        self._clock = clock or SystemClock()
        self._dwell = dwell
        self._libvirt = libvirt
        self._secrets: dict[tuple[str, str], str] = {}
        self._opening = asyncio.Lock()
        self._journal: Journal | None = None
        self._audit: AuditLog | None = None
        self._running: dict[str, Engine] = {}

    # --- what the catalogue says

    def offers(self, view: FleetView, target: Target) -> tuple[Offer, ...]:
        """Return what the catalogue says of a row, what applies first. Loads the catalogue the first time."""
        about = self._behind(target)
        found = [
            remediation.as_configured(self._config, offer)
            for remediation in registry.everything(about.kind)
            if (offer := remediation.offer(view, about)) is not None
        ]
        return tuple(sorted(found, key=lambda offer: (not offer.applies, offer.rank, offer.remediation)))

    def _behind(self, target: Target) -> Target:
        """Return what a target is repaired through: a web address by its nginx, a backup by its database, else itself."""
        if target.kind in _THROUGH:
            return Target(target.host, _THROUGH[target.kind], target.name if target.kind == "backup" else "")
        if target.kind not in ("web", "tls", "chrome"):
            return target
        host = next((one for one in self._config.hosts if one.name == target.host), None)
        web = next((one for one in host.web if one.name == target.name.partition("/")[0]), None) if host else None
        if host is None or web is None or web.nginx is None:
            return target
        return next(Target(host.name, "nginx", name) for name, path in nginx_files(host).items() if path == web.nginx)

    def spec(self, name: str) -> Spec:
        """Return what a remediation says of itself.

        Raises:
            UnknownRemediationError: there is none of that name.
        """
        return registry.get(name).spec

    # --- plans

    async def plan(self, remediation: str, target: Target, params: Mapping[str, str]) -> Plan:
        """Look at the target and make a plan; see `planner.make_plan`."""
        journal = await self._open_journal()
        unfinished = await asyncio.to_thread(journal.unfinished)
        async with self._eyes(host_of(self._config, target)) as eyes:
            return await make_plan(eyes, remediation, target, params, unfinished=unfinished)

    def approve(
        self,
        plan: Plan,
        *,
        confirmed: str = "",
        reason: str = "",
        second: Path | None = None,
        break_glass: bool = False,
    ) -> Approval:
        """Return an approval of exactly this plan by who runs this process.

        Raises:
            ApprovalError: it may not be approved, or not so.
        """
        return make_approval(
            plan,
            current_person(self._operator),
            self._clock.now(),
            confirmed=confirmed,
            reason=reason,
            second=read_second(second) if second is not None else None,
            break_glass=break_glass,
        )

    def approve_rollback(self, plan: Plan, *, confirmed: str = "", reason: str = "") -> Approval:
        """Return an approval of taking back an executed plan; see `approvals.make_rollback_approval`."""
        return make_rollback_approval(
            plan,
            current_person(self._operator),
            self._clock.now(),
            exact=self.spec(plan.remediation).undo is Undo.EXACT,
            confirmed=confirmed,
            reason=reason,
        )

    # --- executions

    async def apply(self, plan: Plan, approval: Approval, tell: Tell, decide: Decide) -> Progress:
        """Execute an approved plan; see `engine.Engine.apply`."""
        async with self._engine(host_of(self._config, plan.target), plan.id) as engine:
            return await engine.apply(plan, approval, tell, decide)

    async def rollback(self, execution: str, approval: Approval, tell: Tell, decide: Decide) -> Progress:
        """Take back a finished execution; see `engine.Engine.rollback`."""
        plan = await self.plan_of(execution)
        async with self._engine(host_of(self._config, plan.target), plan.id) as engine:
            return await engine.rollback(execution, approval, tell, decide)

    async def resume(self, execution: str, decision: Decision, tell: Tell, decide: Decide) -> Progress:
        """Look at the target of an execution that did not end, then do what was decided; see `engine.Engine.resume`."""
        plan = await self.plan_of(execution)
        async with self._engine(host_of(self._config, plan.target), plan.id) as engine:
            return await engine.resume(execution, decision, tell, decide, by=current_person(self._operator))

    def stop_after_step(self) -> None:
        """Let what runs end after its current step."""
        for engine in self._running.values():
            engine.stop_after_step()

    @property
    def busy(self) -> bool:
        """True while something is executed."""
        return bool(self._running)

    async def executions(self) -> tuple[Execution, ...]:
        """Return the newest executions, newest first."""
        journal = await self._open_journal()
        return await asyncio.to_thread(journal.executions)

    async def execution(self, number: str) -> Execution:
        """Return one execution with all its entries.

        Raises:
            PlanError: there is none of that number.
        """
        journal = await self._open_journal()
        found = await asyncio.to_thread(journal.execution, number)
        if found is None:
            raise PlanError(f"there is no execution {number!r}")
        return found

    async def plan_of(self, number: str) -> Plan:
        """Return the plan of an execution.

        Raises:
            PlanError: there is none of that number.
        """
        await self.execution(number)
        journal = await self._open_journal()
        return await asyncio.to_thread(journal.plan_of, number)

    async def approval_of(self, number: str) -> Approval:
        """Return the approval of an execution."""
        await self.execution(number)
        journal = await self._open_journal()
        return await asyncio.to_thread(journal.approval_of, number)

    async def close_unknown(self, number: str, note: str) -> None:
        """Close an execution that did not end, after a person has looked at the target.

        Raises:
            PlanError: there is none of that number, or it has ended, or the note is empty.
        """
        found = await self.execution(number)
        if found.ended:
            raise PlanError(f"{number} has ended: it is {found.state.value}")
        if found.plan in self._running:
            raise PlanError(f"{number} is being executed")
        if not note.strip():
            raise PlanError("closing takes a note: what was found at the target")
        journal = await self._open_journal()
        who = current_person(self._operator)
        detail = {"note": note.strip(), "by": who.login, "name": who.name}
        await asyncio.to_thread(journal.append, number, State.CLOSED, self._clock.now(), detail=detail)
        audit = self._open_audit()
        fields = {"execution": number, "plan": found.plan, "target": str(found.target), **detail}
        await asyncio.to_thread(audit.append, "closed", fields)

    async def close(self) -> None:
        """Close the journal. Safe to call twice."""
        journal, self._journal = self._journal, None
        if journal is not None:
            await asyncio.to_thread(journal.close)

    # --- parts

    def _surroundings(self, host: str) -> Surroundings:
        for configured in self._config.hosts:
            if configured.name == host:
                return Surroundings(
                    config=self._config,
                    host=configured,
                    link=self._link_of(host),
                    asker=self._asker,
                    view=lambda: self._view(host),
                    clock=self._clock,
                    dwell=self._dwell,
                    secrets=self._secrets,
                    libvirt=self._libvirt(host) if self._libvirt else None,
                    link_of=self._link_of,
                )
        names = ", ".join(configured.name for configured in self._config.hosts) or "none"
        raise PlanError(f"there is no host {host!r} in the configuration (there are: {names})")

    @asynccontextmanager
    async def _eyes(self, host: str) -> AsyncIterator[Eyes]:
        eyes = Eyes(self._surroundings(host))
        try:
            yield eyes
        finally:
            await eyes.close()

    @asynccontextmanager
    async def _engine(self, host: str, key: str) -> AsyncIterator[Engine]:
        from debugtui.remediation.engine import Engine

        engine = Engine(
            self._surroundings(host),
            await self._open_journal(),
            self._open_audit(),
            records=await asyncio.to_thread(self._records),
        )
        self._running[key] = engine
        try:
            yield engine
        finally:
            with contextlib.suppress(KeyError):
                del self._running[key]

    def _directory(self) -> Path:
        return paths.private_dir(self._state) if self._state is not None else paths.state_dir()

    def _records(self) -> Path:
        if self._config.repair.records is not None:
            return self._config.repair.records
        return paths.private_dir(self._directory() / "operations")

    async def _open_journal(self) -> Journal:
        from debugtui.storage.journal import Journal

        async with self._opening:
            if self._journal is None:
                self._journal = await asyncio.to_thread(lambda: Journal(self._directory() / "journal.db"))
            return self._journal

    def _open_audit(self) -> AuditLog:
        from debugtui.storage.audit import AuditLog

        if self._audit is None:
            self._audit = AuditLog(self._directory() / "audit.jsonl")
        return self._audit
