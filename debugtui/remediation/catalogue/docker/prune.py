"""Removes images that nothing names and nothing uses, exactly those that the plan lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView, Problem
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
    PlanError,
    Remediation,
    Sample,
    Settled,
    Spec,
    StaleError,
    StepError,
    Undo,
)
from debugtui.remediation.catalogue.docker import guards
from debugtui.remediation.catalogue.docker.common import containers, reading_of, refused, size_text
from debugtui.remediation.catalogue.docker.requests import send, shown
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

#: Most images of one plan; seconds for one of them, and for the engine to count its layers.
MOST, ONE_LIMIT, COUNT_LIMIT = 100, 20.0, 12.0

#: What has to be freed of what was expected: the engine's counts are not exact.
ENOUGH = 0.9


@dataclass(frozen=True, slots=True)
class Dangling:
    """An image without a name. `own`: bytes that no other image shares."""

    id: str
    own: int
    containers: int


class PruneImages(Remediation):
    """`DELETE /images/{id}`, one by one."""

    spec: ClassVar[Spec] = Spec(
        name="docker.prune_images",
        title="Remove unused images",
        summary="Images without a name fill the disk: remove those that no container uses; never named ones, never volumes.",
        target="HOST/docker",
        parameters=(),
        risk=(2, 2),
        undo=Undo.NONE,
        undo_says="an image without a name cannot be pulled again; it can only be built again",
        guards=("dangling_only", "unused", "listed_whole"),
    )

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """It applies to the engine as a whole."""
        if target.kind != "docker" or target.name:
            return None
        reading = reading_of(view, target.host)
        if reading is None:
            return None
        found = [image for image in reading.images if image.dangling and not image.containers]
        if not found:
            return Offer(self.spec.name, target, False, "every image has a name or is in use")
        size = sum(image.size_bytes for image in found)
        return Offer(self.spec.name, target, True, f"{len(found)} images without a name take up to {size_text(size)}", rank=10)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        if target.name:
            raise PlanError(f"docker.prune_images is for the whole engine: {line(target.host, 80)}/docker")
        found, _ = await _dangling(eyes)
        used = await _used(eyes)
        free = sorted((one for one in found if one.id not in used and not one.containers), key=lambda one: one.id)
        if not free:
            raise NothingToDoError("every image has a name or is in use")
        chosen = free[:MOST]
        size = sum(one.own for one in chosen)
        kept = len(found) - len(free)
        return Draft(
            target=target,
            problem=f"{len(free)} images without a name, which nothing uses, take disk space",
            solution=f"remove {len(chosen)} of them, one by one" if len(chosen) > 1 else "remove it",
            factors=Factors(
                interruption=Factor(0, "no container uses them"),
                reversibility=Factor(4, "an image without a name cannot be pulled again"),
                durable_data=Factor(1, "images are made of what lies in a registry or a build"),
                blast_radius=Factor(1, "images that nothing uses"),
                blocking=Factor(0, "nothing waits for it"),
                verifiability=Factor(0, "the engine lists and counts them"),
            ),
            identity={"images": ", ".join(one.id[:19] for one in chosen)},
            data={"images": [one.id for one in chosen], "bytes": size},
            diff=(DiffPart("images without a name", "text", _listed(chosen), _summary(size)),),
            guards=(
                Guard(
                    "dangling_only",
                    guards.PASS,
                    "none of them has a name: what has one is never touched",
                    "filter dangling=true, read just now",
                ),
                _unused(chosen, kept),
                _whole(free),
            ),
            irreversible=("an image without a name comes back only by building it again",),
            mitigations=(Mitigation("docker.truncate_log", "where logs, not images, fill the disk"),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """One step, which removes them one by one."""
        return (_step(_ids(job)),)

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """There is none."""
        return ()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """They are gone, and what they took is free."""
        return (_gone(_ids(job)), _freed(job))

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Nothing to check."""
        return ()


def _ids(job: Job) -> list[str]:
    found = job.data["images"]
    return [str(one) for one in found] if isinstance(found, list) else []


async def _get(eyes: Eyes, path: str, params: Mapping[str, str] | None = None, timeout: float = 4.0) -> Any:
    from debugtui.sources.docker.client import AnswerError

    try:
        return await (await eyes.docker()).get_json(path, params, timeout=timeout)
    except AnswerError as error:
        raise refused(error) from None


async def _dangling(eyes: Eyes) -> tuple[list[Dangling], int]:
    """Return the images without a name, and how much all layers take (bytes)."""
    listed = await _get(eyes, "images/json", {"filters": '{"dangling":["true"]}'})
    counted = await _get(eyes, "system/df", timeout=COUNT_LIMIT)
    if not isinstance(listed, list) or not isinstance(counted, dict):
        raise SourceError(Problem("the Docker engine's list of images is not understood"))
    by_id = {one.get("Id"): one for one in counted.get("Images") or () if isinstance(one, dict)}
    found = []
    for one in listed:
        identity = str(one.get("Id") or "") if isinstance(one, dict) else ""
        tags = [tag for tag in (one.get("RepoTags") or ()) if tag != "<none>:<none>"] if identity else []
        if not identity.startswith("sha256:") or tags:
            continue
        count = by_id.get(identity, {})
        size, common = int(count.get("Size") or one.get("Size") or 0), int(count.get("SharedSize") or 0)
        found.append(Dangling(identity, max(0, size - max(0, common)), max(0, int(count.get("Containers") or 0))))
    return found, int(counted.get("LayersSize") or 0)


async def _used(eyes: Eyes) -> set[str]:
    """Return the images of all containers, the stopped and the parked ones too: each of them may be a way back."""
    return {str(one.get("ImageID")) for one in await containers(await eyes.docker())}


def _listed(images: list[Dangling]) -> str:
    return "\n".join([*(f"{one.id[7:19]}  {size_text(one.own)} of its own" for one in images), f"{len(images)} images"])


def _summary(size: int) -> str:
    return f"none of them; about {size_text(size)} free"


def _unused(chosen: list[Dangling], kept: int) -> Guard:
    says = f"{len(chosen)} are free, {kept} without a name are in use and stay, read just now"
    return Guard("unused", guards.PASS, "no container uses them, neither a running nor a stopped or parked one", says)


def _whole(free: list[Dangling]) -> Guard:
    if len(free) <= MOST:
        return Guard("listed_whole", guards.PASS, "the plan lists every image that it removes", f"{len(free)} images")
    return Guard(
        "listed_whole", guards.PASS, f"the first {MOST} are listed; what is left takes another plan", f"{len(free)} images"
    )


def _step(images: list[str]) -> LiveStep:
    async def run(hands: Hands) -> Done:
        found, before = await _dangling(hands)
        used = await _used(hands)
        left = {one.id for one in found}
        wrong = [one for one in images if one in used]
        if wrong:
            raise StaleError(f"a container uses {wrong[0][7:19]} by now")
        if missing := [one for one in images if one not in left]:
            raise StaleError(f"{missing[0][7:19]} is gone, or has a name by now")
        for number, identity in enumerate(images):
            try:
                await send(hands, "DELETE", f"images/{identity}", timeout=ONE_LIMIT, tolerate=(404,))
            except StepError as error:
                raise StepError(
                    f"{number} of {len(images)} removed; {error.says}", changed=True if number else error.changed
                ) from None
            hands.tell(f"{number + 1} of {len(images)} images removed")
        return Done(f"removed {len(images)} images", {"layers_before": before})

    async def settle(eyes: Eyes) -> Settled:
        left = {one.id for one in (await _dangling(eyes))[0]} & set(images)
        if not left:
            return Settled.DONE
        return Settled.NOT_DONE if len(left) == len(images) else Settled.UNKNOWN

    command = "\n".join(shown("DELETE", f"images/{one}") for one in images)
    return LiveStep("Remove the images", command, True, min(600, int(ONE_LIMIT) * len(images) + 30), None, run, settle)


def _gone(images: list[str]) -> LiveCheck:
    async def sample(eyes: Eyes) -> Sample:
        left = {one.id for one in (await _dangling(eyes))[0]} & set(images)
        return Sample(not left, f"{len(left)} of {len(images)} are left")

    return LiveCheck("the images are gone", 5, "the engine does not list them any more", sample)


def _freed(job: Job) -> LiveCheck:
    expected, before = int(str(job.data["bytes"])), job.results.get("layers_before")

    async def sample(eyes: Eyes) -> Sample:
        _, now = await _dangling(eyes)
        if not isinstance(before, int):
            return Sample(None, "what the layers took before is not known")
        freed = before - now
        return Sample(freed >= ENOUGH * expected, f"{size_text(max(0, freed))} freed, {size_text(expected)} expected")

    return LiveCheck("the space is free", 5, "the engine counts its layers", sample)
