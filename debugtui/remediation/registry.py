"""The catalogue by name. Each entry is imported when it is first needed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

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
    "docker.unpause": ("docker.unpause", "Unpause"),
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
    "nginx.edit_config": ("nginx.edit", "EditConfig"),
    "nginx.reload": ("nginx.reload", "Reload"),
    "nginx.renew_certificate": ("nginx.renew", "RenewCertificate"),
    "nginx.drain_upstream": ("nginx.small_edits", "DrainUpstream"),
    "nginx.shed_load": ("nginx.small_edits", "ShedLoad"),
    "nginx.add_headers": ("nginx.small_edits", "AddHeaders"),
    "nginx.rollback_release": ("nginx.release", "RollbackRelease"),
    "groq.rotate_key": ("groq.rotate_key", "RotateKey"),
    "groq.switch_model": ("groq.switch_model", "SwitchModel"),
    "groq.set_timeouts": ("groq.set_timeouts", "SetTimeouts"),
    "groq.limit_concurrency": ("groq.limit_concurrency", "LimitConcurrency"),
}


#: The user's own, by name; see `load_own`.
_own: dict[str, Remediation] = {}


class UnknownRemediationError(LookupError):
    """There is no remediation of that name; the message names the nearest."""


def get(name: str) -> Remediation:
    """Return one remediation.

    Raises:
        UnknownRemediationError: there is none of that name.
    """
    if name in _own:
        return _own[name]
    if name not in CATALOGUE:
        near = difflib.get_close_matches(name, [*CATALOGUE, *_own], 1)
        raise UnknownRemediationError(f"no remediation {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return _made(name)


@cache
def _made(name: str) -> Remediation:
    module, kind = CATALOGUE[name]
    made: Remediation = getattr(import_module(f"{_ROOM}.{module}"), kind)()
    return made


def load_own(folder: Path) -> tuple[str, ...]:
    """Read the user's own remediations of a folder, instead of those read before; return what is wrong with its files."""
    from debugtui.remediation.custom.load import load_folder

    found, problems = load_folder(folder)
    _own.clear()
    _own.update({remediation.spec.name: remediation for remediation in found})
    return problems


def everything(layer: str | None = None) -> Iterator[Remediation]:
    """Yield the catalogue, or one layer of it, in its order."""
    for name in CATALOGUE:
        if layer in (None, name.partition(".")[0]):
            yield get(name)
    yield from (remediation for remediation in _own.values() if layer in (None, remediation.spec.layer))
