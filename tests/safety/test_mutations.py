"""Whatever is changed in a plan, its fingerprint, a guard or an approval after the approval: it is not executed."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from debugtui.model.approval_json import approval_from_json, approval_to_json
from debugtui.model.canonical import canonical
from debugtui.model.execution import Approval, Progress, State
from debugtui.model.plan import Plan, PlanFormatError, RiskClass, plan_from_json
from debugtui.remediation import lock as lock_module
from tests.unit.remediation.bench import Bench, FakeLease

#: How many changes of each kind are tried; together more than 10,000.
BYTES, VALUES, APPROVALS, OBJECTS = 5_000, 4_000, 900, 150


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(lock_module, "Lease", FakeLease)
    monkeypatch.setattr(FakeLease, "held", {})
    bench = Bench(tmp_path)
    yield bench
    bench.close()


async def plan_of(bench: Bench) -> Plan:
    return plan_from_json((await bench.plan()).to_json())


def test_enough_is_tried() -> None:
    assert BYTES + VALUES + APPROVALS + OBJECTS > 10_000


async def test_no_changed_byte_of_a_plan_file_is_accepted(bench: Bench) -> None:
    luck = random.Random(1)
    document = (await plan_of(bench)).to_json()
    data = json.dumps(document, ensure_ascii=False).encode()
    for _ in range(BYTES):
        at = luck.randrange(len(data))
        changed = bytearray(data)
        changed[at] = luck.randrange(256)
        try:
            read: Any = json.loads(bytes(changed))
        except ValueError:
            continue
        if canonical(read) == canonical(document):
            continue  # the same byte, or a space between two values
        with pytest.raises(PlanFormatError):
            plan_from_json(read)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in a JSON document."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


STRANGE: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    1.5,
    "",
    "x",
    [],
    {},
    ["x"],
    {"x": 1},
    10**30,
    "2099-01-01T00:00:00Z",
)


def changed(document: Any, luck: random.Random) -> Any:
    copy = json.loads(json.dumps(document))
    path = luck.choice(list(places(copy)))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    way = luck.random()
    if way < 0.15 and isinstance(parent, dict):
        del parent[path[-1]]
    elif way < 0.3 and isinstance(parent, dict):
        parent[f"{path[-1]}x"] = luck.choice(STRANGE)
    elif way < 0.4 and isinstance(parent, list):
        parent.insert(path[-1], luck.choice(STRANGE))
    else:
        parent[path[-1]] = luck.choice(STRANGE)
    return copy


async def test_no_changed_value_of_a_plan_is_accepted(bench: Bench) -> None:
    luck = random.Random(2)
    document = (await plan_of(bench)).to_json()
    for _ in range(VALUES):
        other = changed(document, luck)
        if canonical(other) == canonical(document):
            continue
        with pytest.raises(PlanFormatError):
            plan_from_json(other)


async def test_a_changed_plan_with_a_fitting_digest_is_not_the_one_that_was_approved(bench: Bench) -> None:
    """Whoever can write the digest anew still has no approval of it."""
    luck = random.Random(3)
    plan = await plan_of(bench)
    approval = bench.approve(plan)
    for _ in range(OBJECTS):
        other = mutated(plan, luck)
        progress = await bench.engine().apply(other, approval, bench.told.append, bench.decide)
        assert_refused(bench, progress)


async def test_a_changed_plan_that_was_approved_anew_is_not_what_would_be_made_now(bench: Bench) -> None:
    """An approval of a forged plan does not help either: it is made again before anything is sent."""
    luck = random.Random(4)
    plan = await plan_of(bench)
    for _ in range(OBJECTS):
        other = mutated(plan, luck)
        if other.problem != plan.problem or other.solution != plan.solution or other.irreversible != plan.irreversible:
            continue  # sentences for people, of which nothing is made
        if other.diff != plan.diff or other.mitigations != plan.mitigations or other.expires_at != plan.expires_at:
            continue
        if other.guards != plan.guards or other.risk != plan.risk or other.made_at != plan.made_at or other.id != plan.id:
            continue  # judged anew
        try:
            approval = bench.approve(other)
        except ValueError:
            continue
        progress = await bench.engine().apply(other, approval, bench.told.append, bench.decide)
        assert_refused(bench, progress)


def mutated(plan: Plan, luck: random.Random) -> Plan:
    """Return the plan with one field changed."""
    name = luck.choice([field.name for field in fields(Plan)])
    value = getattr(plan, name)
    if isinstance(value, str):
        other: Any = value + luck.choice("abc") if name != "data" else canonical({"after": luck.randrange(9), "before": 0})
    elif isinstance(value, datetime):
        other = value + timedelta(seconds=luck.choice((-3600, 3600)))
    elif isinstance(value, tuple):
        other = value[:-1] if value and luck.random() < 0.5 else (*value, *value, *([("x", "y")] if name == "params" else []))
        if other == value:
            return replace(plan, problem=plan.problem + "!")
    elif name == "risk":
        other = replace(value, cls=RiskClass(luck.choice((1, 2, 3))), driver="context")
    elif name == "before":
        other = replace(value, fingerprint="sha256:" + "0" * 64)
    else:
        other = replace(value, name=value.name + "x")
    return replace(plan, **{name: other})


async def test_no_changed_approval_of_the_plan_executes_it(bench: Bench) -> None:
    luck = random.Random(5)
    plan = await plan_of(bench)
    approval = bench.approve(plan)
    document = approval_to_json(approval)
    bound = {"plan", "digest", "fingerprint", "cls", "at", "expires_at"}
    for _ in range(APPROVALS):
        other = changed(document, luck)
        try:
            read = approval_from_json(other)
        except PlanFormatError:
            continue
        if all(getattr(read, name) == getattr(approval_from_json(document), name) for name in bound):
            continue  # another word of the same person about the same plan
        progress = await bench.engine().apply(plan, read, bench.told.append, bench.decide)
        assert_refused(bench, progress)


@pytest.mark.parametrize("name", ["plan", "digest", "fingerprint"])
async def test_an_approval_of_something_else_executes_nothing(bench: Bench, name: str) -> None:
    plan = await plan_of(bench)
    approval: Approval = replace(bench.approve(plan), **{name: "sha256:" + "1" * 64})  # type: ignore[arg-type]
    assert_refused(bench, await bench.engine().apply(plan, approval, bench.told.append, bench.decide))


def assert_refused(bench: Bench, progress: Progress) -> None:
    assert (progress.state, bench.writes) == (State.REFUSED, 0), progress.says


async def test_the_plan_that_none_of_this_was_done_to_is_executed(bench: Bench) -> None:
    """The control: without it, everything above could pass because nothing ever executes."""
    progress = await bench.apply(await plan_of(bench))
    assert (progress.state, bench.writes) == (State.VERIFIED, 1)
    assert not asyncio.all_tasks() - {asyncio.current_task()}
