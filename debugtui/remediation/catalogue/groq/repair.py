"""What every repair of a use of the Groq API is: some settings of its application change, in a container or in a file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from debugtui.config.models import Config, GroqConfig
from debugtui.model.groq import GroqFault
from debugtui.model.plan import Guard
from debugtui.model.source import FleetView
from debugtui.model.target import GROQ, Target
from debugtui.model.text import line
from debugtui.remediation.base import Done, Draft, Job, LiveCheck, LiveStep, Offer, PlanError, Remediation
from debugtui.remediation.catalogue.groq.api import DEADLINE_S
from debugtui.remediation.catalogue.groq.checks import log_is_calm
from debugtui.remediation.catalogue.groq.common import App, Place, Wish, faults_of, groq_target, in_force, reading_of
from debugtui.remediation.catalogue.groq.container import ContainerApp, ContainerPlace
from debugtui.remediation.catalogue.groq.file import FileApp, FilePlace
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.remediation.place import container_of, host_of, use_of

#: Guards of where the settings live: of a container, of a file, of a unit.
CONTAINER_GUARDS = (
    "not_auto_remove", "not_being_removed", "not_paused", "not_managed", "logs_read", "image_local", "network_shared",
    "replicas", "dependants", "dead_man",
)  # fmt: skip
FILE_GUARDS = ("file_ours", "file_plain", "unit_known", "privilege", "not_protected", "not_looping")
PLACE_GUARDS = (*CONTAINER_GUARDS, *FILE_GUARDS)

UNDO_SAYS = "the old container, or the old file, is kept, and put back; what runs with it is started again"


class GroqRepair(Remediation):
    """One of them.

    Attributes:
        faults: which faults on the screen it is the usual way out of.
        meant: statuses in the application's log that it is to end.
        settles: whether those may go on for a while before they end.
    """

    faults: ClassVar[tuple[GroqFault, ...]]
    meant: ClassVar[frozenset[int]]
    settles: ClassVar[bool] = False

    # --- the screen

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """Judge from what fails now."""
        if target.kind != GROQ:
            return None
        reading = reading_of(view, target.name)
        if reading is None:
            return None
        found = faults_of(reading)
        fitting = [fault for fault in self.faults if fault in found]
        if fitting:
            return Offer(self.spec.name, target, True, f"its calls fail: {fitting[0].value}", self.suggested(), rank=0)
        return Offer(self.spec.name, target, True, "nothing says that it is needed", self.suggested(), rank=60)

    def suggested(self) -> tuple[tuple[str, str], ...]:
        """Return parameters that are a good beginning."""
        return ()

    def as_configured(self, config: Config, offer: Offer) -> Offer:
        """It does not apply where the configuration does not say where the application keeps its settings."""
        try:
            host_of(config, offer.target)
        except PlanError as error:
            return replace(offer, applies=False, why=str(error))
        return offer

    # --- the plan

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        use = use_of(eyes.config, target.name)
        app = await _app(eyes, use)
        wish = await self.wish(eyes, use, app, params)
        base = await app.draft(eyes, wish.changes)
        own: dict[str, object] = {"app": app.kind, "changes": str(app.changed), "use": use.name}
        return Draft(
            target=groq_target(use.name),
            problem=f"groq/{use.name}: {wish.problem}",
            solution=f"{wish.solution}, in {app.shown}",
            factors=base.factors,
            identity={**base.identity, "api": line(use.base_url, 300)},
            data={**base.data, "in_force": in_force(wish.changes, ""), **own, **wish.data, "log": _readable(base)},
            diff=(*wish.diff, *base.diff),
            guards=(*wish.guards, *base.guards),
            irreversible=(*wish.irreversible, *base.irreversible),
            mitigations=(*wish.mitigations, *base.mitigations),
            stop=base.stop,
            expected=base.expected,
        )

    @abstractmethod
    async def wish(self, eyes: Eyes, use: GroqConfig, app: App, params: Mapping[str, str]) -> Wish:
        """Say what is to change.

        Raises:
            PlanError, NothingToDoError: nothing can or need be changed.
        """

    # --- the steps

    async def try_again(self, hands: Hands, job: Job) -> None:
        """Try right before anything is changed what the plan tried.

        Raises:
            StaleError: it does not hold any more.
        """

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Those of the container or the file; what the plan tried is tried again before the first."""
        first, *rest = _place(job).steps()
        run = first.run

        async def tried(hands: Hands) -> Done:
            await self.try_again(hands, job)
            return await run(hands)

        return (replace(first, run=tried, timeout_s=first.timeout_s + 2 * int(DEADLINE_S)), *rest)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The old container, or the old file, comes back."""
        return _place(job).undo()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The settings are in force, the application runs, the API answers, and the log is calm."""
        place = _place(job)
        found = [*place.checks(), *self.api_checks(job)]
        if job.data["log"]:
            found.append(log_is_calm(place, str(job.data["use"]), self.meant, settles=self.settles))
        return tuple(found)

    def api_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Return what the API itself has to say afterwards."""
        return ()

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Everything is as before."""
        return _place(job).undo_checks()

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """What was kept is still there."""
        return await _place(job).undo_guards(eyes)


async def _app(eyes: Eyes, use: GroqConfig) -> App:
    container = container_of(use)
    if container is not None:
        return await ContainerApp.found(eyes, container)
    assert use.app is not None  # noqa: S101 - `host_of` has refused
    return await FileApp.found(eyes, use.app)


def _place(job: Job) -> Place:
    return ContainerPlace(job) if job.data["app"] == "container" else FilePlace(job)


def _readable(base: Draft) -> bool:
    """Return whether the application's log can be read: a check of it would otherwise never end."""
    if "log" in base.data:
        return base.data["log"] is True
    return all(guard.status.value == "pass" for guard in base.guards if guard.name == "logs_read")
