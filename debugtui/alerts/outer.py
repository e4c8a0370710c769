"""The rules of the outer layers, by the kind of their readings."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts import chrome, groq, nginx, tls, web
from debugtui.alerts.finding import Finding
from debugtui.alerts.settings import DEFAULT, Rules
from debugtui.model.chrome import ChromeReading
from debugtui.model.groq import GroqReading
from debugtui.model.nginx import NginxReading
from debugtui.model.source import Freshness, SourceStatus
from debugtui.model.target import Target
from debugtui.model.tls import TlsReading
from debugtui.model.web import WebReading


def of_outer(status: SourceStatus, rules: Rules = DEFAULT) -> Iterator[Finding]:
    """Yield what the rules find in the reading of an outer layer; what is lost is not judged."""
    yield from rules.settled(_of_outer(status, rules))


def _of_outer(status: SourceStatus, rules: Rules) -> Iterator[Finding]:
    if status.freshness in (Freshness.LOST, Freshness.OFF):
        return
    target, reading = Target(status.host, status.kind.value, status.name), status.reading
    if isinstance(reading, WebReading):
        yield from web.findings(target, reading, rules)
    elif isinstance(reading, TlsReading):
        yield from tls.findings(target, reading, rules)
    elif isinstance(reading, NginxReading):
        yield from nginx.findings(target, reading, rules)
    elif isinstance(reading, ChromeReading):
        yield from chrome.findings(target, reading, rules)
    elif isinstance(reading, GroqReading):
        yield from groq.findings(target, reading, rules)
