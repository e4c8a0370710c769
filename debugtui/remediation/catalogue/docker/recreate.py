"""Makes a container anew with another image or other variables; the old one is kept, and comes back where that fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from debugtui.model.plan import DiffPart, Guard, Mitigation
from debugtui.model.source import FleetView
from debugtui.model.target import Target
from debugtui.model.text import line
from debugtui.remediation.base import (
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
    Undo,
)
from debugtui.remediation.catalogue.docker import guards, recreate_guards
from debugtui.remediation.catalogue.docker.common import Box, find, row_of
from debugtui.remediation.catalogue.docker.environment import recorded, released, wanted
from debugtui.remediation.catalogue.docker.likeness import PLAN_LABEL, described, described_after, likeness
from debugtui.remediation.catalogue.docker.recreate_steps import Swap, config_of, image_of
from debugtui.remediation.catalogue.docker.requests import read
from debugtui.remediation.catalogue.docker.revert import reverter
from debugtui.remediation.catalogue.docker.seal import key_of, sealed, settings
from debugtui.remediation.catalogue.docker.watching import healthy, stays_up
from debugtui.remediation.eyes import Eyes

#: The longest watch that may be asked for, in seconds.
LONGEST_WATCH = 3600

#: Seconds that the old container is watched after it came back.
BACK_WATCH = 20

#: Images whose new version may change the files of the old one for good.
_DATABASES = re.compile(
    r"(?:^|/)(?:postgres|postgis|timescaledb|mysql|mariadb|mongo|redis|elasticsearch|rabbitmq)[\w.-]*(?:[:@]|$)"
)


class Recreate(Remediation):
    """Create, stop, rename, start; and all of it back."""

    spec: ClassVar[Spec] = Spec(
        name="docker.recreate",
        title="Recreate a container",
        summary="A bad release or variable: make the container anew with another image or variables; the old one is kept.",
        target="HOST/docker/NAME",
        parameters=(
            Parameter("image", "an image that the host holds, by name or id; else the present one", required=False),
            Parameter("env", "a variable; @env:NAME and @file:PATH are read here", required=False, prefix=True),
            Parameter("watch_s", "watch it for so many seconds, where that is longer", required=False),
        ),
        risk=(2, 3),
        undo=Undo.EXACT,
        undo_says="the new container is removed; the old one gets its name and policy back, and is started where it ran",
        guards=(
            "not_auto_remove", "not_being_removed", "not_paused", "not_managed", "logs_read", "image_local", "network_shared",
            "replicas", "dependants", "dead_man",
        ),
    )  # fmt: skip

    def offer(self, view: FleetView, target: Target) -> Offer | None:
        """The way out of a crash loop."""
        found = row_of(view, target)
        if found is None:
            return None
        container, _ = found
        if container.looping:
            why = "it crashes again and again: another image or variable mends the cause, and the old one is kept"
            return Offer(self.spec.name, target, True, why, rank=15 if container.oom_killed else 0)
        if container.state == "exited" and container.exit_code not in (0, None):
            return Offer(self.spec.name, target, True, f"it ended with exit code {container.exit_code}", rank=20)
        if container.health == "unhealthy":
            return Offer(self.spec.name, target, True, "its health check fails", rank=20)
        return Offer(self.spec.name, target, True, "nothing says that another image or variable is needed", rank=75)

    async def draft(self, eyes: Eyes, target: Target, params: Mapping[str, str]) -> Draft:
        """See `Remediation.draft`."""
        least = _watch(params.get("watch_s", ""))
        return await self.drafted(eyes, await find(eyes, target), wanted(params), params.get("image", ""), least)

    async def drafted(self, eyes: Eyes, box: Box, changes: Mapping[str, str], reference: str = "", least: int = 0) -> Draft:
        """Draft it for a container that was read, for this remediation or one that changes a container so.

        Args:
            eyes: of its host.
            box: the container.
            changes: variables, as `wanted` returns them.
            reference: another image; empty: the present one.
            least: seconds that it is watched at least.

        Raises:
            PlanError: see `draft`.
        """
        key = await key_of(box)
        env = await recorded(changes, key, eyes)
        old, new, image = await _images(eyes, box, reference)
        values = await released(env, key, eyes)
        made = likeness(box, config_of(old), image, values, {})
        now = dict(str(entry).partition("=")[::2] for entry in box.rows("Config", "Env"))
        if new["Id"] == box.text("Image") and all(now.get(name) == value for name, value in values.items()):
            raise NothingToDoError(f"{box.shown} has this image and these variables already")
        around = await guards.neighbours(eyes, box)
        program = await reverter(eyes)
        other = new["Id"] != box.text("Image")
        health = _health(made.body.get("Healthcheck") or config_of(new).get("Healthcheck"))
        stop = _rule(box, image, other=other)
        watched = {
            "seal": sealed(key, settings(box)),
            "has_health": bool(health),
            "health_span": health,
            "watch_s": max(box.watch_s, health, least),
            "revert_by": program,
            "socket": eyes.docker_socket,
        }
        says = f"{line(image, 200)} ({str(new['Id'])[:19]})"
        after = described_after(box, made, config_of(new), says, key)
        return Draft(
            target=Target(eyes.host.name, "docker", box.name),
            problem=f"{box.shown}: {box.failing or 'it is to be made anew'}",
            solution=f"make it anew with {_what(image, changes, other=other)}; the old one is kept for the way back",
            factors=_factors(box, around, stop=stop, other=other),
            identity={**box.identity(), "settings": sealed(key, settings(box)), "image": str(new["Id"])},
            data={**_data(box), "image": image, "image_id": str(new["Id"]), "env": env, **watched},
            diff=(DiffPart(f"container {box.shown}", "yaml", described(box, key), after),),
            guards=(
                guards.not_auto_remove(box),
                guards.not_being_removed(box),
                guards.not_paused(box),
                recreate_guards.not_managed(box),
                await guards.logs_read(eyes, box),
                recreate_guards.image_local(old, new),
                recreate_guards.network_shared(around),
                around.replicas(box),
                around.guard(),
                recreate_guards.dead_man(program),
            ),
            irreversible=_for_good(box),
            mitigations=_ways_out(box, stop),
            stop=stop,
            expected=(Target(eyes.host.name, "docker", box.name),),
        )

    def steps(self, job: Job) -> tuple[LiveStep, ...]:
        """Make the new one, stop the old one, swap their names, start the new one."""
        return Swap.of(job).steps()

    def undo(self, job: Job) -> tuple[LiveStep, ...]:
        """Remove the new one; the old one gets its name and policy back, and is started where it ran."""
        return Swap.of(job).undo()

    def checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """The new one stays up, is healthy, and is made from the right image."""
        swap, data = Swap.of(job), job.data
        watch = int(str(data["watch_s"]))

        def wrong(box: Box) -> str:
            if not swap.is_new(box):
                return f"{swap.name} is not the new container"
            return "" if box.text("Image") == data["image_id"] else "it is made from another image"

        up = stays_up(swap.name, swap.name, watch, job.results, also=wrong)
        return (up, healthy(swap.name, swap.name, int(str(data["health_span"])), watch)) if data["has_health"] else (up,)

    def undo_checks(self, job: Job) -> tuple[LiveCheck, ...]:
        """Every setting of the old one is as before, and it runs as before."""
        return (_as_before(Swap.of(job)),)

    async def undo_guards(self, eyes: Eyes, job: Job) -> tuple[Guard, ...]:
        """The old one is still there, and its name is free for it."""
        swap = Swap.of(job)
        old, named = await read(eyes, swap.old), await read(eyes, swap.name)
        if old is None:
            return (Guard("old_container", guards.FAIL, "the old container was removed: there is nothing to go back to"),)
        if named is not None and named.id != swap.old and not swap.is_new(named):
            why = f"{line(swap.name, 80)} is another container by now: it was made anew since"
            return (Guard("old_container", guards.FAIL, why, f"id {named.id[:12]}"),)
        return (Guard("old_container", guards.PASS, "the old container is kept, and its name is free for it", f"{old.shown}"),)


def _data(box: Box) -> dict[str, object]:
    return {
        "id": box.id,
        "name": box.name,
        "started": box.identity()["started"],
        "policy": box.policy,
        "was_up": box.running or box.looping,
        "stop_timeout": box.stop_timeout,
    }


def _watch(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= LONGEST_WATCH:
        raise PlanError(f"watch_s is a number of seconds up to {LONGEST_WATCH}, not {line(text, 40)!r}")
    return int(text)


async def _images(eyes: Eyes, box: Box, reference: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return the old image, the new one, and what the new container is told to be made from.

    Raises:
        PlanError: one of them is not on the host.
    """
    old = await image_of(eyes, box.text("Image"))
    if old is None:
        raise PlanError(f"the image of {box.shown} is not on the host any more: what it gave the container cannot be told")
    if not reference:
        name = box.text("Config", "Image")
        same = await image_of(eyes, name)
        # The name may mean a newer image by now: then the id says which one it is.
        return old, old, name if same is not None and same.get("Id") == old["Id"] else str(old["Id"])
    new = await image_of(eyes, reference) if re.fullmatch(r"[\w][\w.:/@-]{0,300}", reference, re.ASCII) else None
    if new is None:
        shown = line(reference, 200)
        raise PlanError(f"the image {shown!r} is not on {box_host(eyes)}: docker pull it there first, then plan again")
    return old, new, reference


def box_host(eyes: Eyes) -> str:
    """Return the host's name, to show."""
    return line(eyes.host.name, 80)


def _health(check: Any) -> int:
    """Return within how many seconds a health check speaks; 0 where there is none."""
    test = check.get("Test") if isinstance(check, dict) else None
    if not test or test[0] == "NONE":
        return 0
    interval, start = check.get("Interval") or 30_000_000_000, check.get("StartPeriod") or 0
    return int(-(-(start + 3 * interval) // 1_000_000_000))


def _what(image: str, changes: Mapping[str, str], *, other: bool) -> str:
    parts = [line(image, 100)] if other else []
    parts += [f"{name} set" for name in list(changes)[:3]]
    if len(changes) > 3:
        parts.append(f"{len(changes) - 3} more variables")
    return ", ".join(parts)


def _writes(box: Box) -> bool:
    kinds = ("volume", "bind")
    return any(one.get("RW") and one.get("Type") in kinds for one in box.rows("Mounts") if isinstance(one, dict))


def _rule(box: Box, image: str, *, other: bool) -> str:
    """Return the rule that forbids it: another version of a database may change its files for good."""
    database = _DATABASES.search(box.text("Config", "Image")) or _DATABASES.search(image)
    if other and database and _writes(box):
        return "another image of a database changes its files for good, and no verified backup of them is known"
    return ""


def _factors(box: Box, around: guards.Neighbours, *, stop: str, other: bool) -> Factors:
    if stop:
        data = Factor(4, stop)
    elif other and _writes(box):
        data = Factor(2, "what another image writes into its volumes stays there after a rollback")
    else:
        data = Factor(1, "what it holds in memory and outside of volumes stays with the old one")
    gap = box.stop_timeout + 2
    return Factors(
        interruption=guards.interruption(box, around, gap),
        reversibility=Factor(2, "the old container is kept, and started again"),
        durable_data=data,
        blast_radius=guards.blast_radius(around, box),
        blocking=Factor(0, "nothing waits for it but its clients"),
        verifiability=guards.verifiability(box),
    )


def _for_good(box: Box) -> tuple[str, ...]:
    says = [
        f"the old container stays, stopped, as {box.shown}-old-…: it is removed by hand, when the new one has proved itself"
    ]
    if box.service:
        project = line(box.project, 60)
        says.append(
            f"the compose file of {project} does not know of this change: its next `up` makes the container its own way"
        )
    if _writes(box):
        says.append("what the new container writes into volumes stays there after a rollback")
    return tuple(says)


def _ways_out(box: Box, stop: str) -> tuple[Mitigation, ...]:
    ways = []
    if stop:
        ways.append(Mitigation("postgres.backup", "a verified backup lowers durable data from 4 to 3"))
        ways.append(Mitigation("", "a copy of its volumes, with the container stopped in a maintenance window"))
    if box.looping:
        ways.append(Mitigation("docker.restart_policy", "policy=no ends the loop until the right image or variable is known"))
    return tuple(ways)


def _as_before(swap: Swap) -> LiveCheck:
    known: dict[str, str] = {}

    async def sample(eyes: Eyes) -> Sample:
        box = await read(eyes, swap.old)
        if box is None:
            return Sample(False, "the old container is gone")
        if await swap.made(eyes):
            return Sample(False, "the new container is still there")
        if sealed(await key_of(box), settings(box)) != swap.data["seal"]:
            return Sample(False, "its settings are not those from before")
        looped = swap.data["started"] == "again and again"
        up = box.running or box.flag("State", "Restarting")
        if up != swap.was_up:
            return Sample(False, f"it is {box.status}")
        if up and not looped and known.setdefault("started", box.started_at) != box.started_at:
            return Sample(False, "it ended and was started again")
        return Sample(True, f"every setting as before, {box.status}")

    return LiveCheck("the old container is as before", BACK_WATCH, f"its settings, its name, no {PLAN_LABEL} left", sample)
