"""A source that is lost while what uses it answers well: then we do not reach it, and it is not down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debugtui.diagnosis.anomaly import Anomaly
from debugtui.diagnosis.reach import Reach
from debugtui.model.diagnosis import Undecided
from debugtui.model.source import FleetView, Freshness, Kind
from debugtui.model.target import Target
from debugtui.model.web import WebReading

#: What makes a lost source a fault of its own.
_LOST = ("lost_down", "lost_hangs")


def without_contradicted(
    anomalies: Sequence[Anomaly], view: FleetView, reach: Reach
) -> tuple[tuple[Anomaly, ...], tuple[Undecided, ...]]:
    """Return the anomalies without those that a witness contradicts, and what is then asked instead."""
    witnesses = list(_witnesses(view))
    kept, questions = [], []
    for anomaly in anomalies:
        seen_by = next((name for name in witnesses if _rests(reach, name, anomaly)), None) if anomaly.rule in _LOST else None
        if seen_by is None:
            kept.append(anomaly)
            continue
        question = (
            f"why can {anomaly.target} not be read? {seen_by}, which uses it, answers well: the way there may be misconfigured"
        )
        questions.append(Undecided(question, f"{anomaly.target}: its address and login in the configuration, tried by hand"))
    return tuple(kept), tuple(questions)


def _witnesses(view: FleetView) -> Iterator[Target]:
    """Yield the web addresses that say by themselves that what they use is well: the answer holds more than a page."""
    for host in view.hosts:
        for status in host.sources:
            reading = status.reading
            if status.freshness is not Freshness.LIVE or not isinstance(reading, WebReading) or not reading.sound:
                continue
            if any(match.what.startswith("json") for match in reading.matches):
                yield Target(host.name, Kind.WEB, status.name)


def _rests(reach: Reach, witness: Target, anomaly: Anomaly) -> bool:
    way = reach.below(witness).get(anomaly.node)
    return way is not None and way.certain
