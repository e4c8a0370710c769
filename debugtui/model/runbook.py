"""What running a runbook left: each step, what was really run, what came, and how it was judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from debugtui.model.diagnosis import Offer
from debugtui.model.target import Target


class StepVerdict(StrEnum):
    """How a step was judged.

    ok, warning, critical: by its thresholds. unknown: it could not be read, or what came holds nothing to judge. shown: nothing
    is judged, a person reads it or does it. skipped: it does not apply to this target.
    """

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"
    SHOWN = "shown"
    SKIPPED = "skipped"


#: From the mildest to the worst; what is not known is worse than a warning, as in `check`.
_ORDER = (
    StepVerdict.SKIPPED,
    StepVerdict.SHOWN,
    StepVerdict.OK,
    StepVerdict.WARNING,
    StepVerdict.UNKNOWN,
    StepVerdict.CRITICAL,
)
_EXIT = {StepVerdict.WARNING: 1, StepVerdict.CRITICAL: 2, StepVerdict.UNKNOWN: 3}


def worst(verdicts: Iterable[StepVerdict]) -> StepVerdict:
    """Return the worst of some verdicts: critical before unknown before warning; `skipped` where there is none."""
    return max(verdicts, key=_ORDER.index, default=StepVerdict.SKIPPED)


def exit_code(verdict: StepVerdict) -> int:
    """Return the exit code of a monitoring plugin: 0 ok, 1 warning, 2 critical, 3 unknown."""
    return _EXIT.get(verdict, 0)


@dataclass(frozen=True, slots=True)
class StepRun:
    """One step as it was run.

    Attributes:
        number: of the step, from 1.
        id: the step's own name in its runbook.
        title: what it looks at.
        kind: `reading`, `command`, `sql`, `logs`, `query`, `http` or `note`.
        places: the things that it was run on.
        ran: what was really run, one line for each place; empty where nothing was.
        output: what came, cleaned and redacted; cut where it is long.
        verdict: how it was judged.
        says: one sentence with the figure and the threshold, or why nothing is known.
        figure: what was judged, where it is a number.
        means: what the verdict means.
        todo: what to do next, one line each.
        next: id of the step to look at next; empty: the one below.
        offers: what would answer it; planning it is the next step, never less.
        took_ms: milliseconds.
        at: when it began (UTC).
    """

    number: int
    id: str
    title: str
    kind: str
    at: datetime
    verdict: StepVerdict
    places: tuple[Target, ...] = ()
    ran: tuple[str, ...] = ()
    output: str = ""
    says: str = ""
    figure: float | None = None
    means: str = ""
    todo: tuple[str, ...] = ()
    next: str = ""
    offers: tuple[Offer, ...] = ()
    took_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class RunbookRun:
    """One use of a runbook on a target: the newest run of each step that was run.

    Attributes:
        id: `run_` and 26 characters.
        runbook: its name.
        title: its title.
        target: what it was used on.
        service: of the catalogue, where it was used on one; else empty.
        operator: who ran it.
        started_at: when the first step began (UTC).
        steps: in the order of the runbook.
    """

    id: str
    runbook: str
    title: str
    target: Target
    started_at: datetime
    service: str = ""
    operator: str = ""
    steps: tuple[StepRun, ...] = ()

    @property
    def verdict(self) -> StepVerdict:
        """The worst of its steps."""
        return worst(step.verdict for step in self.steps)

    def step(self, number: int) -> StepRun | None:
        """Return the run of one step; None where it was not run."""
        return next((step for step in self.steps if step.number == number), None)


def run_from_json(value: object) -> RunbookRun:
    """Return the run that `jsonable` made a document of.

    Raises:
        ValueError: it is no such document.
    """
    try:
        document = _table(value)
        return RunbookRun(
            id=str(document["id"]),
            runbook=str(document["runbook"]),
            title=str(document["title"]),
            target=Target.parse(str(document["target"])),
            started_at=_time(document["started_at"]),
            service=str(document["service"]),
            operator=str(document["operator"]),
            steps=tuple(_step(step) for step in _list(document["steps"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no run of a runbook: {type(error).__name__}") from error


def _step(value: object) -> StepRun:
    step = _table(value)
    figure = step["figure"]
    if figure is not None and (isinstance(figure, bool) or not isinstance(figure, int | float)):
        raise TypeError("figure")
    return StepRun(
        number=int(str(step["number"])),
        id=str(step["id"]),
        title=str(step["title"]),
        kind=str(step["kind"]),
        at=_time(step["at"]),
        verdict=StepVerdict(str(step["verdict"])),
        places=tuple(Target.parse(str(place)) for place in _list(step["places"])),
        ran=tuple(str(one) for one in _list(step["ran"])),
        output=str(step["output"]),
        says=str(step["says"]),
        figure=None if figure is None else float(figure),
        means=str(step["means"]),
        todo=tuple(str(one) for one in _list(step["todo"])),
        next=str(step["next"]),
        offers=tuple(_offer(one) for one in _list(step["offers"])),
        took_ms=float(str(step["took_ms"])),
    )


def _offer(value: object) -> Offer:
    offer = _table(value)
    pairs = [_list(pair) for pair in _list(offer["params"])]
    return Offer(
        str(offer["name"]), Target.parse(str(offer["target"])), tuple((str(name), str(given)) for name, given in pairs)
    )


def _time(value: object) -> datetime:
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError("a table is missing")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return value
