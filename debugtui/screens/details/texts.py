"""Long texts and live logs in a detail tab: fed by a worker that the screen owns and cancels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from textual.worker import Worker

from debugtui.hosts.link import LinkError
from debugtui.model.logs import LogLine
from debugtui.screens.details.base import DetailScreen
from debugtui.sources.base import SourceError
from debugtui.widgets.log_view import LogView

#: Seconds after which a log that ended is opened again: a container may have restarted.
AGAIN = 2.0


class TextScreen(DetailScreen):
    """A detail screen some of whose tabs are texts."""

    def view_of(self, name: str) -> LogView:
        """Return the text view of a tab."""
        return self.query_one(f"#log-{name}", LogView)

    def load(self, name: str, read: Callable[[], Awaitable[str]]) -> Worker[None]:
        """Read a document once and show it in a tab; what goes wrong is shown there instead."""

        async def work() -> None:
            view = self.view_of(name)
            try:
                text = await read()
            except (SourceError, LinkError) as error:
                view.replace([LogLine(str(error.problem))])
                return
            view.replace([LogLine(one) for one in text.splitlines()])

        return self.run_worker(work(), group=f"text-{name}", exclusive=True, exit_on_error=False)

    def follow(self, name: str, lines: Callable[[], AsyncIterator[Sequence[LogLine]]]) -> Worker[None]:
        """Feed a tab from a stream of lines until the screen closes; an end or a fault is said in the view itself."""

        async def work() -> None:
            view = self.view_of(name)
            try:
                async for batch in lines():
                    view.feed(batch)
            except (SourceError, LinkError) as error:
                view.feed([LogLine(f"— {error.problem}")])
            else:
                view.feed([LogLine("— end of the log; r reads it again")])

        return self.run_worker(work(), group=f"text-{name}", exclusive=True, exit_on_error=False)

    def text_to_copy(self) -> tuple[str, str] | None:
        """Return the line under the cursor of a text, else the row of a table."""
        focused = self.focused
        if isinstance(focused, LogView):
            text = focused.current_text()
            return (text, f"{self.target}-{self.tab}") if text else None
        return super().text_to_copy()
