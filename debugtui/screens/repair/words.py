"""The parts of a plan and of an execution as styled text. Pure; nothing of it is ever read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content

from debugtui.model.execution import CheckProgress, Compared, Progress, Progressing, State, StepProgress, Verdict
from debugtui.model.plan import FACTORS, Guard, GuardStatus, Plan, RiskClass
from debugtui.widgets.cells import fit, safe

Part = Content | str | tuple[str, str]

#: Word, sign and style of each class.
CLASS_STYLE = {
    RiskClass.OBSERVE: "$text-muted",
    RiskClass.ROUTINE: "$text-success",
    RiskClass.CAREFUL: "$text-warning",
    RiskClass.SEVERE: "$text-error",
    RiskClass.STOP: "$text-error",
}
_GUARD = {
    GuardStatus.PASS: ("✓ pass   ", "$text-success"),
    GuardStatus.FAIL: ("✖ fail   ", "$text-error"),
    GuardStatus.UNKNOWN: ("? unknown", "$text-warning"),
}
_STEP = {
    Progressing.WAITING: ("· waiting", "$text-muted"),
    Progressing.RUNNING: ("▸ running", "$text-accent"),
    Progressing.DONE: ("✓ done   ", "$text-success"),
    Progressing.FAILED: ("✖ failed ", "$text-error"),
    Progressing.UNKNOWN: ("? unknown", "$text-warning"),
}
_VERDICT = {
    None: ("▸ watching    ", "$text-accent"),
    Verdict.PASS: ("✓ holds       ", "$text-success"),
    Verdict.FAIL: ("✖ fails       ", "$text-error"),
    Verdict.INCONCLUSIVE: ("? inconclusive", "$text-warning"),
}
#: How an execution ended, in words that leave no doubt.
OUTCOME: dict[State, tuple[str, str]] = {
    State.VERIFIED: ("✓ VERIFIED", "bold $text-success"),
    State.FAILED: ("✖ FAILED, nothing changed", "bold $text-warning"),
    State.ROLLED_BACK: ("↶ ROLLED BACK, as before", "bold $text-warning"),
    State.REFUSED: ("✖ REFUSED, nothing was sent", "bold $text-warning"),
    State.UNKNOWN: ("? UNKNOWN: look at the target", "bold $text-error"),
    State.CLOSED: ("closed", "$text-muted"),
}
#: Most samples of a check on one line.
_MARKS = 40
_MARK = {True: ("●", "$text-success"), False: ("✖", "$text-error"), None: ("?", "$text-warning")}


def lines(parts: Iterable[Content]) -> Content:
    """Return one text of several lines."""
    return Content("\n").join(list(parts))


def sentence(plan: Plan) -> Content:
    """Return the three-part sentence: problem, solution, risk."""
    risk = plan.risk
    why = risk.why[FACTORS.index(risk.driver)]
    return lines(
        [
            Content.assemble(("Problem   ", "bold $text-primary"), safe(plan.problem)),
            Content.assemble(("Solution  ", "bold $text-primary"), safe(plan.solution)),
            Content.assemble(
                ("Risk      ", "bold $text-primary"),
                (f"class {int(risk.cls)} {risk.cls.word}", f"bold {CLASS_STYLE[risk.cls]}"),
                safe(f" · {risk.driver.replace('_', ' ')}: {why}"),
            ),
        ]
    )


def steps(plan: Plan) -> Content:
    """Return what is really sent."""
    found: list[Content] = []
    for number, step in enumerate(plan.steps, 1):
        mark = "" if step.writes else "  (only looks)"
        found.append(
            Content.assemble((f"{number}. {safe(step.name)}", "bold"), (f"  at most {step.timeout_s} s{mark}", "$text-muted"))
        )
        found += (Content.styled(f"   {safe(line)}", "$text-accent") for line in step.command.splitlines())
        if step.undo:
            found.append(Content.styled(f"   undo: {safe(step.undo)}", "$text-muted"))
    return lines(found)


def rollback(plan: Plan, says: str) -> Content:
    """Return how it is taken back, and what cannot be. `says`: what the remediation says of its rollback."""
    found = [Content.styled(safe(says), "bold")] if says else []
    for number, step in enumerate(plan.rollback, 1):
        found.append(Content(f"{number}. {safe(step.name)}"))
        found += (Content.styled(f"   {safe(line)}", "$text-accent") for line in step.command.splitlines())
    if not plan.rollback:
        found.append(Content("There is no rollback."))
    found += (Content.styled(f"cannot be undone: {safe(text)}", "$text-warning") for text in plan.irreversible)
    return lines(found)


def guards(found: Iterable[Guard]) -> Content:
    """Return the guards, those that refuse first."""
    shown: list[Content] = []
    for guard in sorted(found, key=lambda one: (not one.refuses, one.status is GuardStatus.PASS)):
        word, style = _GUARD[guard.status]
        note = "" if guard.critical or guard.status is GuardStatus.PASS else "  (not critical: raises the risk)"
        shown.append(
            Content.assemble((word, style), (f"  {safe(guard.name)}", "bold"), f"  {safe(guard.why)}", (note, "$text-muted"))
        )
        shown += (Content.styled(f"             {safe(line)}", "$text-muted") for line in guard.evidence.splitlines())
    return lines(shown)


def checks(plan: Plan) -> Content:
    """Return how we will know."""
    return lines(
        Content.assemble((safe(check.name), "bold"), (f"  held for {check.watch_s} s", "$text-accent"), f"  {safe(check.why)}")
        for check in plan.checks
    )


def risk(plan: Plan) -> Content:
    """Return every factor with the fact that sets it, and what would lower the risk."""
    vector = plan.risk.vector
    found: list[Content] = []
    for name, why in zip(FACTORS, plan.risk.why, strict=True):
        level = getattr(vector, name)
        bar = "■" * level + "·" * (4 - level)
        style = "$text-error" if level >= 3 else "$text-warning" if level == 2 else "$text-muted"
        driver = "  ◀ driver" if name == plan.risk.driver else ""
        title = f"{name.replace('_', ' '):<14} "
        found.append(Content.assemble(title, (f"{level} {bar}", style), f"  {safe(why)}", (driver, "bold $text-accent")))
    return lines([*found, *mitigations(plan)])


def mitigations(plan: Plan) -> list[Content]:
    """Return what would lower the risk."""
    if not plan.mitigations:
        return []
    found = [Content(""), Content.styled("What would lower it", "bold $text-primary")]
    for item in plan.mitigations:
        name = f"{safe(item.remediation)}: " if item.remediation else ""
        found.append(Content.assemble("  ", (name, "$text-accent"), safe(item.why)))
    return found


def step_line(step: StepProgress) -> Content:
    """Return one step of an execution."""
    word, style = _STEP[step.state]
    took = f"  {step.took_s:.1f} s" if step.took_s is not None else ""
    says = f"  {safe(step.says)}" if step.says else ""
    return Content.assemble((word, style), f"  {safe(step.name)}", (took, "$text-muted"), (says, "$text-muted"))


def check_lines(check: CheckProgress) -> Iterable[Content]:
    """Yield one check of an execution: how long it held, its samples, its newest value."""
    word, style = _VERDICT[check.verdict]
    yield Content.assemble((word, style), (f"  {safe(check.name)}", "bold"), f"  {check.held_s:.0f} of {check.watch_s:.0f} s")
    if check.samples:
        marks = [_MARK[sample.ok] for sample in check.samples[-_MARKS:]]
        yield Content.assemble("   ", *marks, f"  {safe(check.samples[-1].value)}")


def compared_lines(compared: Sequence[Compared]) -> Iterable[Content]:
    """Yield what users saw before and see now, in three columns."""
    names = max(cell_len(safe(one.name)) for one in compared)
    before = max(cell_len(safe(one.before)) for one in compared)
    for one in compared:
        mark, style = ("▲ ", "$text-warning") if one.worse else ("  ", "")
        left = fit(safe(one.name), names)
        yield Content.assemble(
            (mark, style), left, "  ", (fit(safe(one.before), before), "$text-muted"), f"  {safe(one.after)}"
        )


def execution(progress: Progress) -> Content:
    """Return an execution as it stands."""
    found: list[Content] = [step_line(step) for step in progress.steps]
    for check in progress.checks:
        found += check_lines(check)
    if progress.rollback:
        found += [
            Content(""),
            Content.styled("Rollback", "bold $text-primary"),
            *(step_line(step) for step in progress.rollback),
        ]
    for check in progress.undo_checks:
        found += check_lines(check)
    if progress.compared:
        found += [Content(""), Content.styled("Before and after", "bold $text-primary"), *compared_lines(progress.compared)]
    for title, texts in (("Side effects", progress.side_effects), ("Moved since the plan", progress.moved)):
        if texts:
            found += [Content(""), Content.styled(title, "bold $text-warning")]
            found += (Content(f"  {safe(text)}") for text in texts)
    return lines(found)


def outcome(progress: Progress) -> Content:
    """Return the state in one honest line."""
    word, style = OUTCOME.get(progress.state, (f"▸ {progress.state.value.replace('_', ' ')}", "bold $text-accent"))
    return Content.assemble((word, style), f"  {safe(progress.says)}")
