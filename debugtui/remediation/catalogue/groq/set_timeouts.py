"""Bounds how long a call of the API may take: the client's timeout, times its tries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from debugtui.config.models import GroqConfig
from debugtui.model.groq import GroqFault
from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.text import line
from debugtui.remediation.base import NothingToDoError, Parameter, PlanError, Spec, Undo
from debugtui.remediation.catalogue.groq import guards
from debugtui.remediation.catalogue.groq.common import App, Wish, faults_of, reading_of
from debugtui.remediation.catalogue.groq.repair import PLACE_GUARDS, UNDO_SAYS, GroqRepair
from debugtui.remediation.eyes import Eyes

#: What the official client does where nothing is said: 60 s, and two more tries (`groq._constants`).
CLIENT_TIMEOUT_S, CLIENT_RETRIES = 60.0, 2

_LONGEST_S, _MOST_RETRIES = 600.0, 10
_SECONDS = re.compile(r"\d{1,3}(?:\.\d{1,3})?")


class SetTimeouts(GroqRepair):
    """See the module."""

    faults = (GroqFault.TIMEOUT, GroqFault.SLOW_FIRST_TOKEN, GroqFault.STALLED)
    meant = frozenset({408})

    spec: ClassVar[Spec] = Spec(
        name="groq.set_timeouts",
        title="Set the timeouts",
        summary="Slow calls hold up the application: bound them by a timeout and a number of retries.",
        target="groq/NAME",
        parameters=(
            Parameter("timeout", f"seconds that one try may take, up to {_LONGEST_S:.0f}"),
            Parameter("retries", f"more tries after the first, 0 to {_MOST_RETRIES}", required=False, default="1"),
        ),
        risk=(1, 3),
        undo=Undo.EXACT,
        undo_says=f"the old timeout and retries are back: {UNDO_SAYS}",
        guards=("worst_case", "setting_present", *PLACE_GUARDS),
    )

    def suggested(self) -> tuple[tuple[str, str], ...]:
        """Two tries of 20 s: an answer within 40 s, or none."""
        return (("timeout", "20"), ("retries", "1"))

    async def wish(self, eyes: Eyes, use: GroqConfig, app: App, params: Mapping[str, str]) -> Wish:
        """Compare the worst cases."""
        assert use.app is not None  # noqa: S101 - `place.host_of` has refused
        timeout, retries = params["timeout"], params["retries"]
        if not _SECONDS.fullmatch(timeout) or not 0 < float(timeout) <= _LONGEST_S:
            raise PlanError(f"timeout is a number of seconds up to {_LONGEST_S:.0f}, not {line(timeout, 40)!r}")
        if not (retries.isascii() and retries.isdigit()) or int(retries) > _MOST_RETRIES:
            raise PlanError(f"retries is a number from 0 to {_MOST_RETRIES}, not {line(retries, 40)!r}")
        names = (use.app.timeout, use.app.retries)
        changes = dict(zip(names, (timeout, retries), strict=True))
        if all(app.values.get(name) == value for name, value in changes.items()):
            raise NothingToDoError(f"{app.shown} has these timeouts already")
        was, now = _worst(app.values.get(names[0]), app.values.get(names[1])), _worst(timeout, retries)
        reading = reading_of(await eyes.view(), use.name)
        slow = reading is not None and any(fault in faults_of(reading) for fault in self.faults)
        return Wish(
            changes=changes,
            problem="its calls time out" if slow else "how long a call may take is to be bounded",
            solution=f"give up a try after {timeout} s, and try {retries} more times: {now[0]} s at worst",
            diff=(DiffPart("the worst case of one call", "text", f"{was[1]}\n", f"{now[1]}\n"),),
            guards=(_compared(was, now), guards.setting_present(app, use.app, ["timeout", "retries"])),
            irreversible=("calls under way when it is restarted are cut",),
            mitigations=(Mitigation("", "the waits between two tries come on top: 0.5 s, doubling up to 8 s"),),
        )


def _worst(timeout: str | None, retries: str | None) -> tuple[str, str]:
    """Return the worst case in seconds, and how it comes about; what is not set is the official client's own.

    The client's timeout begins again with every piece of an answer that comes: an answer that drips takes longer.
    """
    whose = " (the client's own, nothing is set)" if timeout is None and retries is None else ""
    try:
        seconds = float(timeout) if timeout is not None else CLIENT_TIMEOUT_S
        tries = (int(retries) if retries is not None else CLIENT_RETRIES) + 1
    except ValueError:
        return "?", "not known: what is set is no number"
    total = f"{seconds * tries:g}"
    return total, f"timeout {seconds:g} s x (retries {tries - 1} + 1) = {total} s{whose}"


def _compared(was: tuple[str, str], now: tuple[str, str]) -> Guard:
    if was[0] == "?":
        why = f"the present worst case is not known; it will be {now[0]} s"
        return Guard("worst_case", guards.UNKNOWN, why, was[1], critical=False)
    verb = "falls" if float(now[0]) < float(was[0]) else "rises" if float(now[0]) > float(was[0]) else "stays"
    return Guard("worst_case", guards.PASS, f"the worst case of a call {verb}: {was[0]} s now, {now[0]} s then", now[1])
