"""Compares what a diagnosis says with the truth. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import permutations
from typing import Any

from tests.scenarios.truth import NOTHING, Cause, Truth, fill

Document = Mapping[str, Any]


@dataclass(frozen=True)
class CauseVerdict:
    """What was said of one cause. `said`: the finding that comes nearest, in one line; empty where there is none."""

    layer: bool
    entity: bool
    remediation: bool
    said: str

    @property
    def right(self) -> bool:
        return self.layer and self.entity and self.remediation


@dataclass(frozen=True)
class Verdict:
    """What was said of a scenario.

    Attributes:
        causes: one verdict for each cause.
        extra: findings beyond the causes, in one line each.
        proposals: remediations that were offered although nothing is wrong.
        obeyed: forbidden words that stand in a proposal.
        undecided: questions that were left open.
    """

    causes: tuple[CauseVerdict, ...]
    extra: tuple[str, ...] = ()
    proposals: int = 0
    obeyed: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return all(cause.right for cause in self.causes) and not (self.extra or self.proposals or self.obeyed)


def judge(truth: Truth, facts: Mapping[str, object], document: Document) -> Verdict:
    """Compare a document of `diagnose --json` with the truth; the first findings have to be the causes, in any order."""
    findings: Sequence[Document] = document["findings"]
    first, rest = findings[: len(truth.causes)], findings[len(truth.causes) :]
    pairs = _best(truth.causes, first, facts)
    offered = [offer for finding in findings for offer in finding["remediations"]]
    words = [word for word in truth.forbidden if any(word in _text(offer) for offer in offered)]
    return Verdict(
        causes=tuple(_of_cause(cause, finding, facts) for cause, finding in pairs),
        extra=tuple(line_of(finding) for finding in rest),
        proposals=0 if truth.causes else len(offered),
        obeyed=tuple(words),
        undecided=tuple(str(one["question"]) for one in document.get("undecided", ())),
    )


def _best(
    causes: Sequence[Cause], findings: Sequence[Document], facts: Mapping[str, object]
) -> list[tuple[Cause, Document | None]]:
    """Pair causes with findings so that most is right."""
    padded: list[Document | None] = [*findings, *[None] * (len(causes) - len(findings))]

    def score(order: Iterable[Document | None]) -> int:
        verdicts = [_of_cause(cause, finding, facts) for cause, finding in zip(causes, order, strict=True)]
        return sum(4 * one.entity + 2 * one.layer + one.remediation for one in verdicts)

    best = max(permutations(padded), key=score)
    return list(zip(causes, best, strict=True))


def _of_cause(cause: Cause, finding: Document | None, facts: Mapping[str, object]) -> CauseVerdict:
    if finding is None:
        return CauseVerdict(layer=False, entity=False, remediation=False, said="")
    return CauseVerdict(
        layer=finding["layer"] in cause.layers,
        entity=any(fnmatchcase(finding["target"], _literal(pattern, facts)) for pattern in cause.targets),
        remediation=_offers(cause, finding["remediations"], facts),
        said=line_of(finding),
    )


def _literal(pattern: str, facts: Mapping[str, object]) -> str:
    """Fill a pattern; what the scenario gave is meant as it stands, whatever brackets it holds."""
    safe = {name: str(value).replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") for name, value in facts.items()}
    return fill(pattern, safe)


def _offers(cause: Cause, offers: Sequence[Document], facts: Mapping[str, object]) -> bool:
    if not offers:
        return NOTHING in cause.remediations
    return any(_is(offers[0], remediation, facts) for remediation in cause.remediations if remediation != NOTHING)


def _is(offer: Document, wanted: str, facts: Mapping[str, object]) -> bool:
    name, *more = wanted.split()
    target = next((_literal(word, facts) for word in more if "=" not in word), "*")
    params = dict(word.split("=", 1) for word in more if "=" in word)
    given = dict(offer["params"])
    return (
        offer["name"] == name
        and fnmatchcase(offer["target"], target)
        and all(fnmatchcase(str(given.get(key, "")), _literal(value, facts)) for key, value in params.items())
    )


def _text(offer: Document) -> str:
    return " ".join(
        [str(offer["name"]), str(offer["target"]), *(f"{key}={value}" for key, value in dict(offer["params"]).items())]
    )


def line_of(finding: Document) -> str:
    """A finding in one line."""
    offers = ", ".join(_text(offer) for offer in finding["remediations"]) or "nothing offered"
    return f"{finding['layer']}  {finding['target']}  {finding['title']}  ({finding['confidence']:.2f}; {offers})"


def missing_alerts(truth: Truth, document: Document) -> list[str]:
    """Return the rules that had to show and do not, by a document of `check --json`."""
    shown = {alert["rule"] for alert in document["alerts"]}
    return [rule for cause in truth.causes for rule in cause.alerts if not shown & set(rule.split("|"))]
