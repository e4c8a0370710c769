"""The guard `recent_backup` for a VM: it has no backup of its own here, so those of its host's databases speak for it."""

from __future__ import annotations

from debugtui.model.plan import Guard, GuardStatus
from debugtui.model.text import line
from debugtui.remediation.catalogue.libvirt import common
from debugtui.remediation.eyes import Eyes


async def backups_of_host(eyes: Eyes, vm: str) -> tuple[Guard, ...]:
    """Return the guards of the backups of all databases that are configured on the host.

    One that refuses speaks for all. A snapshot or a replica of the VM is no backup, and is not asked for.

    Args:
        eyes: read access to the host.
        vm: name of the VM, safe to show.
    """
    from debugtui.remediation.guards.backup import backup_guards

    if not eyes.host.postgres:
        why = f"no database with backups is configured on {line(eyes.host.name, 80)}: no backup of what is in {vm} is known"
        return (Guard("recent_backup", GuardStatus.UNKNOWN, why, "backups = [...] in [[hosts.postgres]] names them"),)
    found: list[Guard] = []
    for database in eyes.host.postgres:
        for guard in await backup_guards(eyes, database.name):
            evidence = f"{line(database.name, 80)}: {guard.evidence}"
            found.append(Guard(guard.name, guard.status, guard.why, evidence, guard.critical))
    return _joined(found)


def _joined(found: list[Guard]) -> tuple[Guard, ...]:
    joined: list[Guard] = []
    for name in dict.fromkeys(guard.name for guard in found):
        of_name = [guard for guard in found if guard.name == name]
        worst = max(of_name, key=lambda guard: (common.PASS, common.UNKNOWN, common.FAIL).index(guard.status))
        evidence = "; ".join(guard.evidence for guard in of_name)
        joined.append(Guard(name, worst.status, worst.why, line(evidence, 2_000), worst.critical))
    return tuple(joined)
