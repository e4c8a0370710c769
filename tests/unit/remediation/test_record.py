"""The Markdown record: everything that was decided, nothing that Markdown would act on, no secret."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from debugtui.config.redaction import register
from debugtui.model.execution import (
    CheckProgress,
    Execution,
    Progress,
    Progressing,
    SampleTaken,
    State,
    StepProgress,
    Verdict,
)
from debugtui.model.plan import DiffPart, RiskClass
from debugtui.remediation.approvals import make_approval, make_second
from debugtui.remediation.record import commit_record, write_record
from tests.unit.fakes import START
from tests.unit.remediation.plans import ALICE, BOB, PLAN, plan

EXECUTION = Execution(
    "exe_1", PLAN.id, PLAN.digest, PLAN.remediation, PLAN.target, State.VERIFIED, START, START, "alice", "every check held"
)
PROGRESS = Progress(
    "exe_1",
    PLAN,
    State.VERIFIED,
    steps=(StepProgress("terminate", "SELECT pg_terminate_backend(4711, 5000)", Progressing.DONE, "true", 0.2),),
    checks=(CheckProgress("gone", 30, 30, Verdict.PASS, (SampleTaken(START, True, "gone, 0 wait"),)),),
    says="every check held",
)


def write(folder: Path, **changes: object) -> str:
    words = {"confirmed": "4711"}
    approval = make_approval(PLAN, ALICE, START, **words)
    progress = replace(PROGRESS, **changes)  # type: ignore[arg-type]
    return write_record(folder, EXECUTION, progress.plan, approval, progress, head="sha256:abc").read_text()


def test_it_says_who_changed_what_and_what_came_of_it(tmp_path: Path) -> None:
    text = write(tmp_path)
    for part in (
        "# postgres.terminate\\_session on kvm-01/postgres/coach/4711",
        "- Outcome: **verified**: every check held",
        "- Approved by: Alice (login alice, bastion pts/1 from 192.0.2.7)",
        "class 2 careful",
        PLAN.digest,
        "sha256:abc",
        "## Diff",
        "-  4720 waits",
        "- pass not\\_a\\_backup",
        "SELECT pg_terminate_backend(4711, 5000)",
        "- pass gone, held 30 of 30 s: gone, 0 wait",
        "its uncommitted work is lost",
    ):
        assert part in text
    assert "## Rollback" not in text


def test_a_rollback_side_effects_and_what_moved_are_told(tmp_path: Path) -> None:
    text = write(
        tmp_path,
        state=State.ROLLED_BACK,
        rollback=PROGRESS.steps,
        undo_checks=PROGRESS.checks,
        side_effects=("api stopped",),
        moved=("pid was 1",),
    )
    for part in ("## Rollback", "## Checks of the rollback", "- api stopped", "- pid was 1"):
        assert part in text


def test_the_second_person_or_break_glass_is_told(tmp_path: Path) -> None:
    severe = plan(RiskClass.SEVERE)
    second = make_second(severe, BOB, START)
    words = {"confirmed": "4711", "reason": "pool full"}
    approval = make_approval(severe, ALICE, START, second=second, **words)  # type: ignore[arg-type]
    text = write_record(tmp_path, EXECUTION, severe, approval, PROGRESS).read_text()
    assert "- Second person: Bob (login bob" in text
    assert "- Reason: pool full" in text
    alone = make_approval(severe, ALICE, START, break_glass=True, **words)  # type: ignore[arg-type]
    assert "**Break-glass**" in write_record(tmp_path, EXECUTION, severe, alone, PROGRESS).read_text()


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    hostile = "x](http://evil) <script>alert(1)</script> `code` **bold**\n# title\x1b[31m"
    text = write(
        tmp_path,
        says=hostile,
        plan=plan(problem=hostile, diff=(DiffPart(hostile, "text", "", "```\n<b>out of the block</b>\n````"),)),
    )
    assert "\x1b" not in text
    assert "\n# title" not in text
    assert "<script>" not in text.replace("\\<script\\>", "")
    fence = next(line for line in text.split("\n") if line.endswith("diff"))
    assert fence == "`````diff"


def test_secrets_are_removed_once_more(tmp_path: Path) -> None:
    register("under-the-doormat")
    assert "under-the-doormat" not in write(tmp_path, says="the key is under-the-doormat")


def test_a_record_is_never_written_over(tmp_path: Path) -> None:
    for _ in range(3):
        write(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    stem = "2026-03-14-09-26-postgres-terminate-session-kvm-01-postgres-coach-4711"
    assert names == [f"{stem}-2.md", f"{stem}-3.md", f"{stem}.md"]


def test_a_long_diff_is_cut_and_says_so(tmp_path: Path) -> None:
    long = "\n".join(str(number) for number in range(1_000))
    assert "more lines" in write(tmp_path, plan=plan(diff=(DiffPart("long", "text", "", long),)))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Alice")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "alice@example.org")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, timeout=20)
    return tmp_path


def test_a_record_is_committed_and_nothing_else(repository: Path) -> None:
    (repository / "other").write_text("staged by somebody else")
    subprocess.run(["git", "add", "other"], cwd=repository, check=True, timeout=20)
    write(repository)
    record = next(repository.glob("*.md"))
    assert commit_record(record, "Terminate 4711 on kvm-01") == ""
    shown = subprocess.run(
        ["git", "show", "--stat", "--format=%s"], cwd=repository, capture_output=True, text=True, check=True, timeout=20
    ).stdout
    assert "Terminate 4711 on kvm-01" in shown
    assert "other" not in shown


def test_where_git_cannot_it_says_why(tmp_path: Path) -> None:
    write(tmp_path)
    assert "git add" in commit_record(next(tmp_path.glob("*.md")), "x")
    assert "git add" in commit_record(tmp_path / "none" / "x.md", "x")
