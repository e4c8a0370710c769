"""Processes that are stopped by a signal or a debugger: what they serve hangs, and the one that is stopped is at fault."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from debugtui.diagnosis.anomaly import Anomaly, Aspect, Role, layer_of
from debugtui.diagnosis.own.making import SAYS
from debugtui.diagnosis.surroundings import Stopped
from debugtui.model.source import Kind
from debugtui.model.target import Target
from debugtui.model.text import line

#: The programs of what can hang, as their command lines begin, without the folder.
_PROGRAMS: dict[str, tuple[str, ...]] = {
    Kind.LIBVIRT: ("libvirtd", "virtqemud"),
    Kind.DOCKER: ("dockerd", "containerd"),
    Kind.POSTGRES: ("postgres", "postmaster"),
    Kind.REDIS: ("redis-server", "valkey-server"),
    Kind.RABBITMQ: ("beam.smp",),
    Kind.NGINX: ("nginx",),
    Kind.PROMETHEUS: ("prometheus", "victoria-metrics"),
    Kind.ALERTMANAGER: ("alertmanager", "prometheus-alertmanager"),
    Kind.LOKI: ("loki",),
    Kind.GRAFANA: ("grafana",),
}
#: The guest of a QEMU, as libvirt writes it.
_GUEST = re.compile(r"-name (?:guest=)?([^\s,]{1,200})")
_RULES = frozenset({"lost_hangs", "silent"})


def with_stopped(anomalies: Sequence[Anomaly], stopped: Sequence[Stopped]) -> tuple[Anomaly, ...]:
    """Return the anomalies; of what hangs, with the process that is stopped, where one is.

    A libvirt that waits for the stopped QEMU of one guest is well itself: that guest is at fault.
    """
    if not stopped:
        return tuple(anomalies)
    return tuple(_told(one, stopped) if one.rule in _RULES else one for one in anomalies)


def _told(hangs: Anomaly, stopped: Iterable[Stopped]) -> Anomaly:
    here = [one for one in stopped if one.host == hangs.target.host]
    mine = [one for one in here if _program(one.command).startswith(_PROGRAMS.get(hangs.target.kind, ("\0",)))]
    if mine:
        who = f"its process {mine[0].pid} ({_program(mine[0].command)}) is stopped"
        says, title = f"{hangs.says}; {who}", f"{hangs.fact('title') or hangs.says}: {who}"
        return replace(hangs, says=line(says, SAYS), points=70, facts=_titled(hangs, title))
    guests = {guest[1]: one for one in here if (guest := _guest(one.command)) is not None}
    if hangs.target.kind != Kind.LIBVIRT or (hangs.target.name and hangs.target.name not in guests):
        return hangs
    if not hangs.target.name and len(guests) != 1:
        return hangs
    name = hangs.target.name or next(iter(guests))
    title = f"{name} stands still: its QEMU, process {guests[name].pid}, is stopped by a signal"
    says = f"{title}; {hangs.says}" if hangs.rule == "lost_hangs" else title
    target = Target(hangs.target.host, Kind.LIBVIRT, name)
    return replace(
        hangs, rule="vm_frozen", target=target, layer=layer_of(target), aspect=Aspect.DOWN, role=Role.CAUSE,
        says=line(says, SAYS), points=70, facts=_titled(hangs, title),
    )  # fmt: skip


def _program(command: str) -> str:
    """Return the program of a command line without its folder: `nginx` of `nginx: worker process`, too."""
    return command.split(None, 1)[0].rpartition("/")[2].rstrip(":") if command.split() else ""


def _guest(command: str) -> re.Match[str] | None:
    return _GUEST.search(command) if _program(command).startswith(("qemu", "kvm")) else None


def _titled(hangs: Anomaly, title: str) -> tuple[tuple[str, str], ...]:
    return (*((key, value) for key, value in hangs.facts if key != "title"), ("title", title))
