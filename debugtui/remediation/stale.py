"""What moved between an approved plan and the same plan made again."""

from __future__ import annotations

from debugtui.model.plan import Plan
from debugtui.model.text import line


def what_moved(approved: Plan, fresh: Plan) -> tuple[str, ...]:
    """Return what differs in a way that makes the approval void, one line each; empty: nothing does."""
    moved = [*_identity(approved, fresh)]
    if fresh.target != approved.target:
        moved.append(f"the target is {fresh.target} now")
    moved.extend(f"the guard {guard.name} is {guard.status.value} now: {guard.why}" for guard in fresh.refusals)
    if fresh.risk.cls > approved.risk.cls:
        moved.append(f"the risk rose to class {int(fresh.risk.cls)}, driver {fresh.risk.driver.replace('_', ' ')}")
    parts = ("steps", "rollback", "checks", "params")
    moved.extend(f"the {name} would be others now" for name in parts if getattr(fresh, name) != getattr(approved, name))
    if fresh.data != approved.data and not moved:
        moved.append("what the plan was made from is different now")
    return tuple(moved)


def _identity(approved: Plan, fresh: Plan) -> list[str]:
    was, now = dict(approved.before.identity), dict(fresh.before.identity)
    moved = []
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            before, after = line(was.get(name, "nothing"), 200), line(now.get(name, "nothing"), 200)
            moved.append(f"{name} was {before}, is {after}")
    if not moved and approved.before.fingerprint != fresh.before.fingerprint:
        moved.append("the fingerprint is another one")
    return moved
