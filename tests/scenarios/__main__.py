"""`make scenarios`: break a real lab in many ways, and see what the diagnosis says.

python -m tests.scenarios [--only PATTERN] [--list] [--alerts] [--no-diagnosis] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.scenarios import report
from tests.scenarios.runner import Options, Outcome, run_all
from tests.scenarios.truth import folders, load, read


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("--only", default="*", help="names of scenarios, as a shell pattern: 'postgres-*'")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--alerts", action="store_true", help="also see whether each alert shows that has to")
    parser.add_argument("--no-diagnosis", action="store_true", help="leave the diagnosis out: only the alerts")
    parser.add_argument("--json", type=Path, help="also write what was said, one document, to a file")
    return parser.parse_args(argv)


async def run(options: argparse.Namespace) -> list[Outcome]:
    scenarios = [load(folder) for folder in folders(options.only)]
    found: list[Outcome] = []
    print(report.HEAD, flush=True)
    how = Options(alerts=options.alerts or options.no_diagnosis, diagnose=not options.no_diagnosis)
    async for outcome in run_all(scenarios, how):
        found.append(outcome)
        print(report.row(outcome), flush=True)
        for line in report.wrong(outcome):
            print(f"      {line}", flush=True)
    return found


def main(argv: Sequence[str]) -> int:
    options = arguments(argv)
    if options.list:
        for folder in folders(options.only):
            truth = read(folder)
            print(f"{truth.name:<34} {truth.kind:<8} {truth.says}")
        return 0
    try:
        outcomes = asyncio.run(_guarded(options))
    except asyncio.CancelledError:
        print("stopped; the lab is gone", file=sys.stderr)
        return 130
    if not options.no_diagnosis:
        print()
        for line in report.summary(report.totals(outcomes)):
            print(line)
    if options.json:
        documents = {outcome.truth.name: dict(outcome.document) for outcome in outcomes}
        options.json.write_text(json.dumps(documents, indent=1, ensure_ascii=False), encoding="utf-8")
    return 0 if outcomes and all(outcome.right for outcome in outcomes) else 1


async def _guarded(options: argparse.Namespace) -> list[Outcome]:
    """Run, and end in order at the first signal; further ones wait for that."""
    task = asyncio.ensure_future(run(options))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not task.cancelling():
            print("stopping: healing, and ending the lab", file=sys.stderr, flush=True)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    return await task


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
