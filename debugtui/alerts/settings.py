"""The rules as they count here: the shipped ones, what the operator changed of them, and the operator's own.

A module of rules asks `Rules.counted` for everything that has a threshold, and yields a `Finding` of its own for a state;
whoever asks the modules puts what they yield through `Rules.settled`, which leaves out what is switched off. A rule that nobody
described keeps what its module says of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from debugtui.alerts.finding import Finding
from debugtui.config.alert_rules import shipped
from debugtui.model.alert_rules import Level, Override, OwnRule, RuleSpec
from debugtui.model.alerts import Severity
from debugtui.model.target import Target
from debugtui.model.topology import Layer

if TYPE_CHECKING:
    from debugtui.config.alerts import AlertsConfig

#: What a message is made of: the value and the threshold that it passed.
Words = Callable[[float, float], str]

#: An own rule without an end of its own ends when the figure is this share of the threshold away from it.
OWN_BAND = 0.05

_LAYERS = {"system": Layer.HOST, "libvirt": Layer.KVM, "docker": Layer.DOCKER, "postgres": Layer.POSTGRES, "groq": Layer.GROQ}


@dataclass(frozen=True, slots=True)
class Setting:
    """What counts of a rule for one target.

    Attributes:
        spec: the rule; None: nobody described it.
        enabled: False: it says nothing.
        severity: instead of its own; None: its own.
        levels: worst first; empty where it counts nothing, or where the threshold comes with the reading.
        for_s: how long it must last; None: as the finding says.
        clear_s: how long it must be gone.
    """

    spec: RuleSpec | None
    enabled: bool = True
    severity: Severity | None = None
    levels: tuple[Level, ...] = ()
    for_s: float | None = None
    clear_s: float = 0.0


_UNKNOWN = Setting(None)


class Rules:
    """All rules. Immutable; one serves a run."""

    def __init__(self, overrides: Mapping[str, Sequence[Override]] | None = None, own: Iterable[OwnRule] = ()) -> None:
        """Prepare; the shipped rules are read when they are first needed.

        Args:
            overrides: what was changed of shipped rules, by name; of several the first that is about a target counts.
            own: the operator's own rules.
        """
        self.own = tuple(own)
        self._overrides = dict(overrides or {})
        self._specs: dict[str, RuleSpec] = {}
        self._everywhere: dict[str, Setting] = {}
        self._somewhere: dict[str, list[tuple[Override, Setting]]] = {}
        self._bands = False

    @property
    def specs(self) -> Mapping[str, RuleSpec]:
        """Every rule by its name, the operator's own ones last."""
        if not self._specs:
            specs = {**shipped(), **{rule.spec.name: rule.spec for rule in self.own}}
            for name, spec in specs.items():
                changes = self._overrides.get(name, ())
                plain = next((one for one in changes if one.everywhere), None)
                self._everywhere[name] = setting_of(spec, plain)
                # What follows a change for everything is never reached.
                reached = changes[: changes.index(plain)] if plain is not None else changes
                if reached:
                    self._somewhere[name] = [(one, setting_of(spec, one)) for one in reached]
            self._specs = specs  # last: a thread that sees them finds everything else there
        return self._specs

    @property
    def watching(self) -> Rules:
        """The same rules, yielding also what is between threshold and end, and what is not known: for the book of alerts."""
        found = Rules(self._overrides, self.own)
        found._bands = True
        return found

    def of(self, rule: str, target: Target) -> Setting:
        """Return what counts of a rule for a target."""
        if not self._specs:
            _ = self.specs
        for override, setting in self._somewhere.get(rule, ()):
            if override.is_about(target):
                return setting
        return self._everywhere.get(rule, _UNKNOWN)

    def everywhere(self, rule: str) -> Setting:
        """Return what counts of a rule where no change for some targets applies."""
        _ = self.specs
        return self._everywhere.get(rule, _UNKNOWN)

    def changed_somewhere(self, rule: str) -> bool:
        """Tell whether a change for some targets only was made."""
        return any(not one.everywhere for one in self._overrides.get(rule, ()))

    def least(self, rule: str) -> float:
        """Return the fewest that the figure of a rule is judged from."""
        return self.specs[rule].least

    def counted(
        self,
        rule: str,
        target: Target,
        value: float | None,
        says: str | Words,
        *,
        budget: float | None = None,
        since: datetime | None = None,
    ) -> tuple[Finding, ...]:
        """Compare a figure with the thresholds of a rule; return what that finds, or nothing.

        Args:
            rule: its name.
            target: what the figure is of.
            value: the figure, in the rule's unit; None: not known now.
            says: the message, or what makes it from value and threshold.
            budget: the threshold of a rule that has none of its own.
            since: when it began, where the reading tells.
        """
        setting = self.of(rule, target)
        spec = setting.spec
        if spec is None or not setting.enabled:
            return ()
        if value is None:
            return (Finding(Severity.LOW, rule, target, "", raised=False),) if self._bands else ()
        levels = setting.levels
        if not levels and budget is not None:
            levels = (Level(spec.severities[-1], budget, budget * spec.clear_share),)
        sign = 1.0 if spec.above else -1.0
        reached = next((level for level in levels if sign * value > sign * level.threshold), None)
        kept = next((level for level in levels if sign * value > sign * level.clear), None) if self._bands else None
        level = reached or kept
        if level is None:
            return ()
        return (
            Finding(
                setting.severity or level.severity,
                rule,
                target,
                says if isinstance(says, str) else says(value, level.threshold),
                value,
                level.threshold,
                since,
                setting.for_s or 0.0,
                raised=reached is not None,
                holds=(setting.severity or kept.severity) if kept is not None else None,
            ),
        )

    def settled(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Yield what modules of rules found, as the operator wants it: not what is switched off, and how bad, and how long."""
        for finding in found:
            setting = self.of(finding.rule, finding.target)
            if setting.spec is None:
                yield finding
            elif setting.enabled and not _below_its_threshold(finding, setting):
                for_s = finding.for_s if setting.for_s is None else setting.for_s
                if setting.severity not in (None, finding.severity) or for_s != finding.for_s:
                    finding = finding._replace(severity=setting.severity or finding.severity, for_s=for_s)
                yield finding


def _below_its_threshold(finding: Finding, setting: Setting) -> bool:
    """Tell whether a module raised what, by the operator's threshold, is nothing."""
    if setting.spec is None or not setting.levels or not finding.raised or finding.value is None:
        return False
    sign = 1.0 if setting.spec.above else -1.0
    return not any(sign * finding.value > sign * level.threshold for level in setting.levels)


def setting_of(spec: RuleSpec, override: Override | None) -> Setting:
    """Return a rule with a change."""
    if override is None:
        return Setting(spec, levels=spec.levels, for_s=spec.for_s, clear_s=spec.clear_s)
    return Setting(
        spec,
        override.enabled,
        override.severity,
        _levels(spec, override),
        spec.for_s if override.for_s is None else override.for_s,
        spec.clear_s if override.clear_s is None else override.clear_s,
    )


def _levels(spec: RuleSpec, override: Override) -> tuple[Level, ...]:
    thresholds = _thresholds(spec, override)
    mildest = max(thresholds, key=lambda severity: severity.rank, default=None)
    levels = []
    for severity, threshold in sorted(thresholds.items(), key=lambda pair: pair[0].rank):
        clear = _end(spec, severity, threshold)
        if isinstance(override.clear, Mapping):
            clear = override.clear.get(severity, clear)
        elif override.clear is not None and severity is mildest:
            clear = override.clear
        levels.append(Level(severity, threshold, clear))
    return tuple(levels)


def _thresholds(spec: RuleSpec, override: Override) -> dict[Severity, float]:
    """Return the threshold of each severity. One number is the mildest one's; a worse one is never reached before it."""
    own = {level.severity: level.threshold for level in spec.levels}
    if override.threshold is None:
        return own
    if isinstance(override.threshold, Mapping):
        return dict(override.threshold)
    number, further = override.threshold, max if spec.above else min
    if not own:
        return {spec.severities[-1]: number}
    mildest = max(own, key=lambda severity: severity.rank)
    return {severity: number if severity is mildest else further(number, threshold) for severity, threshold in own.items()}


def _end(spec: RuleSpec, severity: Severity, threshold: float) -> float:
    """Return where a severity ends: as far from its threshold, as a share of it, as it was from the shipped one."""
    if not spec.levels:
        return threshold * spec.clear_share
    level = next((one for one in spec.levels if one.severity is severity), spec.levels[-1])
    if threshold == level.threshold or not level.threshold:
        return level.clear if threshold == level.threshold else threshold
    return threshold - abs(threshold) * (level.threshold - level.clear) / abs(level.threshold)


#: The shipped rules as they are.
DEFAULT = Rules()


def rules_of(alerts: AlertsConfig) -> Rules:
    """Return the rules of a configuration."""
    from debugtui.config.alerts import lasting

    overrides = {
        name: tuple(
            Override(
                _by_severity(one.threshold),
                None if isinstance(one.clear, timedelta) else _by_severity(one.clear),
                one.clear.total_seconds() if isinstance(one.clear, timedelta) else None,
                lasting(one),
                Severity(one.severity) if one.severity else None,
                one.enabled,
                one.hosts,
                one.targets,
            )
            for one in changes
        )
        for name, changes in alerts.rules.items()
    }
    return Rules(overrides, tuple(_own(alerts)))


def _by_severity(value: float | Mapping[str, float] | None) -> float | dict[Severity, float] | None:
    return {Severity(word): number for word, number in value.items()} if isinstance(value, Mapping) else value


def _own(alerts: AlertsConfig) -> Iterator[OwnRule]:
    from debugtui.config.alerts import lasting

    for rule in alerts.own:
        above, severity = rule.above is not None, Severity(rule.severity)
        threshold = (rule.above if above else rule.below) or 0.0
        band = abs(threshold) * OWN_BAND
        clear = rule.clear if isinstance(rule.clear, float) else threshold - band if above else threshold + band
        kind = (rule.metric or "").partition(".")[0]
        spec = RuleSpec(
            name=rule.name,
            says=f"your own: {rule.metric or rule.query} {'above' if above else 'below'} {threshold:g}",
            layer=(Layer.MONITORING if rule.query else _LAYERS.get(kind, Layer.WEB)),
            severities=(severity,),
            metric=rule.metric or "query",
            above=above,
            levels=(Level(severity, threshold, clear),),
            for_s=lasting(rule) or 0.0,
            clear_s=rule.clear.total_seconds() if isinstance(rule.clear, timedelta) else 0.0,
        )
        yield OwnRule(
            spec, rule.metric or "", rule.prometheus or "", rule.query or "", rule.message or "", rule.hosts, rule.targets
        )
