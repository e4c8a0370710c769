"""Matches a regular expression against lines, in a process of its own: run by its path, it imports nothing of DebugTUI.

Python's matcher holds the whole interpreter while it works, so that a pattern with catastrophic backtracking would stop every
thread; a process can be ended. Standard input: JSON with `pattern` and `lines`; standard output: a list of `[number of the
line, groups]`.
"""

from __future__ import annotations

import json
import re
import resource
import sys

#: Seconds of processor time after which the system ends this process, should nobody else.
CPU_LIMIT = 5


def main() -> None:
    """Read, match, write."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT, CPU_LIMIT))
    asked = json.load(sys.stdin)
    pattern = re.compile(asked["pattern"])
    found = []
    for number, line in enumerate(asked["lines"]):
        match = pattern.search(line)
        if match:
            found.append([number, match.groupdict()])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
