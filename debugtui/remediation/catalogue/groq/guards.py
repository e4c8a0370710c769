"""Guards that the repairs of the uses of the Groq API share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from debugtui.config.models import GroqAppConfig
from debugtui.model.groq import GroqFault, GroqReading
from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.text import line
from debugtui.remediation.catalogue.groq.api import Answer
from debugtui.remediation.catalogue.groq.common import App, faults_of

Setting = Literal["key", "model", "timeout", "retries", "concurrency"]

PASS, FAIL, UNKNOWN = GuardStatus.PASS, GuardStatus.FAIL, GuardStatus.UNKNOWN


def setting_present(app: App, settings: GroqAppConfig, which: Sequence[Setting], *, critical: bool = False) -> Guard:
    """The application has such variables now, or the configuration names them: a new one might be read by nobody.

    Args:
        app: where they are.
        settings: what the configuration says of it.
        which: the settings, as the configuration calls them.
        critical: without them nothing is done.
    """
    names = [str(getattr(settings, one)) for one in which]
    missing = [name for name in names if name not in app.values]
    if missing and not critical and settings.model_fields_set >= set(which):
        why = f"{' and '.join(missing)} is not set there now; the configuration says that the application reads it"
        return Guard("setting_present", PASS, why, "app in [[groq]]")
    if not missing:
        return Guard("setting_present", PASS, f"{' and '.join(names)} is set there now", f"{app.shown}, read just now")
    says = ", ".join(missing)
    if critical:
        why = f"{app.shown} has no variable {says}: the application takes it from elsewhere"
        return Guard("setting_present", FAIL, why, f"{len(app.values)} variables")
    why = f"{says} is not set there now, and app in [[groq]] does not name it: whether it is read is not known"
    return Guard("setting_present", UNKNOWN, why, app.shown, critical=False)


def answers(name: str, answer: Answer, good: str) -> Guard:
    """The API says yes. What is not known refuses: nothing is put into force untried."""
    if answer.fault is None:
        return Guard(name, PASS, good, f"{answer.says}, asked just now")
    known = answer.refused or answer.fault in (GroqFault.NO_MODEL, GroqFault.RATE_LIMITED, GroqFault.BAD_REQUEST)
    return Guard(name, FAIL if known else UNKNOWN, f"the API does not: {answer.fault.value}", answer.says)


def not_limited(reading: GroqReading | None, newest: Answer | None) -> Guard:
    """The API is not limiting us now: what is tried then fails for another reason, and eats what is left.

    Args:
        reading: what is known of the use; None: it is not watched.
        newest: an answer from just now; None: none was asked for.
    """
    if newest is not None and newest.fault is GroqFault.RATE_LIMITED:
        return Guard("not_rate_limited", FAIL, "the API limits us right now: wait, or limit the concurrency", newest.says)
    if reading is None:
        if newest is not None and newest.fault is None:
            return Guard("not_rate_limited", PASS, "the API answered just now", newest.says)
        return Guard("not_rate_limited", UNKNOWN, "this use of the API is not watched", critical=False)
    if GroqFault.RATE_LIMITED in faults_of(reading):
        why = "the API limits us right now: limit the concurrency first"
        return Guard("not_rate_limited", FAIL, why, line(reading.paused_why, 200) or "status 429")
    left = ", ".join(f"{one.left_percent:.0f} % of the {one.name}" for one in reading.limits) or "no headroom told"
    return Guard("not_rate_limited", PASS, "the API does not limit us", left)
