"""The steps of a recreation, and those that bring the old container back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from debugtui.model.canonical import canonical
from debugtui.model.text import line
from debugtui.remediation.base import DeadMan, Done, Job, LiveStep, PlanError, Settled, StaleError, StepError
from debugtui.remediation.catalogue.docker.common import Box, containers, look, refused
from debugtui.remediation.catalogue.docker.environment import released
from debugtui.remediation.catalogue.docker.likeness import PLAN_LABEL, REPLACES_LABEL, Likeness, likeness
from debugtui.remediation.catalogue.docker.policy import policy_step, same_policy
from debugtui.remediation.catalogue.docker.requests import read, same, send, shown
from debugtui.remediation.catalogue.docker.revert import revert
from debugtui.remediation.catalogue.docker.seal import key_of, sealed, settings
from debugtui.remediation.catalogue.docker.start_stop import START_LIMIT, start_step
from debugtui.remediation.catalogue.docker.watching import begun
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands
from debugtui.sources.base import SourceError

#: Seconds to make a container, and for a request that only changes a name or a policy.
CREATE_LIMIT, SHORT_LIMIT, STOP_MORE = 60, 15, 20

#: Seconds beyond the time to stop after which the host brings the old container back by itself.
REVERT_AFTER = 120

NO_POLICY = {"Name": "no", "MaximumRetryCount": 0}


@dataclass(frozen=True, slots=True)
class Swap:
    """A recreation, out of the plan's own words."""

    plan: str
    mark: str
    data: dict[str, Any]

    @classmethod
    def of(cls, job: Job) -> Swap:
        """Read it from a job."""
        return cls(job.plan_id, job.mark, dict(job.data))

    @property
    def old(self) -> str:
        """Id of the old container."""
        return str(self.data["id"])

    @property
    def name(self) -> str:
        """The name that the new container gets in the end."""
        return str(self.data["name"])

    @property
    def next_name(self) -> str:
        """The new container's name until then."""
        return f"{self.name}-next-{self.mark}"

    @property
    def parked_name(self) -> str:
        """The old container's name from then on."""
        return f"{self.name}-old-{self.mark}"

    @property
    def policy(self) -> dict[str, Any]:
        """The old container's restart policy."""
        return dict(self.data["policy"])

    @property
    def parks_policy(self) -> bool:
        """Whether the engine would start the old one again by itself."""
        return not same_policy(self.policy, NO_POLICY)

    @property
    def was_up(self) -> bool:
        """Whether the old one ran, or looped."""
        return bool(self.data["was_up"])

    def is_new(self, box: Box | None) -> bool:
        """Return whether a container is the one that this plan made."""
        return box is not None and box.id != self.old and box.label(PLAN_LABEL) == self.plan

    # --- forward

    def steps(self) -> tuple[LiveStep, ...]:
        """Return the four steps."""
        return (self._create(), self._park(), self._rename(), self._start())

    def _create(self) -> LiveStep:
        path, params = "containers/create", {"name": self.next_name}
        changes = {"Image": self.data["image"], "Env": {key: _said(one) for key, one in self.data["env"].items()}}
        says = json.dumps(changes, sort_keys=True, ensure_ascii=False)
        command = f"{shown('POST', path, params)} {{everything as {self.old[:12]} has it, but {says}}}"

        async def run(hands: Hands) -> Done:
            box = await same(hands, self.old, str(self.data["started"]))
            new = await self._likeness(hands, box)
            answer = await send(hands, "POST", path, params, new.body, timeout=CREATE_LIMIT - 2)
            identity = str(answer.get("Id", "")) if isinstance(answer, dict) else ""
            for network, endpoint in new.networks.items():
                body = {"Container": identity, "EndpointConfig": endpoint}
                await send(hands, "POST", f"networks/{network}/connect", None, body, timeout=SHORT_LIMIT)
            made = await read(hands, identity)
            if made is None or made.text("Image") != self.data["image_id"]:
                raise StepError("the engine made it from another image than the one that was planned", changed=True)
            return Done(f"made {self.next_name}, {identity[:12]}", {"new_id": identity})

        async def settle(eyes: Eyes) -> Settled:
            return Settled.DONE if self.is_new(await read(eyes, self.next_name)) else Settled.NOT_DONE

        undo = shown("DELETE", f"containers/{self.next_name}", {"force": "1"})
        return LiveStep("Make the new container", command, True, CREATE_LIMIT, undo, run, settle)

    async def _likeness(self, hands: Hands, box: Box) -> Likeness:
        """Read everything again that goes into the new container.

        Raises:
            StaleError: something of it is not as it was planned.
        """
        key = await key_of(box)
        if sealed(key, settings(box)) != self.data["seal"]:
            raise StaleError(f"the settings of {box.shown} are not those that were planned with")
        try:
            env = await released(self.data["env"], key, hands)
        except PlanError as error:
            raise StaleError(str(error)) from None
        old, new = await image_of(hands, box.text("Image")), await image_of(hands, str(self.data["image"]))
        if old is None or new is None or new.get("Id") != self.data["image_id"]:
            raise StaleError("an image is gone, or its name means another one now")
        labels = {PLAN_LABEL: self.plan, REPLACES_LABEL: self.old}
        api = (await hands.engine()).version.api
        return likeness(box, config_of(old), str(self.data["image"]), env, labels, api)

    def _park(self) -> LiveStep:
        wait = int(self.data["stop_timeout"])
        stop_path, params = f"containers/{self.old}/stop", {"t": str(wait)}
        update = (f"containers/{self.old}/update", {"RestartPolicy": NO_POLICY})
        commands = [shown("POST", update[0], None, update[1])] if self.parks_policy else []
        command = "\n".join([*commands, shown("POST", stop_path, params)])

        async def run(hands: Hands) -> Done:
            await same(hands, self.old, str(self.data["started"]))
            if self.parks_policy:
                await send(hands, "POST", update[0], None, update[1], timeout=SHORT_LIMIT)
            await send(hands, "POST", stop_path, params, timeout=wait + STOP_MORE - 2, tolerate=(304,))
            box = await read(hands, self.old)
            if box is None or box.running or box.flag("State", "Restarting"):
                raise StepError("the old container does not stop", changed=True)
            return Done(f"{self.name} is {box.status}, and stays so")

        async def settle(eyes: Eyes) -> Settled:
            box = await read(eyes, self.old)
            if box is None:
                return Settled.UNKNOWN
            if not box.running and not box.looping and same_policy(box.policy, NO_POLICY):
                return Settled.DONE
            untouched = same_policy(box.policy, self.policy) and (box.running or box.looping) == self.was_up
            return Settled.NOT_DONE if untouched and self.parks_policy else Settled.UNKNOWN

        limit = SHORT_LIMIT + wait + STOP_MORE
        undo = shown("POST", f"containers/{self.old}/start") if self.was_up else None
        return LiveStep("Stop the old container", command, True, limit, undo, run, settle, self._dead_man())

    def _dead_man(self) -> DeadMan | None:
        program = str(self.data["revert_by"])
        if not program:
            return None
        policy = self.policy if self.parks_policy else None
        argv = revert(program, str(self.data["socket"]), self.plan, self.old, self.name, policy, up=self.was_up)
        return DeadMan(argv, int(self.data["stop_timeout"]) + REVERT_AFTER)

    def _rename(self) -> LiveStep:
        first = (f"containers/{self.old}/rename", {"name": self.parked_name})
        second = (f"containers/{self.next_name}/rename", {"name": self.name})

        async def run(hands: Hands) -> Done:
            if not self.is_new(await read(hands, self.next_name)):
                raise StepError("the new container is gone", changed=False)
            await send(hands, "POST", *first, timeout=SHORT_LIMIT)
            try:
                await send(hands, "POST", *second, timeout=SHORT_LIMIT)
            except StepError as error:
                raise StepError(error.says, changed=True if error.changed is False else None) from None
            return Done(f"the old one is {self.parked_name}, the new one {self.name}")

        async def settle(eyes: Eyes) -> Settled:
            old, named = await read(eyes, self.old), await read(eyes, self.name)
            if old is None:
                return Settled.UNKNOWN
            if old.name == self.name:
                return Settled.NOT_DONE
            return Settled.DONE if old.name == self.parked_name and self.is_new(named) else Settled.UNKNOWN

        command = f"{shown('POST', *first)}\n{shown('POST', *second)}"
        undo = shown("POST", f"containers/{self.old}/rename", {"name": self.name})
        return LiveStep("Swap their names", command, True, 2 * SHORT_LIMIT, undo, run, settle)

    def _start(self) -> LiveStep:
        path = f"containers/{self.name}/start"

        async def run(hands: Hands) -> Done:
            if not self.is_new(await read(hands, self.name)):
                raise StepError(f"{self.name} is not the new container", changed=False)
            await send(hands, "POST", path, timeout=START_LIMIT, tolerate=(304,))
            box = await read(hands, self.name)
            if box is None:
                raise StepError("the new container is gone", changed=True)
            return Done(f"{self.name} is {box.status}", begun(box))

        async def settle(eyes: Eyes) -> Settled:
            box = await read(eyes, self.name)
            if box is None or not self.is_new(box):
                return Settled.UNKNOWN
            return Settled.DONE if box.running or box.looping else Settled.NOT_DONE

        return LiveStep("Start the new container", shown("POST", path), True, START_LIMIT, None, run, settle)

    # --- back

    def undo(self) -> tuple[LiveStep, ...]:
        """Return the steps that bring the old container back; each tolerates that there is nothing to do."""
        back = [self._remove(), self._name_back()]
        if self.parks_policy:
            back.append(policy_step(self.old, self.policy, "Set the old container's restart policy again"))
        if self.was_up:
            back.append(start_step(self.old, self.name))
        return tuple(back)

    def _remove(self) -> LiveStep:
        wait = int(self.data["stop_timeout"])
        stop, delete = {"t": str(wait)}, {"force": "1", "v": "0"}
        which = f"{{label {PLAN_LABEL}={self.plan}}}"
        command = f"{shown('POST', f'containers/{which}/stop', stop)}\n{shown('DELETE', f'containers/{which}', delete)}"

        async def run(hands: Hands) -> Done:
            found = await self.made(hands)
            for identity in found:
                await send(hands, "POST", f"containers/{identity}/stop", stop, timeout=wait + STOP_MORE, tolerate=(304, 404))
                await send(hands, "DELETE", f"containers/{identity}", delete, timeout=SHORT_LIMIT, tolerate=(404,))
            return Done("removed the new container; its volumes stay" if found else "there is no new container")

        async def settle(eyes: Eyes) -> Settled:
            return Settled.NOT_DONE if await self.made(eyes) else Settled.DONE

        limit = wait + STOP_MORE + SHORT_LIMIT
        return LiveStep("Stop and remove the new container", command, True, limit, None, run, settle)

    async def made(self, eyes: Eyes) -> list[str]:
        """Return the ids of the containers that this plan made: one, or none."""
        found = await containers(await eyes.docker())
        labelled = [one for one in found if (one.get("Labels") or {}).get(PLAN_LABEL) == self.plan]
        return [str(one["Id"]) for one in labelled if one["Id"] != self.old]

    def _name_back(self) -> LiveStep:
        path, params = f"containers/{self.old}/rename", {"name": self.name}

        async def run(hands: Hands) -> Done:
            box = await look(await hands.engine(), self.old)
            if box is None:
                raise StepError("the old container is gone", changed=False)
            if box.name == self.name:
                return Done(f"it is called {self.name} already")
            await send(hands, "POST", path, params, timeout=SHORT_LIMIT)
            return Done(f"it is called {self.name} again")

        async def settle(eyes: Eyes) -> Settled:
            box = await read(eyes, self.old)
            if box is None:
                return Settled.UNKNOWN
            return Settled.DONE if box.name == self.name else Settled.NOT_DONE

        return LiveStep("Give the old container its name", shown("POST", path, params), True, SHORT_LIMIT, None, run, settle)


def _said(entry: dict[str, Any]) -> str:
    """Return a variable's value as a plan shows it: itself, or where it is read."""
    return line(str(entry.get("value", entry.get("from", ""))), 500)


async def image_of(eyes: Eyes, reference: str) -> dict[str, Any] | None:
    """Return what the engine tells of an image that it holds; None where it holds none of that name.

    Raises:
        SourceError, LinkError: the engine could not be asked.
    """
    from urllib.parse import quote

    from debugtui.sources.docker.client import AnswerError

    try:
        answer = await (await eyes.docker()).get_json(f"images/{quote(reference, safe=':/@')}/json")
    except AnswerError as error:
        if error.status in (400, 404):
            return None
        raise refused(error) from None
    if not isinstance(answer, dict):
        raise SourceError(refused(ValueError("its answer about an image is not understood")).problem)
    canonical(answer)  # plain values only
    return answer


def config_of(image: dict[str, Any]) -> dict[str, Any]:
    """Return what an image gives its containers."""
    config = image.get("Config")
    return config if isinstance(config, dict) else {}
