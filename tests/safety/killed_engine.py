"""A program for `test_crash.py`: applies a plan to a number in a file, and kills itself when the journal reaches a given entry.

Arguments: the folder, and the number of the entry, from 1, after which it dies; `rollback`: the change does not hold.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from debugtui.remediation import lock as lock_module
from debugtui.remediation.base import Done
from tests.unit.remediation.bench import Bench, FakeLease, Faults, kill_here


async def main(folder: Path, entry: int, rollback: bool) -> None:
    lock_module.Lease = FakeLease  # type: ignore[assignment,misc]
    faults = Faults(instead=lambda: Done("rc 0")) if rollback else Faults()
    bench = Bench(folder, faults=faults)
    real, count = bench.journal.append, 2  # `planned` and `approved` are written by `begin`

    def append(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        written = real(*args, **kwargs)
        count += 1
        if count == entry:
            kill_here()
        return written

    bench.journal.append = append  # type: ignore[method-assign]
    begin = bench.journal.begin

    def beginning(*args: Any) -> None:
        begin(*args)
        if entry <= 2:
            kill_here()

    bench.journal.begin = beginning  # type: ignore[method-assign]
    await bench.apply()
    bench.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), "rollback" in sys.argv[3:]))
