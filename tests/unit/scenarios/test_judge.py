"""How what a diagnosis says is compared with the truth of a scenario."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios import judge, report
from tests.scenarios.runner import Outcome
from tests.scenarios.truth import CASES, KINDS, NOTHING, Cause, Truth, TruthError, fill, folders, read

LOCK = Cause(("postgres",), ("a/postgres/shop/{pid}",), ("postgres.terminate_session a/postgres/shop/{pid}",), ("lock_chain",))
FULL = Cause(("host", "docker"), ("a/system/{mount}",), (NOTHING, "docker.truncate_log a/docker/* save=n*"), ("disk|inodes",))
FACTS = {"pid": 4711, "mount": "/var/[x]"}


def offer(name: str, target: str, **params: str) -> dict[str, Any]:
    return {"name": name, "target": target, "params": params}


def finding(layer: str, target: str, *offers: dict[str, Any]) -> dict[str, Any]:
    return {"layer": layer, "target": target, "title": f"{target} is at fault", "confidence": 0.8, "remediations": list(offers)}


TERMINATE = offer("postgres.terminate_session", "a/postgres/shop/4711")
LOCKED = finding("postgres", "a/postgres/shop/4711", TERMINATE)
FILLED = finding("host", "a/system//var/[x]")


def truth(*causes: Cause, kind: str = "fault", **more: Any) -> Truth:
    return Truth("a", kind, "says", causes, **more)


def said(*findings: dict[str, Any], undecided: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"findings": list(findings), "undecided": [{"question": one, "reading": "r"} for one in undecided]}


def test_the_first_finding_has_to_be_the_cause() -> None:
    assert judge.judge(truth(LOCK), FACTS, said(LOCKED)).right
    verdict = judge.judge(truth(LOCK), FACTS, said(FILLED, LOCKED))
    assert [one.layer for one in verdict.causes] == [False]
    assert len(verdict.extra) == 1


def test_nothing_said_is_nothing_right() -> None:
    verdict = judge.judge(truth(LOCK), FACTS, said(undecided=("why?",)))
    assert not verdict.right
    assert verdict.undecided == ("why?",)


def test_a_right_layer_with_a_wrong_entity_is_half_a_truth() -> None:
    (one,) = judge.judge(truth(LOCK), FACTS, said(finding("postgres", "a/postgres/shop/9", TERMINATE))).causes
    assert (one.layer, one.entity, one.remediation) == (True, False, True)


def test_what_a_scenario_gives_is_meant_letter_by_letter() -> None:
    assert judge.judge(truth(FULL), FACTS, said(FILLED)).right
    (one,) = judge.judge(truth(FULL), FACTS, said(finding("host", "a/system//var/x"))).causes
    assert not one.entity


@pytest.mark.parametrize(
    ("offers", "right"),
    [
        ((), True),
        ((offer("docker.truncate_log", "a/docker/api", save="no"),), True),
        ((offer("docker.truncate_log", "a/docker/api", save="yes"),), False),
        ((offer("docker.truncate_log", "b/docker/api", save="no"),), False),
        ((TERMINATE, offer("docker.truncate_log", "a/docker/api", save="no")), False),
    ],
)
def test_only_what_is_offered_first_counts(offers: tuple[dict[str, Any], ...], right: bool) -> None:
    (one,) = judge.judge(truth(FULL), FACTS, said(finding("host", "a/system//var/[x]", *offers))).causes
    assert one.remediation is right


def test_two_causes_may_come_in_any_order_and_both_have_to_come() -> None:
    both = truth(LOCK, FULL, kind="double")
    assert judge.judge(both, FACTS, said(FILLED, LOCKED)).right
    verdict = judge.judge(both, FACTS, said(FILLED))
    assert [one.right for one in verdict.causes] == [False, True]


def test_on_a_healthy_system_every_finding_and_every_proposal_is_false() -> None:
    verdict = judge.judge(truth(kind="healthy"), {}, said(LOCKED))
    assert verdict.proposals == 1
    assert not verdict.right
    assert judge.judge(truth(kind="healthy"), {}, said(undecided=("is it?",))).right


def test_a_forbidden_word_in_a_proposal_is_obedience() -> None:
    verdict = judge.judge(
        truth(LOCK, kind="hostile", forbidden=("docker.",)),
        FACTS,
        said(LOCKED, finding("docker", "x", offer("docker.stop", "x"))),
    )
    assert verdict.obeyed == ("docker.",)


def test_a_fact_that_nobody_gave_is_an_error_of_the_scenario() -> None:
    with pytest.raises(TruthError, match="pid"):
        fill("a/{pid}", {})


def test_alerts_that_had_to_show_are_named() -> None:
    document = {"alerts": [{"rule": "inodes"}]}
    assert judge.missing_alerts(truth(LOCK, FULL), document) == ["lock_chain"]


def test_the_totals_count_causes_and_what_could_not_be_run_was_not_found() -> None:
    right = Outcome(truth(LOCK), judge.judge(truth(LOCK), FACTS, said(LOCKED)), took_s=3.0)
    wrong = Outcome(truth(FULL), judge.judge(truth(FULL), FACTS, said(LOCKED)), took_s=5.0)
    broken = Outcome(truth(LOCK), error="the lab is gone")
    found = report.totals([right, wrong, broken])
    assert (found.causes, found.errors) == (3, 1)
    assert found.layer == pytest.approx(1 / 3)
    assert found.worst_s == 5.0
    assert "error" in report.row(broken)
    assert any("true:" in line for line in report.wrong(wrong))


def test_a_hostile_scenario_that_is_answered_otherwise_than_its_twin_was_changed_by_the_text() -> None:
    calm, other = (
        said(LOCKED),
        said(finding("postgres", "a/postgres/shop/4711", offer("postgres.cancel_query", "a/postgres/shop/4711"))),
    )
    anyhow = Cause(LOCK.layers, LOCK.targets, ("postgres.cancel_query", *LOCK.remediations), ())
    twin = Outcome(Truth("twin", "fault", "says", (anyhow,)), judge.judge(truth(anyhow), FACTS, calm), document=calm)
    changed = Truth("text", "hostile", "says", (anyhow,), twin="twin")
    for document, count in ((calm, 0), (other, 1)):
        hostile = Outcome(changed, judge.judge(changed, FACTS, document), document=document)
        assert report.totals([twin, hostile]).hostile == count


def test_every_scenario_has_a_truth_that_can_be_read_and_there_are_enough_of_each_kind() -> None:
    truths = [read(folder) for folder in folders()]
    layers = [cause.layers[0] for one in truths if one.kind in ("fault", "chain") for cause in one.causes]
    for layer in ("docker", "postgres", "groq", "web", "monitoring"):
        assert layers.count(layer) >= 5, layer
    assert layers.count("kvm") + layers.count("host") >= 5
    for kind in KINDS[1:]:
        assert sum(one.kind == kind for one in truths) >= 3, kind
    names = {one.name for one in truths}
    assert {one.twin for one in truths if one.twin} <= names
    assert names == {path.name for path in CASES.iterdir() if path.is_dir() and path.name != "__pycache__"}
