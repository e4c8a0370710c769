"""Has the application send fewer calls at a time, where the API limits the organisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from debugtui.config.models import GroqConfig
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.text import line
from debugtui.remediation.base import NothingToDoError, Parameter, PlanError, Spec, Undo
from debugtui.remediation.catalogue.groq import guards
from debugtui.remediation.catalogue.groq.common import App, Wish, faults_of, reading_of
from debugtui.remediation.catalogue.groq.repair import PLACE_GUARDS, UNDO_SAYS, GroqRepair
from debugtui.remediation.eyes import Eyes

_MOST = 10_000


class LimitConcurrency(GroqRepair):
    """See the module."""

    faults = (GroqFault.RATE_LIMITED,)
    meant = frozenset({429})
    settles = True

    spec: ClassVar[Spec] = Spec(
        name="groq.limit_concurrency",
        title="Limit the concurrency",
        summary="The API limits the organisation (429): the application sends fewer calls at a time.",
        target="groq/NAME",
        parameters=(Parameter("concurrency", f"calls at a time, 1 to {_MOST}"),),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says=f"the old concurrency is back: {UNDO_SAYS}",
        guards=("lower_than_now", "setting_present", *PLACE_GUARDS),
    )

    async def wish(self, eyes: Eyes, use: GroqConfig, app: App, params: Mapping[str, str]) -> Wish:
        """Compare with the present one."""
        assert use.app is not None  # noqa: S101 - `place.host_of` has refused
        name, wanted = use.app.concurrency, params["concurrency"]
        if not (wanted.isascii() and wanted.isdigit()) or not 1 <= int(wanted) <= _MOST:
            raise PlanError(f"concurrency is a number from 1 to {_MOST}, not {line(wanted, 40)!r}")
        old = app.values.get(name)
        if old == wanted:
            raise NothingToDoError(f"{app.shown} sends {wanted} calls at a time already")
        reading = reading_of(await eyes.view(), use.name)
        limited = reading is not None and GroqFault.RATE_LIMITED in faults_of(reading)
        changes = {name: wanted}
        return Wish(
            changes=changes,
            problem="the API limits it (429)" if limited else "it may send too many calls at a time",
            solution=f"send {wanted} calls at a time",
            diff=(DiffPart("calls at a time", "text", f"{line(old or 'not set', 40)}\n", f"{wanted}\n"),),
            guards=(_lower(old, int(wanted), reading), guards.setting_present(app, use.app, ["concurrency"])),
            irreversible=("calls under way when it is restarted are cut; what waits then waits longer",),
            mitigations=(
                Mitigation("", "limits are the organisation's: pause other applications, batch jobs and analyses first"),
                Mitigation("groq.switch_model", "each model has limits of its own: another one may have room"),
            ),
        )


def _lower(old: str | None, wanted: int, reading: GroqReading | None) -> Guard:
    limits = reading.limits if reading is not None else ()
    left = ", ".join(f"{one.remaining} of {one.limit} {one.name} left" for one in limits)
    if old is None:
        return Guard("lower_than_now", guards.PASS, f"no limit is set now; it will be {wanted} calls at a time", left)
    if not (old.isascii() and old.isdigit()):
        why = "how many calls it sends at a time now is not known"
        return Guard("lower_than_now", guards.UNKNOWN, why, left, critical=False)
    if wanted > int(old):
        return Guard("lower_than_now", guards.FAIL, f"it sends {int(old)} at a time now: {wanted} would be more", left)
    return Guard("lower_than_now", guards.PASS, f"{wanted} instead of {int(old)} calls at a time", left)
