"""Changes one service of a Compose project: the file is replaced, the service made anew, and both are taken back together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from debugtui.config.redaction import redact
from debugtui.model.plan import DiffPart, Guard, Mitigation
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
from debugtui.remediation.catalogue.docker import compose_guards, guards
from debugtui.remediation.catalogue.docker.common import Box, find, row_of
from debugtui.remediation.catalogue.docker.compose_project import (
    LONGEST,
    REPLACE,
    RESTORE,
    SUM,
    Project,
    Rendered,
    content_of,
    expected_hash,
    members,
    project_of,
    render,
    shown,
    sum_of,
)
from debugtui.remediation.catalogue.docker.watching import UP_WITHIN
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds to replace a file, and for the tool to make the service anew beyond the time to stop it.
FILE_LIMIT, UP_LIMIT = 20, 120

#: Status of the scripts where the file is not the one that was planned with.
_OTHER_FILE = 3


class ComposeUp(Remediation):
    """`docker compose up -d --no-deps --no-build --pull never SERVICE`, after its file was replaced."""

    spec: ClassVar[Spec] = Spec(
        name="docker.compose_up",
        title="Change a Compose service",
        summary="A service is wrong in its compose file: put a corrected file in place, and make that service anew.",
        target="HOST/docker/NAME",
        parameters=(
            Parameter("file", "the corrected compose file, on this machine"),
            Parameter("service", "the service that changes; the container's own where it is left out", required=False),
        ),
        risk=(2, 3),
        undo=Undo.EXACT,
        undo_says="the previous file is put back, and the service made anew from it by the same command",
        guards=(
            "compose_tool", "file_readable", "renders", "one_service", "image_local", "file_kept", "not_being_removed",
            "logs_read", "replicas", "dependants",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """For containers that Compose made."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if not container.service:
            return Offer(self.spec.name, target, False, "it was not made by Compose")
        bad = container.looping or container.health == "unhealthy" or container.state == "exited"
        why = "its compose file can be corrected, and this service alone made anew"
        return Offer(self.spec.name, target, True, why, (("service", container.service),), rank=25 if bad else 85)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        wanted = await asyncio.to_thread(_local, params["file"])
        box = await find(eyes, target)
        project = await project_of(eyes, box)
        service = params.get("service") or box.service
        if service != box.service:
            raise PlanError(f"{box.shown} is of the service {line(box.service, 80)}, not {line(service, 80)}")
        before = await content_of(eyes, project.path)
        if before == wanted:
            raise NothingToDoError(f"{line(project.path, 300)} holds just that already")
        old: Rendered | str = "not read"
        new: Rendered | str = "not read"
        if project.tool and before is not None:
            old, new = await render(eyes, project, before), await render(eyes, project, wanted)
        around = await guards.neighbours(eyes, box)
        return Draft(
            target=Target(target.host, "docker", box.name),
            problem=f"{box.shown}: {box.failing or 'its compose file is to be changed'}",
            solution=f"replace {line(project.path, 200)}, and make the service {line(service, 80)} anew, no other",
            factors=_factors(box, around),
            identity={
                "id": box.id,
                "file": f"{line(project.path, 300)} {sum_of(before) if before is not None else 'not read'}",
            },
            data={
                "id": box.id,
                "project": project.name,
                "folder": project.folder,
                "path": project.path,
                "tool": project.tool,
                "socket": project.socket,
                "service": service,
                "file": params["file"],
                "before": sum_of(before or b""),
                "after": sum_of(wanted),
                "stop_timeout": box.stop_timeout,
                "watch_s": box.watch_s,
            },
            diff=(DiffPart(project.path, "yaml", redact(clean(before or b"")), redact(clean(wanted))),),
            guards=(
                compose_guards.tool(project),
                compose_guards.readable(project, before),
                compose_guards.renders(old, new),
                compose_guards.one_service(old, new, service),
                await compose_guards.images(eyes, old, new, service),
                await compose_guards.file_kept(eyes, project),
                guards.not_being_removed(box),
                await guards.logs_read(eyes, box),
                around.replicas(box),
                around.guard(),
            ),
            irreversible=(
                "what the container holds outside of volumes is lost: Compose makes a new one and removes the old one",
            ),
            mitigations=(Mitigation("docker.recreate", "keeps the old container; the compose file does not know of it then"),),
            expected=(Target(target.host, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Replace the file, make the service anew."""
        return (_replace(job), _up(job, "Make the service anew", forward=True))

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Put the previous file back, make the service anew."""
        return (_restore(job), _up(job, "Make the service anew from the previous file", forward=False))

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The file is the new one, and the service runs as it says."""
        return (_as_the_file_says(job, str(job.data["after"]), int(str(job.data["watch_s"]))),)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The file is the previous one, and the service is as it says."""
        return (_as_the_file_says(job, str(job.data["before"]), 20, up=False),)

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """The file is still the one that the plan put there."""
        path = str(job.data["path"])
        now = await _sum(eyes, path)
        if now in (job.data["before"], job.data["after"]):
            return (Guard("file_unchanged", guards.PASS, "the compose file is the one that this plan put there", now[:12]),)
        return (Guard("file_unchanged", guards.FAIL, "somebody changed the compose file since", line(path, 300)),)


def _local(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(LONGEST + 1)
    except OSError as error:
        raise PlanError(f"{line(path, 200)} cannot be read: {error.strerror}") from None
    if len(content) > LONGEST:
        raise PlanError(f"{line(path, 200)} is larger than {LONGEST} bytes")
    return content


def _project(job: Job) -> Project:
    data = job.data
    return Project(
        str(data["project"]), str(data["folder"]), str(data["path"]), int(str(data["tool"])), "", str(data["socket"])
    )


def _factors(box: Box, around: guards.Neighbours) -> Factors:
    return Factors(
        interruption=guards.interruption(box, around, box.stop_timeout + 5),
        reversibility=Factor(2, "the previous file makes the service anew as it was"),
        durable_data=Factor(1, "configuration with its old value saved; what lies outside of volumes is lost"),
        blast_radius=guards.blast_radius(around, box),
        blocking=Factor(0, "nothing waits for it but its clients"),
        verifiability=guards.verifiability(box),
    )


def _kept(job: Job) -> str:
    return f"{job.data['path']}.debugtui-{job.mark}"


async def _sum(eyes: Eyes, path: str) -> str:
    done = await eyes.run(["sh", "-c", SUM, "debugtui", path])
    return done.stdout.decode("ascii", "replace").strip()


def _replace(job: Job) -> LiveStep:
    data = job.data
    path, before, after = str(data["path"]), str(data["before"]), str(data["after"])
    argv = ["sh", "-c", REPLACE, "debugtui", path, _kept(job), before, after]

    async def run(hands: Hands) -> Done:
        try:
            content = await asyncio.to_thread(_local, str(data["file"]))
        except PlanError as error:
            raise StaleError(str(error)) from None
        if sum_of(content) != after:
            raise StaleError(f"{line(str(data['file']), 200)} is another file than when the plan was made")
        done = await hands.command(argv, timeout_s=FILE_LIMIT - 5, stdin=content)
        if done.status == _OTHER_FILE:
            raise StaleError(f"{line(path, 200)}: {line(done.stdout, 100)}")
        if done.status:
            raise StepError(f"the file could not be replaced: {redact(line(done.stderr, 300))}", changed=None)
        return Done(f"replaced {line(path, 200)}; the previous one is {line(_kept(job), 250)}")

    async def settle(eyes: Eyes) -> Settled:
        now = await _sum(eyes, path)
        return {after: Settled.DONE, before: Settled.NOT_DONE}.get(now, Settled.UNKNOWN)

    command = f"cp -p {path} {_kept(job)}\nreplace {path} by {data['file']} (SHA-256 {after[:16]})"
    return LiveStep("Replace the compose file", command, True, FILE_LIMIT, f"cp -p {_kept(job)} {path}", run, settle)


def _restore(job: Job) -> LiveStep:
    path, before = str(job.data["path"]), str(job.data["before"])
    argv = ["sh", "-c", RESTORE, "debugtui", path, _kept(job), before]

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=FILE_LIMIT - 5)
        if done.status:
            says = line(done.stdout, 100) or redact(line(done.stderr, 300))
            raise StepError(f"the previous file could not be put back: {says}", changed=None)
        return Done(f"{line(path, 200)} is the previous file")

    async def settle(eyes: Eyes) -> Settled:
        return Settled.DONE if await _sum(eyes, path) == before else Settled.NOT_DONE

    return LiveStep("Put the previous compose file back", f"cp -p {_kept(job)} {path}", True, FILE_LIMIT, None, run, settle)


def _up(job: Job, title: str, *, forward: bool) -> LiveStep:
    project, service = _project(job), str(job.data["service"])
    argv = project.up(service)
    limit = int(str(job.data["stop_timeout"])) + UP_LIMIT

    async def run(hands: Hands) -> Done:
        done = await hands.command(argv, timeout_s=limit - 10)
        if done.status:
            raise StepError(f"compose refuses: {redact(line(done.stderr[-600:], 400))}", changed=None)
        found = await members(hands, project.name, service)
        return Done(f"compose says that it is done; {len(found)} containers of {line(service, 80)}")

    async def settle(eyes: Eyes) -> Settled:
        wanted = await expected_hash(eyes, project, service)
        found = await members(eyes, project.name, service)
        same = bool(wanted and found) and all(box.label("com.docker.compose.config-hash") == wanted for box in found)
        if same:
            return Settled.DONE
        return Settled.NOT_DONE if forward and [box.id for box in found] == [job.data["id"]] else Settled.UNKNOWN

    return LiveStep(title, shown(argv), True, limit, shown(argv) if forward else None, run, settle)


def _as_the_file_says(job: Job, content: str, watch_s: int, *, up: bool = True) -> LiveCheck:
    """Return the check that the file is a certain one, and that the service's containers are made from it and stay up.

    Args:
        job: what is checked.
        content: SHA-256 of the file.
        watch_s: how long it has to hold.
        up: whether they have to run, too; after a rollback they may loop as they did before.
    """
    project, service = _project(job), str(job.data["service"])
    known: dict[str, str] = {}

    async def sample(eyes: Eyes) -> Sample:
        if await _sum(eyes, project.path) != content:
            return Sample(False, "the compose file is another one")
        if "hash" not in known:
            known["hash"] = await expected_hash(eyes, project, service)
        if not known["hash"]:
            del known["hash"]
            return Sample(None, "the tool does not tell what the service has to be")
        found = await members(eyes, project.name, service)
        if not found or any(box.label("com.docker.compose.config-hash") != known["hash"] for box in found):
            return Sample(False, f"{len(found)} containers, not all made from this file")
        if not up:
            return Sample(True, f"{len(found)} containers made from this file")
        return _all_up(found, known)

    name = f"{line(service, 80)} is as the {'new' if up else 'previous'} file says"
    return LiveCheck(name, watch_s, "by the hash that Compose leaves on a container, and it stays up", sample, UP_WITHIN)


def _all_up(found: list[Box], known: dict[str, str]) -> Sample:
    for box in found:
        if not box.running or box.health in ("unhealthy", "starting"):
            return Sample(False, f"{box.shown} is {box.status}, {box.health}")
    runs = ", ".join(f"{box.id[:12]} {box.started_at} {box.restarts}" for box in found)
    if known.setdefault("runs", runs) != runs:
        return Sample(False, "a container ended and was started again")
    return Sample(True, f"{len(found)} up since {line(found[0].started_at)[:19]}")
