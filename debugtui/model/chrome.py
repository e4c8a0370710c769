"""What a browser saw of one page, and whether front end and logs tell the same story."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from debugtui.model.source import Gap


@dataclass(frozen=True, slots=True)
class ConsoleMessage:
    """One message of the page's console. `kind`: `exception`, `rejection`, `error`, `warning`, `issue`; `stack` is bounded."""

    kind: str
    text: str
    source: str = ""
    line: int | None = None
    column: int | None = None
    stack: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of the page.

    Attributes:
        method, url: of it; what a query holds is redacted.
        kind: `document`, `script`, `fetch`, `img`...
        status: None: no answer.
        failure: `net::ERR_CONNECTION_REFUSED`, `blocked`, `timed out`; empty where it was answered.
        ms: how long it took; None: not known.
        waited_ms: of that, until the first byte.
        size_bytes: over the wire; None: not known.
        at: when it began (UTC); None: not known.
    """

    method: str
    url: str
    kind: str = ""
    status: int | None = None
    failure: str = ""
    ms: float | None = None
    waited_ms: float | None = None
    size_bytes: int | None = None
    at: datetime | None = None

    @property
    def failed(self) -> bool:
        """Whether it was not answered, or answered with 4xx or 5xx."""
        return bool(self.failure) or (self.status is not None and self.status >= 400)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the accessibility tree, in reading order; `depth` from 0."""

    depth: int
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A screenshot: the file that it was saved to on this machine, and a small raster of it for the terminal.

    `pixels` has `height` rows of `width` 0xRRGGBB values, row after row.
    """

    path: str
    width: int
    height: int
    pixels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One failed request beside what the logs say of that moment.

    Attributes:
        request: which.
        nginx: the line of the access or error log; empty where none was found.
        container: the line of the container's log; empty where none was found.
        agrees: True: they tell the same. False: they contradict each other. None: the logs do not say.
        says: one sentence: what agrees, or what the contradiction is.
    """

    request: PageRequest
    nginx: str = ""
    container: str = ""
    agrees: bool | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class ChromeReading:
    """One page, opened in a browser.

    Attributes:
        taken_at: when the navigation began (UTC).
        url: of the page.
        fault: why it could not be opened (`net::ERR_CONNECTION_REFUSED`...); empty where it was.
        status: of the document.
        title: of the page.
        console: its messages, worst first, at most 100.
        requests: how many it made.
        failed: those that failed, at most 100.
        slowest: the slowest ten.
        request_budget_ms, lcp_budget_ms, tti_budget_ms: what is slow.
        ttfb_ms, fcp_ms, lcp_ms, tti_ms, load_ms: milliseconds since the navigation began; None where not reached.
        cls: cumulative layout shift.
        tree: the accessibility tree, at most 500 nodes.
        picture: the screenshot; None where none was made.
        stories: failed requests beside the logs.
        took_ms: the whole check.
        gaps: what could not be read.
    """

    taken_at: datetime
    url: str
    fault: str = ""
    status: int | None = None
    title: str = ""
    console: tuple[ConsoleMessage, ...] = ()
    requests: int = 0
    failed: tuple[PageRequest, ...] = ()
    slowest: tuple[PageRequest, ...] = ()
    request_budget_ms: float = 1000.0
    lcp_budget_ms: float = 2500.0
    tti_budget_ms: float = 3800.0
    ttfb_ms: float | None = None
    fcp_ms: float | None = None
    lcp_ms: float | None = None
    tti_ms: float | None = None
    load_ms: float | None = None
    cls: float | None = None
    tree: tuple[Node, ...] = ()
    picture: Picture | None = None
    stories: tuple[Story, ...] = ()
    took_ms: float = 0.0
    gaps: tuple[Gap, ...] = ()

    @property
    def errors(self) -> tuple[ConsoleMessage, ...]:
        """The messages that are errors."""
        return tuple(message for message in self.console if message.kind in ("exception", "rejection", "error"))

    @property
    def slow(self) -> tuple[PageRequest, ...]:
        """The requests beyond the budget."""
        return tuple(request for request in self.slowest if (request.ms or 0.0) > self.request_budget_ms)
