"""The step that writes an environment file anew, and the one that puts the old file back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from debugtui.model.text import line
from debugtui.remediation.base import Done, Job, LiveStep, PlanError, Settled, StaleError, StepError
from debugtui.remediation.catalogue.docker.environment import is_reference, resolve
from debugtui.remediation.catalogue.groq.env_file import changed, rest, seal, value_of
from debugtui.remediation.catalogue.groq.file_host import Found, drop_kept, look, put_back, write
from debugtui.remediation.eyes import Eyes
from debugtui.remediation.hands import Hands

#: Seconds that a plan grants a step that reads, writes, and perhaps asks the API.
STEP_LIMIT_S = 45


class FileSteps:
    """Both, out of the plan's own words. `wrong` says which variable of a file is not as planned; empty: none."""

    def __init__(self, job: Job, wrong: Callable[[Mapping[str, str]], str]) -> None:
        table = job.data["file"]
        assert isinstance(table, dict)  # noqa: S101 - `FileApp.draft` made it
        self.path, self._seal = str(table["path"]), str(table["seal"])
        self._before = tuple(str(word) for word in table["before"])
        self._owner = tuple(str(part) for part in table["owner"])
        self._changes: dict[str, str] = {str(name): str(value) for name, value in table["changes"].items()}
        self._wrong = wrong
        self.kept = f"{self.path}.debugtui-{job.mark}"

    # --- looking

    async def read(self, eyes: Eyes) -> Found | None:
        """Read the file; None where it is gone."""
        return await look(eyes, self.path, self._before)

    def values(self, text: str) -> dict[str, str]:
        """Return the planned variables as a file has them."""
        try:
            found = {name: value_of(text, name) for name in self._changes}
        except PlanError:
            return {}
        return {name: value for name, value in found.items() if value is not None}

    async def is_old(self, found: Found) -> bool:
        """Return whether a file is as it was before the change: content, owner and mode."""
        same = (found.mode, found.owner, found.group) == self._owner
        return same and await asyncio.to_thread(seal, found.text, self.path) == self._seal

    async def why_not_back(self, eyes: Eyes) -> str:
        """Return why the old file cannot be put back; empty: it can, or it is back already."""
        now = await self.read(eyes)
        if now is not None and await self.is_old(now):
            return ""
        old = await look(eyes, self.kept, self._before)
        if old is None or not await self.is_old(old):
            return f"the old file is not kept any more as {line(self.kept, 200)}"
        if now is None:
            return "the file is gone: somebody removed it"
        if rest(now.text, self._changes) != rest(old.text, self._changes):
            return "somebody has edited the file since: putting the old one back would undo that, too"
        return ""

    # --- writing

    def write_step(self) -> LiveStep:
        """Return the step that writes the file."""
        rows = ", ".join(f"{name}={value}" for name, value in sorted(self._changes.items()))
        command = (
            f"{' '.join([*self._before, 'write'])} {self.path} {{as it is, but {rows}}}; the old one is kept as {self.kept}"
        )

        async def run(hands: Hands) -> Done:
            old = await self.read(hands)
            if old is None or old.path != self.path or not await self.is_old(old):
                raise StaleError("the file is not as it was planned with")
            await write(hands, self._before, old, self.kept, changed(old.text, await self._released(hands)))
            return Done(f"wrote {self.path}; the old one is kept as {self.kept}")

        async def settle(eyes: Eyes) -> Settled:
            now = await self.read(eyes)
            if now is not None and await self.is_old(now):
                return Settled.NOT_DONE
            old = await look(eyes, self.kept, self._before)
            kept = old is not None and await self.is_old(old)
            return Settled.DONE if now is not None and kept and not self._wrong(self.values(now.text)) else Settled.UNKNOWN

        undo = f"mv -f {self.kept} {self.path}"
        return LiveStep("Write the file anew", command, True, STEP_LIMIT_S, undo, run, settle)

    async def _released(self, hands: Hands) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            for name, value in self._changes.items():
                found[name] = await resolve(value, hands) if is_reference(value) else value
        except PlanError as error:
            raise StaleError(str(error)) from None
        if self._wrong(found):
            raise StaleError("the new key is another one than when the plan was made")
        return found

    def back_step(self) -> LiveStep:
        """Return the step that puts the old file back; there may be nothing to put back."""

        async def run(hands: Hands) -> Done:
            if problem := await self.why_not_back(hands):
                raise StepError(problem, changed=False)
            now, old = await self.read(hands), await look(hands, self.kept, self._before)
            if now is not None and await self.is_old(now):
                if old is not None:
                    await drop_kept(hands, self._before, self.kept)
                return Done("the file is as it was")
            if now is None or old is None:
                raise StaleError("the file was removed a moment ago")
            await put_back(hands, self._before, now, self.kept, old)
            return Done(f"{self.path} is the old file again")

        async def settle(eyes: Eyes) -> Settled:
            now = await self.read(eyes)
            return Settled.DONE if now is not None and await self.is_old(now) else Settled.NOT_DONE

        command = f"{' '.join([*self._before, 'mv', '-f'])} {self.kept} {self.path}"
        return LiveStep("Put the old file back", command, True, STEP_LIMIT_S, None, run, settle)
