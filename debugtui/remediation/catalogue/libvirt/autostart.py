"""Says whether a VM starts with its host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from debugtui.model.plan import DiffPart
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
    Done,
    Draft,
    Factor,
    Factors,
    Job,
    LiveCheck,
    LiveStep,
    NothingToDoError,
    Offer,
    Parameter,
    PlanError,
    Remediation,
    Sample,
    Spec,
    StaleError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, observe
from debugtui.remediation.catalogue.libvirt.domain import identity, same
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

_WORDS = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}


class Autostart(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.autostart",
        title="Autostart",
        summary="Sets whether a VM starts with its host.",
        target=common.TARGET_FORM,
        parameters=(Parameter("state", "on or off"),),
        risk=(1, 2),
        undo=Undo.EXACT,
        undo_says="the old setting",
        guards=("persistent",),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what is defined; most of all to what runs and would not come back."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if not vm.persistent:
            return common.offer(self.spec.name, target, False, "it is transient")
        wanted = "off" if vm.autostart else "on"
        missing = vm.state == "running" and not vm.autostart
        why = "it would not come back with its host" if missing else f"it is {'on' if vm.autostart else 'off'}"
        return common.offer(self.spec.name, target, True, why, 40 if missing else 80, (("state", wanted),))

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read the flag."""
        wanted = _WORDS.get(params.get("state", "").strip().lower())
        if wanted is None:
            raise PlanError(f"state is on or off, not {line(params.get('state', ''), 40)!r}")
        target, seen = await common.look(eyes, target)
        name = seen.shown
        if seen.persistent and seen.autostart is wanted:
            raise NothingToDoError(f"autostart of {name} is {_word(wanted)}")
        expect = {"uuid": seen.uuid, "name": name, "persistent": identity(seen)["persistent"]}
        return Draft(
            target=target,
            problem=f"{name} {'does not start' if wanted else 'starts'} with its host",
            solution=f"set autostart of {name} {_word(wanted)}",
            factors=_factors(),
            identity={**expect, "autostart": _word(seen.autostart)},
            data={"expect": expect, "old": seen.autostart, "new": wanted},
            diff=(DiffPart(f"autostart of {name}", "text", _word(seen.autostart), _word(wanted)),),
            guards=(common.persistent(seen),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One flag."""
        return (_step(job, "set", bool(job.data["new"]), "set back"),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """The old flag."""
        return (_step(job, "set back", bool(job.data["old"]), None),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The flag, read anew."""
        return (_check(job, bool(job.data["new"])),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The old flag."""
        return (_check(job, bool(job.data["old"])),)


def _word(value: bool) -> str:
    return "on" if value else "off"


def _step(job: Job, name: str, value: bool, undo: str | None) -> LiveStep:
    expect = common.expected(job)
    settle = observe.settle_by(expect["uuid"], lambda seen: seen.autostart is value)

    def act(connection: Any) -> bool:
        domain = same(connection, expect, "uuid", "persistent")
        if bool(domain.autostart()) is value:
            if undo is not None:
                raise StaleError(f"autostart of {expect['name']} is {_word(value)} already")
            return False
        domain.setAutostart(int(value))
        return True

    async def run(hands: Hands) -> Done:
        done = await common.send(hands, act, settle)
        return Done(f"autostart is {_word(value)}" if done else f"autostart is {_word(value)} already")

    return LiveStep(name, f'virDomainSetAutostart("{expect["uuid"]}", {int(value)})', True, 30, undo, run, settle)


def _check(job: Job, value: bool) -> LiveCheck:
    expect = common.expected(job)
    why = "the flag is read anew"
    return observe.seen_check(
        "autostart", expect["uuid"], why, lambda seen: Sample(seen.autostart is value, _word(seen.autostart))
    )


def _factors() -> Factors:
    return Factors(
        interruption=common.NO_INTERRUPTION,
        reversibility=Factor(1, "the same interface sets it back"),
        durable_data=Factor(1, "one setting; the old one is kept in the plan"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=common.DIRECT,
    )
