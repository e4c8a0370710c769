"""What is wrong with a web address."""

from __future__ import annotations

from collections.abc import Iterator

from debugtui.alerts.rules import Finding
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.web import WebReading

#: From this share of failed probes in ten minutes on an address that answers now is called unsteady.
UNSTEADY = 0.1


def findings(target: Target, reading: WebReading) -> Iterator[Finding]:
    """Yield what is wrong."""
    if reading.fault is not None:
        says = f"{reading.url} does not answer ({reading.fault.value}): {reading.fault_says}"
        yield Finding(Severity.CRITICAL, "web_down", target, says)
        return
    for match in reading.matches:
        if match.ok:
            continue
        if match.what == "status":
            severity = Severity.CRITICAL if (reading.status or 0) >= 500 else Severity.HIGH
            says = f"{reading.url} answers {reading.status} {reading.reason}".rstrip() + f", expected {match.wanted}"
            yield Finding(severity, "web_status", target, says, reading.status, float(match.wanted))
        else:
            rule = "web_body" if match.what == "body" else "web_json"
            says = f"{reading.url}: {match.what} is {match.found!r}, expected {match.wanted!r}"
            yield Finding(Severity.HIGH, rule, target, says)
    first = reading.timing.first_byte_ms
    if first is not None and first > reading.first_byte_budget_ms:
        says = (
            f"{reading.url} is slow: first byte after {first / 1000:.1f} s (budget {reading.first_byte_budget_ms / 1000:g} s)"
        )
        yield Finding(Severity.MEDIUM, "web_slow", target, says, first, reading.first_byte_budget_ms)
    if reading.sound and (reading.failed_share or 0.0) > UNSTEADY:
        share = reading.failed_share or 0.0
        says = f"{reading.url} answers now, but {100 * share:.0f} % of the probes of ten minutes failed"
        yield Finding(Severity.MEDIUM, "web_unsteady", target, says, share, UNSTEADY)
