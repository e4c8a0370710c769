"""Several logs, merged by time and followed; opened for a target, for an alert at its moment, or for chosen logs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from debugtui.config.paths import cache_dir
from debugtui.model.alerts import Alert
from debugtui.model.logs import OriginState
from debugtui.model.source import FleetView
from debugtui.model.target import NO_HOSTS, Target
from debugtui.screens.console import Console, PaintedScreen
from debugtui.screens.faults import fault_words
from debugtui.screens.keys import bindings, hints
from debugtui.screens.logs.ask_time import TimeScreen
from debugtui.screens.logs.choose import SIGNS, Choice, ChooseScreen, Name
from debugtui.screens.rows.alerts import TONES as ALERT_TONES
from debugtui.sources.loglines import level_of
from debugtui.sources.logs.session import LogSession, Wanted
from debugtui.widgets.bar import Bar, Word
from debugtui.widgets.filter_bar import FilterBar
from debugtui.widgets.merged_log import MergedLog, Moment

if TYPE_CHECKING:
    from debugtui.fleet.log_origins import LogCatalogue
    from debugtui.sources.logs.origin import LogOrigin

#: Lines of each log that are read at first.
TAIL = 2_000
#: How far before a moment reading begins.
BEFORE = timedelta(minutes=5)

#: Seconds between two looks at how the logs fare.
WORDS_EVERY = 0.3

KEY_LINE = ("detail.back", "log.search", "log.filter", "log.level", "log.follow", "log.jump", "log.next_moment", "log.origins")
KEY_LINE_RIGHT = ("app.palette", "app.help")


class LogsScreen(PaintedScreen):
    """The viewer. Its worker reads; leaving the screen ends it."""

    app = getters.app(Console)
    CSS_PATH = "logs.tcss"
    AUTO_FOCUS = "MergedLog"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(binding for binding in bindings("detail") if binding.id == "detail.back"),
        Binding("at", "jump", "Go to a time", show=False, id="log.jump"),
        Binding("less_than_sign", "moment(-1)", "Alert before", show=False, id="log.previous_moment"),
        Binding("greater_than_sign", "moment(1)", "Next alert", show=False, id="log.next_moment"),
        Binding("number_sign", "origins", "Origins", show=False, id="log.origins"),
    ]

    def __init__(
        self,
        catalogue: LogCatalogue,
        origins: Sequence[LogOrigin],
        *,
        about: str,
        alert: Alert | None = None,
        left_out: int = 0,
    ) -> None:
        """Make the screen of some logs.

        Args:
            catalogue: every log.
            origins: those that are shown.
            about: what they were opened for, for the title.
            alert: at whose moment to open; None: at the end, which is followed.
            left_out: how many more concern it, which are not opened by themselves.
        """
        super().__init__()
        self._catalogue = catalogue
        self._origins = tuple(origins)
        self._about, self._alert, self._left_out = about, alert, left_out
        self._session: LogSession | None = None
        self._fault = ""
        self._since: datetime | None = None
        self._seen: dict[tuple[str, Target, datetime], Moment] = {}

    def compose(self) -> ComposeResult:
        """Header, title, the origins, the lines, filter line, key line."""
        yield Bar(id="header")
        yield Bar(id="title")
        yield Bar(id="origins")
        yield MergedLog(level_of, cache_dir(), id="merged")
        yield FilterBar(id="filter")
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Begin to read."""
        self.ready = True
        words: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE, self.app.operator_keys)]
        always: list[Word] = [(f"{key} {label}", "") for key, label in hints(KEY_LINE_RIGHT, self.app.operator_keys)]
        self.query_one("#keys", Bar).show(words, always)
        self._read(self._alert.since if self._alert is not None else None)
        self.set_interval(WORDS_EVERY, self._paint_words)

    @property
    def view(self) -> MergedLog:
        """The lines."""
        return self.query_one(MergedLog)

    # Reading

    def _read(self, at: datetime | None) -> None:
        """Read anew: the last lines, or everything from a little before a moment on."""
        self._fault = ""
        self._since = at - BEFORE if at is not None else None
        wanted = Wanted(self._since, None, None if at is not None else TAIL, follow=True)
        self._session = LogSession(self._origins, wanted, clock=self.app.clock)
        self.view.begin([one.title for one in self._origins])
        if at is not None:
            self.view.go_to(at)
        self.run_worker(self._work(self._session), name="logs", group="logs", exclusive=True, exit_on_error=False)
        self._paint_words()

    async def _work(self, session: LogSession) -> None:
        hosts = {one.target.host for one in self._origins} - NO_HOSTS
        clocks = asyncio.create_task(self._catalogue.ask_clocks(hosts), name="clocks of hosts")
        try:
            async for part in session.batches():
                self.view.feed_merged(part)
        except Exception as error:
            self._fault = fault_words(error)  # nothing comes any more: that stays on the screen
            raise
        finally:
            clocks.cancel()
            await asyncio.gather(clocks, return_exceptions=True)
            await session.close()

    # Painting

    def paint(self, view: FleetView, alerts: tuple[Alert, ...]) -> None:
        """Paint title and origins; mark the moments of alerts on the hosts of the logs."""
        hosts = {one.target.host for one in self._origins}
        for alert in alerts:
            key = (alert.rule, alert.target, alert.since)
            if alert.target.host in hosts and key not in self._seen:
                text = f"{alert.severity.value[0].upper()} {alert.target}: {alert.message}"
                own = alert == self._alert
                self._seen[key] = Moment(alert.since, alert.severity.rank, text, ALERT_TONES[alert.severity], own)
        self.view.set_moments(tuple(self._seen.values()))
        self._paint_words()

    def _paint_words(self) -> None:
        session = self._session
        if session is None or not self.is_attached:
            return
        statuses = session.statuses
        if all(status.state is not OriginState.READING for status in statuses):
            self.view.all_is_here()
        failed = [status for status in statuses if status.state is OriginState.FAILED]
        words: list[Word] = [
            (f"Logs of {self._about}", "heading"),
            (f"{len(statuses)} log{'s' if len(statuses) != 1 else ''}", "dim"),
        ]
        if self._left_out:
            words.append((f"{self._left_out} more: # chooses", "accent"))
        if self._fault:
            words.append((f"nothing more is read: {self._fault}", "bad"))
        words += [(f"{one.title}: {one.problem}", "bad") for one in failed[:2]]
        late = sum(status.late for status in statuses)
        right: list[Word] = [(f"~ {late:,} late, L reads anew", "warn")] if late > TAIL // 20 else []
        for host, clock in self._catalogue.skews({status.target.host for status in statuses}).items():
            right.append((f"clock of {host} {clock.skew_s:+.0f} s", "warn"))
        self.query_one("#title", Bar).show(words, right)
        marks: list[Word] = []
        for place, status in enumerate(statuses):
            sign, tone = SIGNS[status.state]
            hidden = place in self.view.state.hidden
            marks.append((f"{'○' if hidden else sign} {status.title} {status.lines:,}", "dim" if hidden else tone))
        self.query_one("#origins", Bar).show(marks)

    # What the operator asks for

    def action_back(self) -> None:
        """Go back; an open search or filter line closes first."""
        if not isinstance(self.focused, Input):
            self.dismiss(None)

    def action_jump(self) -> None:
        """Ask for a time, and go there."""
        self.app.push_screen(TimeScreen(self.app.clock.now), self._jump)

    def _jump(self, at: datetime | None) -> None:
        if at is None:
            return
        if self._is_held(at):
            self.view.go_to(at)
        else:
            self._read(at)

    def _is_held(self, at: datetime) -> bool:
        """Tell whether every log's lines of a time are held already: reading goes on from there to now."""
        span = self.view.span
        if span is None:
            return False
        if self._since is not None and not self.view.dropped:
            return self._since <= at
        firsts = [status.first for status in self._session.statuses if status.first is not None] if self._session else []
        return bool(firsts) and at >= max([*firsts, span[0]])

    def action_moment(self, step: int) -> None:
        """Go to when the next alert began, or the one before."""
        moments = self.view.moments
        here = self.view.cursor_time or self.app.clock.now()
        if step > 0:
            found = next((one for one in moments if one.at > here), None)
        else:
            found = next((one for one in reversed(moments) if one.at < here - timedelta(milliseconds=1)), None)
        if found is None:
            self.app.say("no alert began later" if step > 0 else "no alert began earlier")
        else:
            self._jump(found.at)

    def action_origins(self) -> None:
        """Choose which logs are shown."""
        statuses = self._session.statuses if self._session is not None else ()
        read = {(status.target, status.title): status for status in statuses}
        others = self._catalogue.everything(self.app.view)
        choices = [Choice(status.target, status.title, status.kind, status) for status in statuses]
        choices += [Choice(one.target, one.title, one.kind) for one in others if (one.target, one.title) not in read]
        shown = frozenset(name for place, name in enumerate(read) if place not in self.view.state.hidden)
        self.app.push_screen(ChooseScreen(choices, shown), self._chosen)

    def _chosen(self, names: frozenset[Name] | None) -> None:
        if names is None:
            return
        own = [(one.target, one.title) for one in self._origins]
        if names <= set(own):
            self.view.set_hidden(frozenset(place for place, name in enumerate(own) if name not in names))
            self._paint_words()
            return
        known = {(one.target, one.title): one for one in (*self._origins, *self._catalogue.everything(self.app.view))}
        self._origins = tuple(one for name, one in known.items() if name in names)
        self._about, self._left_out = _hosts_of(self._origins), 0
        here = None if self.view.follow else self.view.cursor_time
        self._read(here)

    def read_anew(self) -> None:
        """Read everything again, so that late lines stand in their place."""
        self._read(None if self.view.follow else self.view.cursor_time)

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return the line under the cursor."""
        text = self.view.current_text()
        return (text, f"log-{self._about}") if text else None


def _hosts_of(origins: Sequence[LogOrigin]) -> str:
    return ", ".join(dict.fromkeys(one.target.host for one in origins)) or "nothing"
