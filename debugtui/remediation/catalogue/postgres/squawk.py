"""Asks squawk, a linter of PostgreSQL migrations, what each statement locks and what is wrong with it.

It is run as a program, in an empty folder with an empty configuration, so that no file of the operator's changes its answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from debugtui.model.text import line

#: Seconds for the whole run; it takes some hundredths.
LIMIT_S = 20.0

#: Rules that are met by how statements are sent, or are a matter of taste.
_OURS = frozenset({"require-lock-timeout", "require-statement-timeout", "prefer-robust-stmts", "transaction-nesting"})
_LOCK = re.compile(r"Statement requires: ([A-Z ]+) lock; blocking: ([a-z, ]+)")

#: Rules that name a scan or a rewrite of the whole table while reads or writes are blocked.
LONG = frozenset(
    {
        "adding-field-with-default",
        "adding-foreign-key-constraint",
        "adding-not-nullable-field",
        "adding-required-field",
        "adding-serial-primary-key-field",
        "ban-concurrent-index-creation-in-transaction",
        "changing-column-type",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "require-concurrent-index-creation",
        "require-concurrent-reindex",
        "require-concurrent-refresh-materialized-view",
    }
)


class LintError(Exception):
    """The linter could not be asked; nothing is known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `statement` is its number from 0."""

    statement: int
    rule: str
    message: str
    help: str

    @property
    def long(self) -> bool:
        """It blocks for as long as the table is large."""
        return self.rule in LONG


@dataclass(frozen=True, slots=True)
class Lock:
    """The strongest lock of a statement, and whom it blocks: `reads, writes, schema changes`."""

    mode: str = ""
    blocks: str = ""

    @property
    def strong(self) -> bool:
        """It blocks reads or writes."""
        return "reads" in self.blocks or "writes" in self.blocks


@dataclass(frozen=True, slots=True)
class Review:
    """What the linter says: findings in order, and the lock of every statement."""

    version: str
    findings: tuple[Finding, ...]
    locks: tuple[Lock, ...]


def program() -> str:
    """Return the program's path.

    Raises:
        LintError: it is not installed.
    """
    beside = Path(sys.executable).with_name("squawk")
    found = str(beside) if beside.exists() else shutil.which("squawk")
    if not found:
        raise LintError("squawk is not installed: pip install squawk-cli")
    return found


async def lint(statements: Sequence[str], major: int) -> Review:
    """Lint statements, each by itself.

    Args:
        statements: without comments.
        major: the server's major version.

    Raises:
        LintError: squawk is not there, or does not read them.
    """
    squawk = program()
    with tempfile.TemporaryDirectory(prefix="debugtui-") as folder:
        paths = await asyncio.to_thread(_write, Path(folder), statements)
        options = ["--config", f"{folder}/squawk.toml", "--reporter", "json", f"--pg-version={major}.0"]
        output = await _run([squawk, *options, *paths], folder)
        version = (await _run([squawk, "--version"], folder)).decode("utf-8", "replace").strip()
    try:
        found = json.loads(output or b"[]")
        return _read(found, len(statements), version)
    except (ValueError, KeyError, TypeError) as error:
        raise LintError(f"squawk's answer cannot be read: {line(str(error), 200)}") from None


def _write(folder: Path, statements: Sequence[str]) -> list[str]:
    (folder / "squawk.toml").write_text("")
    paths = []
    for number, text in enumerate(statements):
        path = folder / f"{number}.sql"
        path.write_text(f"{text};\n", encoding="utf-8")
        paths.append(str(path))
    return paths


async def _run(argv: list[str], folder: str) -> bytes:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env={"HOME": folder, "PATH": "/usr/bin:/bin"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise LintError(f"squawk cannot be run: {line(str(error), 200)}") from None
    try:
        async with asyncio.timeout(LIMIT_S):
            output, errors = await process.communicate()
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise LintError(f"squawk did not answer within {LIMIT_S:g} s") from None
        raise
    # 1 says that there are findings; anything else that it failed.
    if process.returncode not in (0, 1) or (process.returncode == 1 and not output):
        raise LintError(f"squawk failed: {line(errors.strip() or output.strip(), 300)}")
    return output


def _read(rows: list[dict[str, object]], count: int, version: str) -> Review:
    locks = [Lock()] * count
    findings: list[Finding] = []
    for row in rows:
        number = int(Path(str(row["file"])).stem)
        rule, message, more = str(row["rule_name"]), line(str(row["message"]), 300), line(str(row["help"] or ""), 300)
        if rule == "syntax-error":
            raise LintError(f"statement {number + 1} is no SQL that squawk can read: {message}")
        lock = _LOCK.search(more)
        if rule == "require-lock-timeout" and lock:
            locks[number] = Lock(lock[1], lock[2])
        if rule not in _OURS and not rule.startswith("prefer-"):
            findings.append(Finding(number, rule, message, more))
    return Review(version, tuple(sorted(findings, key=lambda each: (each.statement, each.rule))), tuple(locks))
