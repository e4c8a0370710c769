"""The catalogue by name. Each entry is imported when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from debugtui.remediation.base import Remediation

_ROOM = "debugtui.remediation.catalogue"

#: Full name: module below the catalogue, class.
CATALOGUE: dict[str, tuple[str, str]] = {
    "postgres.cancel_query": ("postgres.sessions", "CancelQuery"),
    "postgres.terminate_session": ("postgres.sessions", "TerminateSession"),
    "postgres.free_connections": ("postgres.connections", "FreeConnections"),
    "postgres.set_parameter": ("postgres.parameter", "SetParameter"),
    "postgres.role_timeout": ("postgres.role_timeout", "RoleTimeout"),
    "postgres.vacuum": ("postgres.vacuum", "Vacuum"),
    "postgres.create_index": ("postgres.create_index", "CreateIndex"),
    "postgres.drop_index": ("postgres.drop_index", "DropIndex"),
    "postgres.migrate": ("postgres.migrate", "Migrate"),
    "postgres.backup": ("postgres.backup", "Backup"),
    "docker.restart": ("docker.restart", "Restart"),
    "docker.start": ("docker.start_stop", "Start"),
    "docker.stop": ("docker.start_stop", "Stop"),
    "docker.update_limits": ("docker.limits", "UpdateLimits"),
    "docker.restart_policy": ("docker.policy", "RestartPolicy"),
    "docker.recreate": ("docker.recreate", "Recreate"),
    "docker.compose_up": ("docker.compose", "ComposeUp"),
    "docker.truncate_log": ("docker.log", "TruncateLog"),
    "docker.prune_images": ("docker.prune", "PruneImages"),
    "libvirt.resume": ("libvirt.resume", "Resume"),
    "libvirt.start": ("libvirt.start", "Start"),
    "libvirt.restart": ("libvirt.restart", "Restart"),
    "libvirt.set_vcpus": ("libvirt.vcpus", "SetVcpus"),
    "libvirt.set_memory": ("libvirt.memory", "SetMemory"),
    "libvirt.grow_disk": ("libvirt.disk", "GrowDisk"),
    "libvirt.snapshot": ("libvirt.snapshot", "Snapshot"),
    "libvirt.commit_snapshot": ("libvirt.commit", "CommitSnapshot"),
    "libvirt.define_xml": ("libvirt.define", "DefineXml"),
    "libvirt.autostart": ("libvirt.autostart", "Autostart"),
    "system.vacuum_journal": ("system.journal", "VacuumJournal"),
    "system.clean_packages": ("system.packages", "CleanPackages"),
    "system.restart_unit": ("system.unit", "RestartUnit"),
    "system.end_process": ("system.process", "EndProcess"),
}


class UnknownRemediationError(LookupError):
    """There is no remediation of that name; the message names the nearest."""


@cache
def get(name: str) -> Remediation:
    """Return one remediation.

    Raises:
        UnknownRemediationError: there is none of that name.
    """
    if name not in CATALOGUE:
        import difflib

        near = difflib.get_close_matches(name, CATALOGUE, 1)
        raise UnknownRemediationError(f"no remediation {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    module, kind = CATALOGUE[name]
    made: Remediation = getattr(import_module(f"{_ROOM}.{module}"), kind)()
    return made


def everything(layer: str | None = None) -> Iterator[Remediation]:
    """Yield the catalogue, or one layer of it, in its order."""
    for name in CATALOGUE:
        if layer in (None, name.partition(".")[0]):
            yield get(name)
