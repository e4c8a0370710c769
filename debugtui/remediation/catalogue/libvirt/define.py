"""Gives a VM another definition: what it is from its next start on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from debugtui.config.redaction import redact
from debugtui.model.plan import DiffPart, Guard
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import clean, line
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
    Settled,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.libvirt import common, observe
from debugtui.remediation.catalogue.libvirt.domain import INACTIVE, SECURE, Seen, by_uuid, identity, same, sha
from debugtui.remediation.catalogue.libvirt.xml_match import missing
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.libvirt.domain_xml import SIZE, parse

#: VIR_DOMAIN_DEFINE_VALIDATE: an element that libvirt does not know is an error instead of being dropped.
_VALIDATE = 1
_SECRET = "the definition holds a secret, which no plan may hold: change it with virsh edit"  # noqa: S105 - a sentence


class DefineXml(Remediation):
    """See the module."""

    spec = Spec(
        name="libvirt.define_xml",
        title="Change the definition",
        summary="Defines a VM anew from a file on this machine; takes effect at its next start.",
        target=common.TARGET_FORM,
        parameters=(Parameter("file", "the new definition, on this machine; virsh dumpxml --inactive gives the old one"),),
        risk=(2, 3),
        undo=Undo.EXACT,
        undo_says="the old definition, to the byte",
        guards=("persistent", "no_job_running", "same_vm", "no_secrets"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to what is defined."""
        vm = common.row(view, target)
        if vm is None:
            return None
        if not vm.persistent:
            return common.offer(self.spec.name, target, False, "it is transient: it has no definition")
        return common.offer(self.spec.name, target, True, "takes a file with the new definition", rank=85)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """Read the file and both definitions."""
        new = await asyncio.to_thread(_read_file, params.get("file", "").strip())
        target, seen = await common.look(eyes, target)
        if new.strip() == seen.inactive.strip():
            raise NothingToDoError(f"{seen.shown} is defined like this already")
        name = seen.shown
        return Draft(
            target=target,
            problem=f"{name} ({seen.words}) is to be defined otherwise",
            solution=f"define {name} from {line(Path(params['file'].strip()).name, 100)}; it takes effect at its next start",
            factors=_factors(seen),
            identity=identity(seen),
            data={"expect": identity(seen), "old": seen.inactive, "new": new},
            diff=await asyncio.to_thread(_diffs, seen, new),
            guards=(common.persistent(seen), common.no_job(seen), _same_vm(seen, new), _no_secrets(seen, new)),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One call, which also compares the old definition."""
        expect, old, new = common.expected(job), str(job.data["old"]), str(job.data["new"])
        settle = _settle(expect["uuid"], sha(old), new)

        def act(connection: Any) -> str:
            domain = same(connection, expect, "uuid", "persistent", "definition")
            _plain(domain, old)
            connection.defineXMLFlags(new, _VALIDATE)
            return sha(str(by_uuid(connection, expect["uuid"]).XMLDesc(INACTIVE)))

        async def run(hands: Hands) -> Done:
            made = await common.send(hands, act, settle)
            return Done(f"libvirt defined {expect['name']}", {"definition": made})

        command = f'virDomainDefineXMLFlags(VALIDATE) of "{expect["uuid"]}"\n{clean(new)}'
        return (LiveStep("define", command, True, 30, "define the old one", run, settle),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Define the saved one, unless somebody else has changed it since."""
        expect, old = common.expected(job), str(job.data["old"])
        made = job.results.get("definition")

        async def settle(eyes: Eyes) -> Settled:
            now = sha((await observe.seen_of(eyes, expect["uuid"])).inactive)
            return Settled.DONE if now == sha(old) else Settled.NOT_DONE

        def act(connection: Any) -> bool:
            domain = same(connection, expect, "uuid", "persistent")
            now = str(domain.XMLDesc(INACTIVE))
            if now == old:
                return False
            if isinstance(made, str) and sha(now) != made:
                raise StaleError(f"somebody else has changed the definition of {expect['name']} since")
            _plain(domain, now)
            connection.defineXMLFlags(old, 0)
            return True

        async def run(hands: Hands) -> Done:
            done = await common.send(hands, act, settle)
            return Done(f"libvirt defined {expect['name']} as before" if done else "the definition is the old one already")

        command = f'virDomainDefineXMLFlags(0) of "{expect["uuid"]}"\n{clean(old)}'
        return (LiveStep("define the old one", command, True, 30, None, run, settle),)

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """What libvirt keeps is what it kept right after, and holds all that was asked for."""
        expect, old, new = common.expected(job), str(job.data["old"]), str(job.data["new"])
        made = job.results.get("definition")

        def judge(seen: Seen) -> Sample:
            now = sha(seen.inactive)
            if now == sha(old):
                return Sample(False, "the definition is the old one")
            if isinstance(made, str) and now != made:
                return Sample(False, "the definition is another one than right after the change")
            lacks = missing(old, new, seen.inactive)
            return Sample(not lacks, f"it lacks {line('; '.join(lacks), 300)}" if lacks else f"it holds all of it, {now[:19]}")

        why = "libvirt drops what it does not take: what it keeps is read anew and compared with the file"
        return (observe.seen_check("definition", expect["uuid"], why, judge, 5),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The definition is the old one, to the byte."""
        expect, old = common.expected(job), str(job.data["old"])

        def judge(seen: Seen) -> Sample:
            return Sample(seen.inactive == old, "as before" if seen.inactive == old else "another definition")

        return (observe.seen_check("definition", expect["uuid"], "it has to be the same to the byte", judge),)


def _read_file(name: str) -> str:
    path = Path(name).expanduser()
    try:
        if not path.is_file():
            raise PlanError(f"there is no file {line(name, 200)!r} on this machine")
        if path.stat().st_size > SIZE:
            raise PlanError(f"{line(name, 200)} is larger than a definition can be")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError, ValueError) as error:
        raise PlanError(f"{line(name, 200)} cannot be read: {line(str(error), 200)}") from None
    root = parse(text)
    if root is None or root.tag != "domain":
        raise PlanError(f"{line(name, 200)} is no definition of a VM: one <domain>, well-formed, without a document type")
    return text


def _diffs(seen: Seen, new: str) -> tuple[DiffPart, ...]:
    parts = [DiffPart("definition", "xml", clean(seen.inactive), clean(new))]
    if seen.active:
        title = "running now, and from the next start on"
        parts.append(DiffPart(title, "xml", clean(seen.live), clean(new)))
    return tuple(parts)


def _same_vm(seen: Seen, new: str) -> Guard:
    root = parse(new)
    name, uuid = (root.findtext("name", ""), root.findtext("uuid", "").strip()) if root is not None else ("", "")
    if name != seen.name:
        return common.guard("same_vm", False, f"the file is of {line(name, 80)!r}, not of {seen.shown!r}: names stay")
    if uuid.replace("-", "").lower() != seen.uuid.replace("-", "").lower():
        return common.guard("same_vm", False, f"the file has {line(uuid, 80) or 'no'} UUID; it has to be {seen.uuid}")
    return common.guard("same_vm", True, "the file names the same VM, by name and UUID", seen.uuid)


def _no_secrets(seen: Seen, new: str) -> Guard:
    """A plan holds both definitions; what looks like a secret must not get into it."""
    held = redact(seen.inactive) != seen.inactive or redact(new) != new or _password(new)
    if held:
        return common.guard("no_secrets", False, _SECRET)
    return common.guard("no_secrets", True, "nothing in either one looks like a secret; hidden ones are looked for again")


def _password(xml: str) -> bool:
    root = parse(xml)
    return root is None or any(element.get("passwd") for element in root.iter())


def _plain(domain: Any, old: str) -> None:
    """Refuse where the definition holds a password that only a writing connection may see: it would be lost."""
    if str(domain.XMLDesc(INACTIVE | SECURE)) != old:
        raise StepError(_SECRET, changed=False)


def _settle(uuid: str, old: str, new: str) -> Any:
    async def settle(eyes: Eyes) -> Settled:
        seen = await observe.seen_of(eyes, uuid)
        if sha(seen.inactive) == old:
            return Settled.NOT_DONE
        return Settled.DONE if not missing(seen.inactive, new, seen.inactive) else Settled.UNKNOWN

    return settle


def _factors(seen: Seen) -> Factors:
    return Factors(
        interruption=Factor(0, "nothing changes before the next start"),
        reversibility=Factor(1, "the old definition is defined again"),
        durable_data=Factor(1, "the definition changes; the old one is kept in the plan"),
        blast_radius=common.ONE_VM,
        blocking=common.NOT_BLOCKING,
        verifiability=Factor(3, f"{seen.shown} shows what it does only at its next start"),
    )
