"""An application whose settings are the environment of a container: changing them makes the container anew."""

from __future__ import annotations

from collections.abc import Mapping

from debugtui.model.plan import Guard
from debugtui.model.target import Target
from debugtui.remediation.base import Draft, LiveCheck, LiveStep, Sample
from debugtui.remediation.catalogue.docker.common import Box, find
from debugtui.remediation.catalogue.docker.recreate import Recreate
from debugtui.remediation.catalogue.docker.recreate_steps import Swap
from debugtui.remediation.catalogue.docker.requests import read
from debugtui.remediation.catalogue.groq.common import App, Place
from debugtui.remediation.eyes import Eyes

#: Lines of a log that are looked at, the newest.
LOG_LINES = 2_000


def variables(box: Box) -> dict[str, str]:
    """Return the environment of a container, secrets included."""
    return dict(str(entry).partition("=")[::2] for entry in box.rows("Config", "Env"))


class ContainerApp(App):
    """Such an application."""

    kind = "container"

    def __init__(self, box: Box, host: str) -> None:
        super().__init__(variables(box))
        self._box, self._host = box, host

    @classmethod
    async def found(cls, eyes: Eyes, target: Target) -> ContainerApp:
        """Read it.

        Raises:
            PlanError: there is no such container.
            SourceError, LinkError: the engine could not be asked.
        """
        return cls(await find(eyes, target), eyes.host.name)

    @property
    def shown(self) -> str:
        """The container."""
        return f"container {self._box.shown}"

    @property
    def changed(self) -> Target:
        """The container."""
        return Target(self._host, "docker", self._box.name)

    async def draft(self, eyes: Eyes, changes: Mapping[str, str]) -> Draft:
        """Draft its recreation."""
        return await Recreate().drafted(eyes, self._box, changes)


class ContainerPlace(Place):
    """The recreation of a container."""

    def steps(self) -> tuple[LiveStep, ...]:
        """Make the new one, stop the old one, swap their names, start the new one."""
        return Recreate().steps(self.job)

    def undo(self) -> tuple[LiveStep, ...]:
        """Bring the old one back."""
        return Recreate().undo(self.job)

    def checks(self) -> tuple[LiveCheck, ...]:
        """It stays up, is healthy, and its environment is the new one."""
        swap = Swap.of(self.job)
        watch = int(str(self.job.data["watch_s"]))

        async def sample(eyes: Eyes) -> Sample:
            box = await read(eyes, swap.name)
            if not swap.is_new(box) or box is None:
                return Sample(False, f"{swap.name} is not the new container")
            wrong = self.wrong(variables(box))
            return Sample(not wrong, wrong or f"{', '.join(sorted(self.expected))} as planned")

        why = "the environment of the running container says so"
        in_force = LiveCheck("the settings are in force", watch, why, sample, every_s=5.0)
        return (*Recreate().checks(self.job), in_force)

    def undo_checks(self) -> tuple[LiveCheck, ...]:
        """Every setting of the old one is as before."""
        return Recreate().undo_checks(self.job)

    async def undo_guards(self, eyes: Eyes) -> tuple[Guard, ...]:
        """The old one is still there, and its name is free for it."""
        return await Recreate().undo_guards(eyes, self.job)

    async def log_lines(self, eyes: Eyes) -> tuple[list[str], list[str]] | None:
        """Return the old container's log, and the new one's: all of it is from after the change."""
        swap = Swap.of(self.job)
        made = await swap.made(eyes)
        before = await _log(eyes, swap.old) if await read(eyes, swap.old) is not None else []
        return before, [text for identity in made for text in await _log(eyes, identity)]


async def _log(eyes: Eyes, identity: str) -> list[str]:
    from debugtui.sources.docker.logs import read_logs

    lines: list[str] = []
    async for batch in read_logs(await eyes.docker(), identity, tail=LOG_LINES, since=None, follow=False):
        lines.extend(entry.text for entry in batch)
    return lines
