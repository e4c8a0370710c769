"""What the repair screens ask for; `remediation.desk.Desk` answers it, tests give their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from debugtui.model.execution import Approval, Decision, Execution, Progress
from debugtui.model.plan import Plan
from debugtui.model.source import FleetView
from debugtui.model.target import Target

if TYPE_CHECKING:
    from debugtui.remediation.base import Offer, Spec

Tell = Callable[[Progress], None]
Decide = Callable[[Progress], Awaitable[Decision]]


class RepairDesk(Protocol):
    """Plans, approves and executes; see `remediation.desk.Desk`."""

    def offers(self, view: FleetView, target: Target) -> tuple[Offer, ...]:
        """Return what the catalogue says of a row; may block for 100 ms."""
        ...

    def spec(self, name: str) -> Spec:
        """Return what a remediation says of itself."""
        ...

    async def plan(self, remediation: str, target: Target, params: Mapping[str, str]) -> Plan:
        """Look at the target and make a plan."""
        ...

    def approve(
        self, plan: Plan, *, confirmed: str = "", reason: str = "", second: Path | None = None, break_glass: bool = False
    ) -> Approval:
        """Return an approval of exactly this plan."""
        ...

    async def apply(self, plan: Plan, approval: Approval, tell: Tell, decide: Decide) -> Progress:
        """Execute an approved plan."""
        ...

    def stop_after_step(self) -> None:
        """Let what runs end after its current step."""
        ...

    async def executions(self) -> tuple[Execution, ...]:
        """Return the newest executions, newest first."""
        ...

    async def resume(self, execution: str, decision: Decision, tell: Tell, decide: Decide) -> Progress:
        """Settle an execution that did not end."""
        ...

    async def plan_of(self, number: str) -> Plan:
        """Return the plan of an execution."""
        ...

    async def close_unknown(self, number: str, note: str) -> None:
        """Close an execution that did not end."""
        ...
