"""What users see, before a change and after it: the probes of the web, the browser and the Groq API side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from debugtui.config.redaction import redact
from debugtui.model.chrome import ChromeReading, ConsoleMessage, PageRequest
from debugtui.model.execution import Compared
from debugtui.model.groq import GroqReading
from debugtui.model.source import FleetView, Reading
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.model.web import WebReading
from debugtui.remediation.side_effects import Effect

#: A time counts as slower from one and a half of what it was, and so many milliseconds more: less is noise.
SLOWER, AT_LEAST_MS = 1.5, 300.0
#: Most new console errors and failed requests that are told one by one, for each page.
MOST = 5


@dataclass(frozen=True, slots=True)
class Front:
    """The comparison. `compared` is every figure, `effects` what got worse."""

    compared: tuple[Compared, ...] = ()
    effects: tuple[Effect, ...] = ()


def compare_front(before: FleetView, after: FleetView) -> Front:
    """Compare what users saw with what they see; a probe that was not looked at again says so and proves nothing."""
    was, now = _readings(before), _readings(after)
    compared: list[Compared] = []
    effects: list[Effect] = []
    for target, reading in now.items():
        old = was.get(target)
        for one, effect in _figures(target, old, reading):
            compared.append(one)
            if effect is not None:
                effects.append(effect)
    return Front(tuple(compared), tuple(effects))


def _readings(view: FleetView) -> dict[Target, Reading]:
    return {
        Target(host.name, source.kind.value, source.name): source.reading
        for host in view.hosts
        for source in host.sources
        if isinstance(source.reading, (WebReading, ChromeReading, GroqReading))
    }


_Pair = tuple[Compared, Effect | None]


def _figures(target: Target, old: Reading | None, new: Reading) -> Iterator[_Pair]:
    if old is not None and old.taken_at >= new.taken_at:
        yield Compared(str(target), "seen", "not looked at again"), None
    elif isinstance(new, WebReading):
        yield _answer(target, old if isinstance(old, WebReading) else None, new)
    elif isinstance(new, ChromeReading):
        yield from _page(target, old if isinstance(old, ChromeReading) else None, new)
    elif isinstance(new, GroqReading):
        yield _groq(target, old if isinstance(old, GroqReading) else None, new)


def _slower(old: float | None, new: float | None) -> bool:
    return old is not None and new is not None and new > old * SLOWER and new > old + AT_LEAST_MS


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _answer_text(reading: WebReading | None) -> str:
    if reading is None:
        return "not seen"
    if reading.fault is not None:
        return reading.fault.value
    wrong = [match.what for match in reading.matches if not match.ok]
    return f"{reading.status} in {_ms(reading.timing.total_ms)}" + (f", {', '.join(wrong)} not as expected" if wrong else "")


def _answer(target: Target, old: WebReading | None, new: WebReading) -> _Pair:
    broken = old is not None and old.sound and not new.sound
    slower = old is not None and _slower(old.timing.total_ms, new.timing.total_ms)
    compared = Compared(f"{target} answer", _answer_text(old), _answer_text(new), worse=broken or slower)
    if not compared.worse:
        return compared, None
    return compared, Effect(target, f"{target} answered {compared.before} before, and {compared.after} now", critical=broken)


def _page(target: Target, old: ChromeReading | None, new: ChromeReading) -> Iterator[_Pair]:
    if new.fault:
        broken = old is not None and not old.fault
        compared = Compared(f"{target} page", "opened" if broken else "not seen", line(new.fault, 100), worse=broken)
        yield compared, Effect(target, f"{target} could be opened before, and cannot now", critical=True) if broken else None
        return
    known = {_error(message) for message in old.errors} if old else set()
    fresh = [message for message in new.errors if old is not None and _error(message) not in known]
    errors = Compared(
        f"{target} console errors", _count(len(old.errors) if old else None), str(len(new.errors)), worse=bool(fresh)
    )
    says = "; ".join(_said(message) for message in fresh[:MOST])
    yield errors, Effect(target, f"new console errors on {target}: {says}", critical=True) if fresh else None
    failed = {_request(request) for request in old.failed} if old else set()
    gone = [request for request in new.failed if old is not None and _request(request) not in failed]
    requests = Compared(
        f"{target} failed requests", _count(len(old.failed) if old else None), str(len(new.failed)), worse=bool(gone)
    )
    says = "; ".join(f"{_request(request)} {request.failure or request.status}" for request in gone[:MOST])
    bad = any(request.failure or (request.status or 0) >= 500 for request in gone)
    yield requests, Effect(target, f"new failed requests on {target}: {says}", critical=bad) if gone else None
    slower = old is not None and _slower(old.lcp_ms, new.lcp_ms)
    paint = Compared(f"{target} largest paint", _ms(old.lcp_ms if old else None), _ms(new.lcp_ms), worse=slower)
    yield paint, Effect(target, f"{target} paints later: {paint.before} before, {paint.after} now", False) if slower else None


def _count(value: int | None) -> str:
    return "not seen" if value is None else str(value)


def _error(message: ConsoleMessage) -> str:
    return f"{message.kind} {message.text} {message.source}:{message.line}"


def _said(message: ConsoleMessage) -> str:
    where = f" ({message.source}:{message.line})" if message.source else ""
    return redact(line(f"{message.text}{where}", 160))


def _request(request: PageRequest) -> str:
    return redact(line(f"{request.method} {request.url.partition('?')[0]}", 160))


def _groq(target: Target, old: GroqReading | None, new: GroqReading) -> _Pair:
    def said(reading: GroqReading | None) -> str:
        if reading is None or reading.newest is None:
            return "not seen"
        return reading.newest.fault.value if reading.newest.fault else f"ok in {_ms(reading.newest.total_ms)}"

    broken = (
        old is not None
        and old.newest is not None
        and old.newest.fault is None
        and new.newest is not None
        and new.newest.fault is not None
    )
    compared = Compared(f"{target} probe", said(old), said(new), worse=broken)
    if not broken:
        return compared, None
    return compared, Effect(target, f"{target} went well before, and answers {compared.after} now", critical=False)
