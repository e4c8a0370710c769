"""A program for `test_dead_man.py`: connects by ssh, arms reverts, says `armed`, and lives until it is killed.

Arguments: address, key, known_hosts, seconds, then a mark and a file for each revert.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from debugtui.config.ask import NobodyToAsk
from debugtui.hosts.ssh import SshLink
from debugtui.remediation.remote import dead_man

#: Writes one line with the time at which it ran.
REVERT = ("sh", "-c", 'date +%s.%N >> "$1"', "revert")


async def main(address: str, key: str, known_hosts: str, after_s: int, pairs: list[str]) -> None:
    link = SshLink("kvm-01", address, NobodyToAsk(), identity=Path(key), known_hosts=Path(known_hosts), ssh_config=())
    await link.start()
    await link.wait_settled(20)
    for mark, file in zip(pairs[::2], pairs[1::2], strict=True):
        await dead_man.arm(link, mark, [*REVERT, file], after_s)
    print("armed", flush=True)
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4], int(sys.argv[4]), sys.argv[5:]))
