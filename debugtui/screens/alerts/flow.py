"""From a key on an alert to what is written down: ask, then write, then say so."""

from __future__ import annotations

from datetime import timedelta

from debugtui.alerts.keeper import LONGEST_SILENCE
from debugtui.model.alerts import Alert, Silence
from debugtui.model.patterns import fits
from debugtui.screens.alerts.dialogs import AcknowledgeScreen, EndSilenceScreen, SilenceScreen
from debugtui.screens.console import Console
from debugtui.storage.problems import StorageError


def who() -> str:
    """Return who runs this program."""
    from debugtui.remediation.approvals import current_person

    return current_person().login


def begin_acknowledge(app: Console, alert: Alert) -> None:
    """Ask for a note, then acknowledge an alert."""
    app.run_worker(_acknowledge(app, alert), name="acknowledge", group="alert", exclusive=True, exit_on_error=False)


def begin_silence(app: Console, alert: Alert) -> None:
    """Ask for how long and why, then silence what an alert is about."""
    app.run_worker(_silence(app, alert), name="silence", group="alert", exclusive=True, exit_on_error=False)


def begin_end(app: Console, silence: Silence) -> None:
    """Ask, then end a silence."""
    app.run_worker(_end(app, silence), name="end silence", group="alert", exclusive=True, exit_on_error=False)


async def _acknowledge(app: Console, alert: Alert) -> None:
    spec = app.keeper.book.rules.specs.get(alert.rule)
    note = await app.push_screen_wait(AcknowledgeScreen(alert, spec.says if spec else ""))
    if note is None:
        return
    try:
        await app.keeper.acknowledge(alert.rule, alert.target, alert.severity, who(), note)
    except StorageError as error:
        app.say(str(error.problem), "bad")
    else:
        app.say(f"acknowledged: {alert.message}")
    app.repaint()


async def _silence(app: Console, alert: Alert) -> None:
    def covered(rule: str, target: str) -> int:
        return sum(fits(rule, one.rule) and fits(target, str(one.target)) for one in app.alerts)

    wish = await app.push_screen_wait(SilenceScreen(alert, covered, LONGEST_SILENCE.total_seconds()))
    if wish is None:
        return
    try:
        made = await app.keeper.silence(wish.rule, wish.target, timedelta(seconds=wish.seconds), who(), wish.reason)
    except StorageError as error:
        app.say(str(error.problem), "bad")
    else:
        app.say(f"silenced until {made.until.astimezone():%H:%M}: {made.rule} on {made.target}")
    app.repaint()


async def _end(app: Console, silence: Silence) -> None:
    if not await app.push_screen_wait(EndSilenceScreen(silence, app.clock.now())):
        return
    try:
        await app.keeper.end_silence(silence.id, who())
    except StorageError as error:
        app.say(str(error.problem), "bad")
    else:
        app.say(f"ended: the silence of {silence.rule} on {silence.target}")
    app.repaint()
