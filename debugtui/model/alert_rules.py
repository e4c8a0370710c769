"""What a rule of alerting is, as data: what it counts, from where on it speaks, how long that must last, where it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from debugtui.model.alerts import Severity
from debugtui.model.patterns import fits
from debugtui.model.target import Target
from debugtui.model.topology import Layer


@dataclass(frozen=True, slots=True)
class Level:
    """One severity of a rule that counts: it begins beyond `threshold`, and ends at `clear`, on the way back."""

    severity: Severity
    threshold: float
    clear: float


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule.

    Attributes:
        name: stable; configurations, silences and documents name it.
        says: what it means, one sentence.
        layer: where what it is about stands.
        severities: those that it can have, worst first.
        metric: the figure that it looks at; empty where it looks at a state.
        unit: of the figure and of its thresholds.
        above: whether it speaks above its threshold, or below.
        levels: worst first; empty where it counts nothing, or where the threshold comes with the reading.
        budget: the configuration key that holds the threshold, which then comes with the reading; empty: none does.
        clear_share: with a budget: the share of it at which the rule ends.
        for_s: how long it must last before it is an alert, in seconds.
        clear_s: how long it must be gone before the alert ends, in seconds.
        least: the fewest of `least_of` that the figure is judged from.
        least_of: what has to be there for the figure to say something; empty: nothing.
    """

    name: str
    says: str
    layer: Layer
    severities: tuple[Severity, ...]
    metric: str = ""
    unit: str = ""
    above: bool = True
    levels: tuple[Level, ...] = ()
    budget: str = ""
    clear_share: float = 1.0
    for_s: float = 0.0
    clear_s: float = 0.0
    least: float = 0.0
    least_of: str = ""

    @property
    def counts(self) -> bool:
        """Whether it compares a figure with a threshold."""
        return bool(self.levels or self.budget)


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator changed of a rule; None: nothing.

    Attributes:
        threshold: one number, or one for each severity.
        clear: where it ends: one number, or one for each severity.
        clear_s: how long it must be gone, in seconds.
        for_s: how long it must last, in seconds.
        severity: instead of its own.
        enabled: False: it says nothing.
        hosts, targets: patterns of what this is about; empty: everything.
    """

    threshold: float | Mapping[Severity, float] | None = None
    clear: float | Mapping[Severity, float] | None = None
    clear_s: float | None = None
    for_s: float | None = None
    severity: Severity | None = None
    enabled: bool = True
    hosts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def everywhere(self) -> bool:
        """Whether it is about everything."""
        return not self.hosts and not self.targets

    def is_about(self, target: Target) -> bool:
        """Tell whether a target is meant."""
        return about(self.hosts, self.targets, target)


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule of the operator's own; its thresholds are those of `spec`.

    Attributes:
        spec: the rule.
        metric: `KIND.FIGURE`, a figure of the readings; empty: it asks a Prometheus.
        prometheus, query: which one, and what.
        message: how the alert words itself; `{value}`, `{threshold}` and `{target}` are filled in. Empty: our own words.
        hosts, targets: patterns of what it is about; empty: everything that has the figure.
    """

    spec: RuleSpec
    metric: str = ""
    prometheus: str = ""
    query: str = ""
    message: str = ""
    hosts: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def is_about(self, target: Target) -> bool:
        """Tell whether a target is meant."""
        return about(self.hosts, self.targets, target)


def about(hosts: tuple[str, ...], targets: tuple[str, ...], target: Target) -> bool:
    """Tell whether a target fits patterns of hosts and of targets; no pattern: whatever it is."""
    if hosts and not any(fits(pattern, target.host) for pattern in hosts):
        return False
    return not targets or any(fits(pattern, str(target)) for pattern in targets)
