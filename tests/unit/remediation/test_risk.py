"""The risk classes: judgement on known situations, and what must hold for every vector there is."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from debugtui.model.plan import FACTORS, Guard, GuardStatus, Risk, RiskClass, RiskVector
from debugtui.remediation.risk import (
    STOP_RULES,
    assess,
    cheaper,
    classify,
    cross_layer,
    driver_of,
    one_line,
    uncertainty,
    vector_of,
)

#: Situation, vector (I R D B L V U C), class.
GOLDEN = [
    ("cancel a SELECT with waiters", "1 4 0 1 0 0 0 1", 2),
    ("terminate idle in transaction, read only", "1 4 0 1 0 0 0 1", 2),
    ("terminate a session that has written", "1 4 1 1 0 0 0 1", 2),
    ("terminate a batch writer, or several sessions", "2 4 2 2 0 0 0 1", 3),
    ("create an index concurrently, guards pass", "0 1 1 3 1 0 0 0", 1),
    ("create an index concurrently, replica lag unknown", "0 1 1 3 1 0 2 0", 2),
    ("ALTER TABLE with an old transaction present", "2 1 1 3 3 0 0 0", 4),
    ("work_mem, on the allow list", "0 1 1 3 0 0 0 0", 1),
    ("shared_buffers, which needs a restart", "4 2 1 3 0 1 0 0", 4),
    ("drop an inactive slot", "1 4 2 2 0 0 0 0", 3),
    ("restart one of two healthy replicas", "2 2 1 1 0 0 0 0", 2),
    ("restart the sole healthy replica", "3 2 1 2 0 0 0 0", 3),
    ("restart the sole replica, which fails its probes", "1 2 1 2 0 0 0 0", 2),
    ("raise an existing limit", "0 1 1 1 0 0 0 0", 1),
    ("the first limit of an unlimited container", "1 2 1 1 0 0 0 0", 2),
    ("truncate a log, its tail saved", "0 4 1 1 0 0 0 0", 2),
    ("truncate a log, nothing saved", "0 4 2 1 0 0 0 0", 3),
    ("resume after space was freed", "0 1 0 2 0 0 0 0", 1),
    ("grow a disk, backup verified", "0 4 1 2 0 0 0 0", 2),
    ("grow a disk, backup unknown", "0 4 1 2 0 0 4 0", 4),
    ("restart a guest with one service inside", "3 2 1 2 0 0 0 0", 3),
    ("restart a guest with several services inside", "3 2 1 3 0 0 0 0", 4),
    ("throttle an offender's block I/O", "1 0 0 2 0 0 0 0", 1),
    ("a tested reload", "1 0 1 3 0 0 0 0", 1),
    ("a tested reload, no probe and no metrics", "1 0 1 3 0 4 0 0", 4),
    ("a tested reload during a change freeze", "1 0 1 3 0 0 0 3", 2),
    ("reboot of a host", "4 2 1 4 0 1 0 0", 4),
]


def vector(text: str) -> RiskVector:
    return RiskVector(*map(int, text.split()))


@pytest.mark.parametrize(("situation", "levels", "cls"), GOLDEN, ids=[row[0] for row in GOLDEN])
def test_known_situations_have_their_class(situation: str, levels: str, cls: int) -> None:
    assert classify(vector(levels)) == cls


def test_for_every_vector_raising_a_factor_never_lowers_the_class() -> None:
    # 390,625 vectors; by position, since building that many objects twice over takes longer than judging them.
    classes = {levels: int(classify(RiskVector(*levels))) for levels in product(range(5), repeat=8)}
    assert len(classes) == 390_625
    for levels, cls in classes.items():
        assert 1 <= cls <= 4
        for at in range(8):
            if levels[at] < 4:
                assert classes[(*levels[:at], levels[at] + 1, *levels[at + 1 :])] >= cls, levels


@pytest.mark.parametrize("name", FACTORS)
def test_unknown_is_never_better_than_known(name: str) -> None:
    for level in range(5):
        known = dict.fromkeys(FACTORS, 1) | {name: level}
        unknown: dict[str, int | None] = {**known, name: None}
        assert classify(vector_of(unknown)) >= classify(vector_of(known))
        assert getattr(vector_of(unknown), name) == 4


@pytest.mark.parametrize("level", [-1, 5])
def test_a_factor_is_from_0_to_4(level: int) -> None:
    with pytest.raises(ValueError, match="0 to 4"):
        vector_of({**dict.fromkeys(FACTORS, 0), "blocking": level})


def factors(text: str) -> dict[str, tuple[int | None, str]]:
    levels = [None if word == "?" else int(word) for word in text.split()]
    return {name: (level, f"{name} is so") for name, level in zip(FACTORS, levels, strict=True)}


@pytest.mark.parametrize(
    ("levels", "driver"),
    [
        ("3 2 1 2 0 0 0 0", "interruption"),
        ("0 4 1 2 0 0 4 0", "uncertainty"),
        ("1 0 1 3 0 4 0 0", "verifiability"),
        ("1 0 1 3 0 0 0 3", "context"),
        ("2 1 1 3 3 0 0 0", "blocking"),
        ("0 0 0 0 0 0 0 0", "interruption"),
    ],
)
def test_the_driver_is_what_would_lower_the_class_most(levels: str, driver: str) -> None:
    assert driver_of(vector(levels)) == driver


def test_what_is_not_known_says_so() -> None:
    risk = assess(factors("? 1 0 0 0 0 0 0"))
    assert risk.cls is RiskClass.STOP
    assert risk.driver == "interruption"
    assert risk.why[0] == "not known: interruption is so"


def test_a_stop_rule_forbids_and_is_named() -> None:
    risk = assess(factors("0 0 0 0 0 0 0 0"), stop=STOP_RULES["shrink"])
    assert risk.cls is RiskClass.STOP
    assert STOP_RULES["shrink"] in one_line(risk)


def test_the_line_that_is_shown() -> None:
    assert one_line(assess(factors("2 2 1 1 0 0 0 0"))) == (
        "class 2 careful · I2 R2 D1 B1 L0 V0 U0 C0 · driver interruption: interruption is so"
    )


def guard(status: GuardStatus, *, critical: bool = True) -> Guard:
    return Guard(f"{status.value}-{critical}", status, "", critical=critical)


@pytest.mark.parametrize(
    ("guards", "age", "level"),
    [
        ([guard(GuardStatus.PASS)], 0.0, 0),
        ([guard(GuardStatus.PASS)], 30.0, 1),
        ([guard(GuardStatus.UNKNOWN, critical=False)], 0.0, 2),
        ([guard(GuardStatus.PASS)], 300.0, 3),
        ([guard(GuardStatus.PASS)], None, 3),
        ([guard(GuardStatus.UNKNOWN, critical=False)], 300.0, 3),
        ([guard(GuardStatus.UNKNOWN), guard(GuardStatus.UNKNOWN, critical=False)], 0.0, 4),
        ([guard(GuardStatus.FAIL)], 0.0, 0),
    ],
)
def test_uncertainty_comes_from_the_guards_and_their_age(guards: list[Guard], age: float | None, level: int) -> None:
    assert uncertainty(guards, oldest_s=age)[0] == level


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("3 2 1 2 0 0 0 0", ("interruption", 2)),
        ("1 0 1 3 0 0 0 3", ("context", 1)),
        ("0 4 1 2 0 0 4 0", ("uncertainty", 3)),
        ("3 2 3 2 3 0 0 0", ("interruption", 3)),
        ("0 0 0 0 0 0 0 0", ("interruption", 1)),
    ],
)
def test_the_cheapest_step_down_is_named(levels: str, expected: tuple[str, int]) -> None:
    assert cheaper(assess(factors(levels))) == expected


def test_several_layers_without_a_checkpoint_are_worse_than_the_worst_step() -> None:
    mild, bad = assess(factors("1 1 1 1 0 0 0 0")), assess(factors("2 2 1 1 0 0 0 0"))
    assert cross_layer([bad]) == bad
    assert cross_layer([mild, bad]) == cross_layer([bad, mild]) == replace(bad, cls=RiskClass.SEVERE)
    stop = assess(factors("4 4 4 4 4 4 4 4"))
    assert cross_layer([stop, mild]).cls is RiskClass.STOP
    with pytest.raises(ValueError, match="without a step"):
        cross_layer([])


def test_the_same_facts_in_another_order_are_the_same_risk() -> None:
    given = factors("2 1 0 3 1 2 0 1")
    other: Risk = assess(dict(reversed(given.items())))
    assert other == assess(given)
