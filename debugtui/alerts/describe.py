"""A rule in words: what the command line, the screen and the manual say of it."""

from __future__ import annotations

from dataclasses import dataclass

from debugtui.alerts.settings import Rules, Setting, setting_of
from debugtui.model.alert_rules import RuleSpec
from debugtui.model.alerts import Severity
from debugtui.model.duration import duration_text


@dataclass(frozen=True, slots=True)
class RuleWords:
    """One rule in words.

    Attributes:
        name, says, layer, metric: as in `RuleSpec`.
        severity: `critical, high`.
        begins: from where on it speaks: `critical > 97 %, high > 90 %`; empty where it counts nothing.
        lasts: how long that has to last; empty: at once.
        ends: where it ends: `critical 96, high 88`, or how long it has to be gone; empty: at once.
        least: what has to be there for it to say something; empty: nothing.
        changed: what the configuration changes of it: `changed`, `changed for some`, `off`, `your own`; empty: nothing.
    """

    name: str
    layer: str
    severity: str
    begins: str
    lasts: str
    ends: str
    least: str
    says: str
    metric: str
    changed: str = ""


def words_of(rules: Rules) -> list[RuleWords]:
    """Return every rule in words, in the order of the shipped file, the operator's own ones last."""
    return [_words(rules, name, spec) for name, spec in rules.specs.items()]


def _words(rules: Rules, name: str, spec: RuleSpec) -> RuleWords:
    setting = rules.everywhere(name)
    return RuleWords(
        name,
        spec.layer.value,
        severities(spec, setting),
        begins(spec, setting),
        duration_text(setting.for_s) if setting.for_s else "",
        ends(spec, setting),
        f"at least {spec.least:g} {spec.least_of}" if spec.least_of else "",
        spec.says,
        spec.metric,
        _changed(rules, name, spec, setting),
    )


def severities(spec: RuleSpec, setting: Setting) -> str:
    """Return how bad it can be."""
    return ", ".join(one.value for one in ((setting.severity,) if setting.severity else spec.severities))


def begins(spec: RuleSpec, setting: Setting) -> str:
    """Return from where on it speaks."""
    sign, unit = ">" if spec.above else "<", f" {spec.unit}" if spec.unit else ""
    if setting.levels:
        named = len(setting.levels) > 1
        return ", ".join(f"{_named(one.severity, named)}{sign} {one.threshold:g}{unit}" for one in setting.levels)
    return f"{sign} {spec.budget}" if spec.budget else ""


def ends(spec: RuleSpec, setting: Setting) -> str:
    """Return where it ends."""
    gone = f"gone for {duration_text(setting.clear_s)}" if setting.clear_s else ""
    if setting.levels:
        named, unit = len(setting.levels) > 1, f" {spec.unit}" if spec.unit else ""
        figures = ", ".join(f"{_named(one.severity, named)}{one.clear:g}{unit}" for one in setting.levels)
        return f"{figures}, {gone}" if gone else figures
    return gone or (f"{100 * spec.clear_share:g} % of it" if spec.budget else "")


def _named(severity: Severity, named: bool) -> str:
    return f"{severity.value} " if named else ""


def _changed(rules: Rules, name: str, spec: RuleSpec, setting: Setting) -> str:
    if any(rule.spec.name == name for rule in rules.own):
        return "your own"
    if not setting.enabled:
        return "off"
    if rules.changed_somewhere(name):
        return "changed for some"
    return "changed" if setting != setting_of(spec, None) else ""
